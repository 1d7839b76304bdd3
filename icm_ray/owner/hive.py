"""Columns that lie in the names of directories, as Hive, Spark and pandas' partition_cols write them: year=2020/..."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import PurePath
from urllib.parse import unquote

from icm_ray.query.kinds import one_form
from icm_ray.query.tasks import ColumnInfo

__all__ = ["Constants", "partition_columns", "partition_infos"]

Constants = Mapping[str, int | str | None]
"""By column, the value in every row of one file."""

_SEGMENT = re.compile(r"([^=]+)=(.*)")
_NOTHING = "__HIVE_DEFAULT_PARTITION__"


def partition_columns(paths: Iterable[str]) -> dict[str, Constants]:
    """By file, the columns that the names of every file's directories give: integers where all are, else text."""
    texts = {path: dict(_pairs(path)) for path in paths}
    everywhere = set.intersection(*(set(pairs) for pairs in texts.values())) if texts else set()
    found: dict[str, list[str | None]] = {}
    for pairs in texts.values():
        for name, text in pairs.items():
            if name in everywhere:
                found.setdefault(name, []).append(text)
    whole = {name for name, given in found.items() if all(text is None or _is_integer(text) for text in given)}
    return {
        path: {
            name: int(text) if text is not None and name in whole else text
            for name, text in pairs.items()
            if name in found
        }
        for path, pairs in texts.items()
    }


def partition_infos(path: str, constants: Constants) -> dict[str, ColumnInfo]:
    """Their names and kinds."""
    kinds = {int: "int", str: "string", type(None): "null"}
    return {
        name: ColumnInfo(name, kinds[type(value)], path, nullable=value is None) for name, value in constants.items()
    }


def _is_integer(text: str) -> bool:
    return re.fullmatch(r"-?\d{1,18}", text, re.ASCII) is not None


def _pairs(path: str) -> Iterable[tuple[str, str | None]]:
    for segment in PurePath(path).parent.parts:
        if pair := _SEGMENT.fullmatch(segment):
            value = unquote(pair[2])
            yield one_form(unquote(pair[1])), None if value == _NOTHING else value
