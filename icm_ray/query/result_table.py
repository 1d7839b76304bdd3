"""What a question answers as one table, for a recipient who did not ask it: names and kinds follow from the question.

Numbers of whole row sets are one row with a column for each. Numbers of groups are a row for each group that has rows,
the keys first. A histogram is a row for each bin, a list of values a row for each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, Literal

import numpy as np

from icm_ray.errors import InputError
from icm_ray.query.expressions.tree import EVERY_ROW, Apply, Of, nodes_of
from icm_ray.query.expressions.words import words
from icm_ray.query.merge import MergedRows
from icm_ray.query.question import Asked, Question
from icm_ray.query.rows import Rows, column_of
from icm_ray.query.statistics.catalogue import Statistic
from icm_ray.query.statistics.count import Count
from icm_ray.query.statistics.distinct import Distinct
from icm_ray.query.statistics.group_keys import GroupKeys
from icm_ray.query.statistics.histogram import Histogram
from icm_ray.query.statistics.minmax import MinMax
from icm_ray.query.statistics.most import Most
from icm_ray.query.withheld import MaskedCounts, Withheld

__all__ = ["ResultColumn", "ResultTable", "asked_in_words", "check_deliverable", "result_table"]

_Form = Literal["number", "groups", "bins", "values"]
_LONGEST: Final = 200
"""Letters of a column's name."""


@dataclass(frozen=True, slots=True)
class ResultColumn:
    """values: Python's own; None for what is withheld."""

    name: str
    values: tuple[Any, ...]


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
    several forms; of dates, times, durations or decimals.
    """
    if not isinstance(asked.what, Question):
        return
    forms: list[tuple[_Form, str, int]] = []
    for statistic in asked.what.statistics:
        rows = asked.rows(statistic.dataset)
        if statistic.all_learn and not rows.shared:
            raise _refusal(statistic, "it is found step by step, and the asker learns each: .share() the rows first")
        for of in (statistic.column, *_keys(rows)):
            if _in_ticks(of):
                raise _refusal(statistic, f"{words(of)}: dates, times, durations and decimals stay with the asker yet")
        form = _form(statistic, rows)
        forms.append((form, rows.name if form == "groups" else "", 0 if form in {"number", "groups"} else len(forms)))
    if len(set(forms)) > 1:
        raise _refusal(asked.what.statistics[0], "results of several forms, or of other groups, go one by one")


def _refusal(statistic: Statistic, reason: str) -> InputError:
    return InputError(f"{statistic.title} cannot be handed to another organisation: {reason}")


def _in_ticks(of: Of) -> bool:
    last = nodes_of(of)[-1] if not isinstance(of, str) else None
    return isinstance(last, Apply) and last.function == "ticks"


def _form(statistic: Statistic, rows: Rows) -> _Form:
    if isinstance(statistic, Histogram):
        return "bins"
    if isinstance(statistic, Distinct):
        return "values" if statistic.modes else "number"
    if rows.groups:
        return "groups"
    return "values" if isinstance(statistic, Most) else "number"


def _keys(rows: Rows) -> tuple[Of, ...]:
    if rows.private is not None:
        return tuple(key.of for key in rows.private.keys)
    return tuple(key.of for key in rows.by)


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
        found, keys = [(_title(statistics[0]), _listed(statistics[0], rows, results[0]))], 0
    else:
        found, keys = [_number(asked, *pair) for pair in zip(statistics, results, strict=True)], 0
    reasons = dict.fromkeys(value.reason for _, values in found for value in values if isinstance(value, Withheld))
    columns = [tuple(None if isinstance(value, Withheld) else value for value in values) for _, values in found]
    names = _each_once([name for name, _ in found])
    return ResultTable(
        tuple(ResultColumn(name, values) for name, values in zip(names, columns, strict=True)), keys, tuple(reasons)
    )


def _number(asked: Asked, statistic: Statistic, result: Any) -> tuple[str, list[Any]]:
    rows = asked.rows(statistic.dataset)
    _, answer = statistic.follow(result, rows)
    return f"{_title(statistic)}{_where(rows)}", _as_kind(statistic, rows, [answer])


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


def _of_bins(result: Any) -> list[tuple[str, list[Any]]]:
    """Of (counts, edges)."""
    if isinstance(result, Withheld):
        return [("count", [result])]
    counts, edges = result
    hidden = counts.withheld if isinstance(counts, MaskedCounts) else {}
    shown = [
        Withheld(hidden[place]) if place in hidden else int(count) for place, count in enumerate(np.ma.getdata(counts))
    ]
    ends = [_plain(edge) for edge in edges]
    return [("from", ends[:-1]), ("to", ends[1:]), ("count", shown)]


def _of_groups(
    statistics: Sequence[Statistic], rows: Rows, results: Sequence[Any]
) -> tuple[list[tuple[str, list[Any]]], int]:
    """Columns, and how many of them are keys."""
    listed = [[_plain(value) for value in result] for result in results]
    pairs = list(zip(statistics, listed, strict=True))
    keys = [(words(one.column), values) for one, values in pairs if isinstance(one, GroupKeys)]
    noise = rows.policy is not None and rows.policy.noise is not None
    if keys:
        there = [place for place, key in enumerate(keys[0][1]) if key is not None]
        there.sort(key=lambda place: tuple(values[place] for _, values in keys))
    else:
        sizes = [_labels(key.domain, key.edges) for key in rows.by]
        codes = np.unravel_index(np.arange(rows.groups), [len(labels) for labels in sizes]) if sizes else ()
        keys = [
            (words(key.of), [labels[code] for code in places.tolist()])
            for key, labels, places in zip(rows.by, sizes, codes, strict=True)
        ]
        counts = [values for one, values in pairs if isinstance(one, Count) and one.column == EVERY_ROW]
        everywhere = noise or not counts
        there = [place for place in range(rows.groups) if everywhere or counts[0][place] != 0]
    others = [(_title(one), _as_kind(one, rows, values)) for one, values in pairs if not isinstance(one, GroupKeys)]
    return [(name, [values[place] for place in there]) for name, values in (*keys, *others)], len(keys)


def _labels(domain: Sequence[Any], edges: Sequence[int | float]) -> list[Any]:
    """Of the values of a key, or of bins: all but the last are open at their end."""
    if not edges:
        return list(domain)
    bins = list(pairwise(edges))
    return [f"[{low}, {high}{']' if place == len(bins) - 1 else ')'}" for place, (low, high) in enumerate(bins)]


def _as_kind(statistic: Statistic, rows: Rows, values: Sequence[Any]) -> list[Any]:
    """The least and the largest of booleans are booleans."""
    plain = [_plain(value) for value in values]
    if not isinstance(statistic, MinMax) or column_of(rows, statistic.column).kind != "bool":
        return plain
    return [bool(value) if type(value) is int else value for value in plain]


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
