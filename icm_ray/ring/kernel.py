"""How kernels are compiled: cached on disk, without the interpreter's lock; those that Python calls are measured.

Kernels that only kernels call are `compiled` and no more: compiled code can call those alone.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
import warnings
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import numba
from numba import njit

from icm_ray.errors import SessionError
from icm_ray.private_folder import check_private
from icm_ray.profile import Part, present_clock

__all__ = ["compiled", "kernel"]


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, compiled when it is first called.

    Its code is cached beside the source, or in the user's cache; where neither can be written, with a warning, in a
    temporary folder of this user's own; where that cannot be either, it is compiled in each process.
    """
    cached = njit(cache=True, nogil=True)
    try:
        return _saved_one_at_a_time(cached(function))
    except RuntimeError:  # numba's "cannot cache function ...: no locator available"
        folder = _own_folder()
    if folder is None:
        return njit(nogil=True)(function)
    numba.config.CACHE_DIR = str(folder)  # type: ignore[attr-defined]
    return _saved_one_at_a_time(cached(function))


def _saved_one_at_a_time(dispatcher: Any) -> Callable[..., Any]:
    """The same, whose code two processes never save at once: numba reads an index, chooses a free name and writes both,
    so that code for two types could get one name, and later be run for the wrong one.
    """
    function: Callable[..., Any] = dispatcher
    files = getattr(dispatcher._cache, "_cache_file", None)  # numba offers no public way
    if files is None:  # nothing is saved
        return function
    save, folder = files.save, dispatcher._cache.cache_path

    def alone(key: Any, data: Any) -> None:
        with (Path(folder) / "saving.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            save(key, data)

    files.save = alone
    return function


def _own_folder() -> Path | None:
    """Code that is run lies in it: nobody else may write there."""
    folder = Path(tempfile.gettempdir()) / f"icm-kernels-{os.geteuid()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        check_private(folder)
    except (OSError, SessionError) as error:
        warnings.warn(f"kernels are compiled anew in every process, which takes a minute: {error}", stacklevel=2)
        return None
    warnings.warn(
        f"neither the installation nor the home directory can be written: compiled kernels are kept in {folder}; "
        "set NUMBA_CACHE_DIR to choose another place",
        stacklevel=2,
    )
    return folder


def kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, compiled when it is first called; arguments by position."""
    compiled_function = compiled(function)

    @wraps(function)
    def call(*args: Any) -> Any:
        clock = present_clock()
        if clock is None:
            return compiled_function(*args)
        clock.enter(Part.KERNELS)
        try:
            return compiled_function(*args)
        finally:
            clock.leave()

    return call
