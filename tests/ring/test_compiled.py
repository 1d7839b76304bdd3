"""Kernels where neither the installation nor the home directory can be written."""

import os
import stat
import tempfile
import threading
from contextlib import suppress

import numba
import pytest

from icm_ray.ring import kernel as compiling


def twice(x):
    return x + x


@pytest.fixture
def nowhere(monkeypatch, tmp_path):
    """No place for compiled code unless one is named, as numba says it; temporary files go to tmp_path."""
    known = numba.config.CACHE_DIR

    def njit(cache=False, nogil=False):
        def decorate(function):
            if cache and not numba.config.CACHE_DIR:
                raise RuntimeError("cannot cache function 'twice': no locator available")
            return numba.njit(nogil=nogil)(function)

        return decorate

    monkeypatch.setattr(compiling, "njit", njit)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    numba.config.CACHE_DIR = ""
    yield tmp_path / f"icm-kernels-{os.geteuid()}"
    numba.config.CACHE_DIR = known


def test_they_are_kept_in_a_folder_of_this_users_own(nowhere):
    with pytest.warns(UserWarning, match="NUMBA_CACHE_DIR"):
        assert compiling.compiled(twice)(2) == 4
    assert str(nowhere) == numba.config.CACHE_DIR
    assert stat.S_IMODE(nowhere.stat().st_mode) == 0o700
    assert compiling.compiled(twice)(3) == 6  # and without another word


def test_a_folder_that_others_can_write_is_not_used(nowhere):
    nowhere.mkdir()
    nowhere.chmod(0o777)
    with pytest.warns(UserWarning, match="compiled anew in every process"):
        assert compiling.compiled(twice)(2) == 4
    assert numba.config.CACHE_DIR == ""


def test_code_for_two_types_that_is_saved_at_once_gets_two_names(tmp_path, monkeypatch):
    """... also where one saver looks for a free name while another has not written its own yet."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    looked = threading.Barrier(2)

    def saver(key):
        function = compiling.compiled(twice)
        files = function._cache._cache_file
        load_index = files._load_index

        def slowly():
            found = load_index()
            with suppress(threading.BrokenBarrierError):
                looked.wait(0.5)  # alone, the other one never comes
            return found

        files._load_index = slowly
        files.save(key, key)

    threads = [threading.Thread(target=saver, args=(key,)) for key in ("one", "other")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    files = compiling.compiled(twice)._cache._cache_file
    assert {key: files.load(key) for key in ("one", "other")} == {"one": "one", "other": "other"}
