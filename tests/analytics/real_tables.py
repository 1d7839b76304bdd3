"""Real tables for tests, and how answers about them are compared with pandas'."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd

RTOL = 1e-9
"""pandas adds doubles up one after the other: answers are exact, its sums are not."""


def folder_of(package):
    """Where a package that holds data has it; its code, which may need what nobody needs here, is not run."""
    spec = find_spec(package)
    assert spec is not None, f"{package} is a test dependency: make install"
    (folder,) = spec.submodule_search_locations
    return Path(folder)


def by_count(counts):
    """Of equally frequent values the least one first, where pandas has the first one of the rows."""
    return counts.sort_index().sort_values(ascending=False, kind="stable")


def unnamed(result):
    """pandas' result with plain values for categories."""
    result.index = result.index.astype(str)
    return result


def wide(result):
    """pandas' result with whole numbers of 64 bits as its index: parts of times are 32 bits there."""
    result.index = result.index.astype("int64")
    return result


def same(found, expected):
    """Assert that an answer is pandas': its type, index, names, dtypes and values."""
    if isinstance(expected, pd.DataFrame):
        assert isinstance(found, pd.DataFrame)
        pd.testing.assert_frame_equal(found, expected, rtol=RTOL, atol=RTOL)
    elif isinstance(expected, pd.Series):
        assert isinstance(found, pd.Series)
        pd.testing.assert_series_equal(found, expected, rtol=RTOL, atol=RTOL)
    elif isinstance(expected, tuple):
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_array_equal(one, other)
    elif isinstance(expected, float | np.floating):
        assert isinstance(found, float)
        np.testing.assert_allclose(found, expected, rtol=RTOL, equal_nan=True)
    else:
        assert found == expected
