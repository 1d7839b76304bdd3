"""pandas objects of mock rows. What is made of them is pandas' own, and has `attrs["mock"]` where pandas keeps that."""

from __future__ import annotations

import pandas as pd

from analytics.mock_results import SAID

__all__ = ["MockFrame", "MockSeries"]


class MockFrame(pd.DataFrame):  # type: ignore[misc] # pandas ships no types
    """A DataFrame that says that it is of mock rows."""

    def __repr__(self) -> str:
        return f"{super().__repr__()}\n({SAID})"

    def _repr_html_(self) -> str:
        return f"{super()._repr_html_()}<p>{SAID}</p>"


class MockSeries(pd.Series):  # type: ignore[misc] # the same
    """A Series that says that it is of mock rows."""

    def __repr__(self) -> str:
        return f"{super().__repr__()}\n({SAID})"
