"""What a question answers as one table, for a recipient who did not ask it: names and kinds follow from the question.

Numbers of whole row sets are one row with a column for each. Numbers of groups are a row for each group that has rows,
the keys first. A histogram is a row for each bin, a list of values a row for each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Final, Literal

import numpy as np

from icm_ray.errors import InputError
from icm_ray.query.expressions.tree import EVERY_ROW, Of
from icm_ray.query.expressions.words import words
from icm_ray.query.merge import MergedRows
from icm_ray.query.question import Asked, Question
from icm_ray.query.result_units import Unit, number_of, ticks_in, unit_of_result
from icm_ray.query.rows import Rows, column_of
from icm_ray.query.statistics.catalogue import Statistic
from icm_ray.query.statistics.count import Count
from icm_ray.query.statistics.distinct import Distinct
from icm_ray.query.statistics.group_keys import GroupKeys
from icm_ray.query.statistics.histogram import Histogram
from icm_ray.query.statistics.mean import Mean
from icm_ray.query.statistics.minmax import MinMax
from icm_ray.query.statistics.most import Most
from icm_ray.query.statistics.quantile import Quantile
from icm_ray.query.statistics.sum import Sum
from icm_ray.query.statistics.variance import Variance
from icm_ray.query.withheld import MaskedCounts, Withheld

__all__ = ["ResultColumn", "ResultTable", "asked_in_words", "check_deliverable", "result_table"]

_Form = Literal["number", "groups", "bins", "values"]
_LONGEST: Final = 200
"""Letters of a column's name."""
_PLAIN: Final = Unit("number")


@dataclass(frozen=True, slots=True)
class ResultColumn:
    """values: Python's own; None for what is withheld. unit: what they stand for."""

    name: str
    values: Sequence[Any]
    unit: Unit = _PLAIN


@dataclass(frozen=True, slots=True)
class ResultTable:
    """columns: of one length, the first `keys` of them those of groups. withheld: reasons, each once."""

    columns: tuple[ResultColumn, ...]
    keys: int = 0
    withheld: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """How many."""
        return len(self.columns[0].values) if self.columns else 0


def check_deliverable(asked: Asked) -> None:
    """Refuse a question whose result cannot be handed to somebody else than who asks, for what it is.

    Errors: `InputError`: it is found in several questions, of which the asker hears each answer; its results are of
    several forms.
    """
    if not isinstance(asked.what, Question):
        return
    forms: list[tuple[_Form, str, int]] = []
    for statistic in asked.what.statistics:
        rows = asked.rows(statistic.dataset)
        if statistic.all_learn and not rows.shared:
            raise _refusal(statistic, "it is found step by step, and the asker learns each: .share() the rows first")
        form = _form(statistic, rows)
        forms.append((form, rows.name if form == "groups" else "", 0 if form in {"number", "groups"} else len(forms)))
    if len(set(forms)) > 1:
        raise _refusal(asked.what.statistics[0], "results of several forms, or of other groups, go one by one")


def _refusal(statistic: Statistic, reason: str) -> InputError:
    return InputError(f"{statistic.title} cannot be handed to another organisation: {reason}")


def _form(statistic: Statistic, rows: Rows) -> _Form:
    if isinstance(statistic, Histogram):
        return "bins"
    if isinstance(statistic, Distinct):
        return "values" if statistic.modes else "number"
    if rows.groups:
        return "groups"
    return "values" if isinstance(statistic, Most) else "number"


def _private_keys(rows: Rows) -> tuple[Of, ...]:
    """Of merged rows those of their groups, and not of the merge."""
    private = rows.merge.private if isinstance(rows, MergedRows) else rows.private
    return () if private is None else tuple(key.of for key in private.keys)


def asked_in_words(asked: Asked) -> str:
    """What is asked, in one line: statistics, groups, conditions, and how many rows of whom."""
    if not isinstance(asked.what, Question):
        return ""
    by_rows: dict[str, list[str]] = {}
    for statistic in asked.what.statistics:
        if not isinstance(statistic, GroupKeys):
            by_rows.setdefault(statistic.dataset, []).append(_title(statistic))
    told = []
    for name, titles in by_rows.items():
        rows = asked.rows(name)
        by = ", ".join(words(of) for of in (*(key.of for key in rows.by), *_private_keys(rows)))
        of = " and ".join(f"{count} rows of {owner}" for owner, count in rows.owners.items())
        told.append(f"{', '.join(dict.fromkeys(titles))}{f' by {by}' if by else ''}{_where(rows)}, of {of}")
    return "; ".join(told)


def _where(rows: Rows) -> str:
    where = rows.merge.where if isinstance(rows, MergedRows) else rows.where
    return "" if where is None else f" where {words(where)}"


def _title(statistic: Statistic) -> str:
    counts_rows = isinstance(statistic, Count) and statistic.column == EVERY_ROW
    return "number of rows" if counts_rows else statistic.title


def result_table(asked: Asked, results: Sequence[Any]) -> ResultTable:
    """The results of a question that `check_deliverable` lets pass, in the order of its statistics."""
    if not isinstance(asked.what, Question):
        return ResultTable(())
    statistics = asked.what.statistics
    rows = asked.rows(statistics[0].dataset)
    form = _form(statistics[0], rows)
    if form == "groups":
        found, keys = _of_groups(statistics, rows, results)
    elif form == "bins":
        found, keys = _of_bins(results[0]), 0
    elif form == "values":
        found, keys = [_found(statistics[0], rows, _listed(statistics[0], rows, results[0]))], 0
    else:
        found, keys = [_number(asked, *pair) for pair in zip(statistics, results, strict=True)], 0
    values = [value for column in found for value in column.values]
    reasons = dict.fromkeys(value.reason for value in values if isinstance(value, Withheld))
    names = _each_once([column.name for column in found])
    columns = tuple(replace(column, name=name, values=_bare(column)) for column, name in zip(found, names, strict=True))
    return ResultTable(columns, keys, tuple(reasons))


