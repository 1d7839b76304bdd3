"""What users touch: frames over the data of several owners, their columns, statistics; models."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from analytics.binned import histogram2d
from analytics.column import SecureColumn
from analytics.crosstab import crosstab
from analytics.cuts import cut
from analytics.files import read_csv, read_parquet
from analytics.frame import SecureFrame
from analytics.groupby import SecureGroupBy
from analytics.histogram_counts import HistogramCounts, HistogramCounts2D
from analytics.located import Located
from analytics.merge import MergedFrame, merge
from analytics.merged_column import MergedColumn
from analytics.pandas_frames import from_pandas
from analytics.pooling import concat
from analytics.query import Query
from analytics.sorting import SecureSorted
from analytics.text_methods import SecureText
from analytics.time_methods import SecureDates, to_datetime

__all__ = [
    "HistogramCounts",
    "HistogramCounts2D",
    "Located",
    "MergedColumn",
    "MergedFrame",
    "Query",
    "SecureColumn",
    "SecureDates",
    "SecureFrame",
    "SecureGroupBy",
    "SecureModel",
    "SecurePredictor",
    "SecureSorted",
    "SecureText",
    "concat",
    "crosstab",
    "cut",
    "from_pandas",
    "histogram2d",
    "merge",
    "read_csv",
    "read_parquet",
    "sql",
    "to_datetime",
]

_LATER = {
    "SecureModel": "analytics.nn.model",
    "SecurePredictor": "analytics.nn.predictor",
    "sql": "analytics.from_sql.ask",
}


def __getattr__(name: str) -> Any:
    """Models and SQL are loaded when they are used: torch takes seconds, sqlglot a part of one."""
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LATER[name]), name)
