"""What Python is said to have failed at, since another thread read something at the same time, is read again."""

import ast

import numpy as np
import pytest

from analytics.conditions import _Reader
from icm_ray.errors import SourceError
from icm_ray.owner.images.arrays import ArrayFiles
from icm_ray.python_syntax import parsed


def disturbed(monkeypatch, place, name, times=2):
    """The function fails as Python's own does where two threads are in it, so many times."""
    function, left = getattr(place, name), [SystemError("AST constructor recursion depth mismatch")] * times

    def failing(*args, **named):
        if left:
            raise left.pop()
        return function(*args, **named)

    monkeypatch.setattr(place, name, failing)
    return left


def test_the_header_of_an_array_is_read_again(tmp_path, monkeypatch):
    np.save(tmp_path / "x.npy", np.ones((3, 2)))
    left = disturbed(monkeypatch, np.lib.format, "open_memmap")
    assert ArrayFiles((2,)).count(str(tmp_path / "x.npy")) == 3
    assert not left


def test_what_is_no_array_is_refused_at_once(tmp_path):
    (tmp_path / "x.npy").write_text("no array")
    with pytest.raises(SourceError):
        ArrayFiles((2,)).count(str(tmp_path / "x.npy"))


def test_a_condition_is_read_again(monkeypatch):
    with monkeypatch.context() as patch:
        left = disturbed(patch, ast, "parse")
        read = _Reader("2 * 3 + 1", str, {}).read()
    assert read == 7
    assert not left


def test_what_fails_every_time_is_told():
    tried = []

    def fails():
        tried.append(None)
        raise SystemError("for another reason")

    with pytest.raises(SystemError, match="another reason"):
        parsed(fails)
    assert len(tried) > 2