def _bare(column: ResultColumn) -> tuple[Any, ...]:
    return tuple(None if isinstance(value, Withheld) else value for value in column.values)


def _number(asked: Asked, statistic: Statistic, result: Any) -> ResultColumn:
    rows = asked.rows(statistic.dataset)
    _, answer = statistic.follow(result, rows)
    column = _found(statistic, rows, [answer])
    return replace(column, name=f"{column.name}{_where(rows)}")


_WORDS: Final[dict[type[Any], str]] = {Quantile: "median", Most: "min", Distinct: "min"}
_IN_UNITS: Final = (Sum, Mean, MinMax, Variance, Quantile, Most)


def _each_once(names: Sequence[str]) -> list[str]:
    """Names of columns, those that are there already, or too long, told apart by a number."""
    found: list[str] = []
    for name in names:
        short, number = name[:_LONGEST], 1
        while (tried := short if number == 1 else f"{short} ({number})") in found:
            number += 1
        found.append(tried)
    return found


def _listed(statistic: Statistic, rows: Rows, result: Any) -> list[Any]:
    _, answer = statistic.follow(result, rows)
    return [answer] if isinstance(answer, Withheld) else [_plain(value) for value in answer]


def _of_bins(result: Any) -> list[ResultColumn]:
    """Of (counts, edges)."""
    if isinstance(result, Withheld):
        return [ResultColumn("count", [result])]
    counts, edges = result
    hidden = counts.withheld if isinstance(counts, MaskedCounts) else {}
    shown = [
        Withheld(hidden[place]) if place in hidden else int(count) for place, count in enumerate(np.ma.getdata(counts))
    ]
    ends = [_plain(edge) for edge in edges]
    return [ResultColumn("from", ends[:-1]), ResultColumn("to", ends[1:]), ResultColumn("count", shown)]


def _of_groups(statistics: Sequence[Statistic], rows: Rows, results: Sequence[Any]) -> tuple[list[ResultColumn], int]:
    """Columns, and how many of them are keys."""
    pairs = [(one, [_plain(value) for value in result]) for one, result in zip(statistics, results, strict=True)]
    keys = [_keyed(one.column, rows, values) for one, values in pairs if isinstance(one, GroupKeys)]
    if keys:
        there = [place for place, key in enumerate(keys[0].values) if key is not None]
        there.sort(key=lambda place: tuple(key.values[place] for key in keys))
    else:
        labels = [_labels(key.domain, key.edges) for key in rows.by]
        codes = np.unravel_index(np.arange(rows.groups), [len(of_key) for of_key in labels])
        keys = [
            _keyed(key.of, rows, [of_key[code] for code in places.tolist()])
            for key, of_key, places in zip(rows.by, labels, codes, strict=True)
        ]
        counts = [values for one, values in pairs if isinstance(one, Count) and one.column == EVERY_ROW]
        noise = rows.policy is not None and rows.policy.noise is not None  # nobody knows then which groups have rows
        there = [place for place in range(rows.groups) if noise or not counts or counts[0][place] != 0]
    others = [_found(one, rows, values) for one, values in pairs if not isinstance(one, GroupKeys)]
    chosen = [replace(column, values=[column.values[place] for place in there]) for column in (*keys, *others)]
    return chosen, len(keys)


def _keyed(of: Of, rows: Rows, values: Sequence[Any]) -> ResultColumn:
    return _in_units(words(of), of, "min", rows, values)


def _labels(domain: Sequence[Any], edges: Sequence[int | float]) -> list[Any]:
    """Of the values of a key, or of bins: all but the last are open at their end."""
    if not edges:
        return list(domain)
    bins = list(pairwise(edges))
    return [f"[{low}, {high}{']' if place == len(bins) - 1 else ')'}" for place, (low, high) in enumerate(bins)]


def _found(statistic: Statistic, rows: Rows, values: Sequence[Any]) -> ResultColumn:
    """What a statistic has found, in the units of its column; the least and the largest of booleans are booleans."""
    plain, title = [_plain(value) for value in values], _title(statistic)
    word = _WORDS.get(type(statistic), "") or statistic.operation
    if isinstance(statistic, _IN_UNITS) or (isinstance(statistic, Distinct) and statistic.modes):
        return _in_units(title, statistic.column, word, rows, plain)
    return ResultColumn(title, plain)


def _in_units(name: str, of: Of, word: str, rows: Rows, values: Sequence[Any]) -> ResultColumn:
    """word: what was found of the column, as `unit_of_result` takes it."""
    counted = ticks_in(of, rows)
    if counted is not None:
        told = [
            value
            if value is None or isinstance(value, Withheld)
            else number_of(counted.ticks.of_result(value, word), counted.unit, word)
            for value in values
        ]
        return ResultColumn(name, told, unit_of_result(counted.unit, word))
    if word in {"min", "max"} and column_of(rows, of).kind == "bool":
        values = [bool(value) if type(value) is int else value for value in values]
    return ResultColumn(name, values)


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
