"""What a session says of a Ray that cannot be started here."""

import pwd

import pytest

from icm_ray.runtime.carriers.process_ray import _refusal

ERROR = FileNotFoundError(2, "No such file or directory", "/proc/nowhere")


def test_a_home_that_cannot_be_written_is_named_with_a_way_out(monkeypatch):
    monkeypatch.setenv("HOME", "/proc/nowhere")
    said = _refusal("local", ERROR)
    assert "/proc/nowhere is missing or cannot be written" in said
    assert "set HOME to a directory that can be written" in said


def test_a_home_that_nobody_knows_is_no_error_of_its_own(monkeypatch):
    """As in a container under a user without an entry."""

    def unknown(number: int):
        raise KeyError(number)

    monkeypatch.delenv("HOME")
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    assert "The home directory ~ is missing" in _refusal("local", RuntimeError("Could not determine home directory."))


@pytest.mark.parametrize("address", ["local", "10.0.0.1:6379"])
def test_a_good_home_is_not_mentioned(monkeypatch, tmp_path, address):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert "home" not in _refusal(address, OSError("no room"))
