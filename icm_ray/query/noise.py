"""Noise is added to what is opened of counts and sums, on shares: every party brings its own, and nobody knows the sum.

What is opened of a number y is b (y + n_1 + .. + n_P), n_p drawn by party p alone and b the bit that it may be shown,
which is of the exact counts. Each n_p has the whole scale of the policy: whoever knows all but one of them still sees
y behind noise of that scale.
A party draws once for each number: what it brings is a function of a secret that it keeps beside its ledger and of the
number's name, so that the same number in another question, or for somebody else, has the same noise, and asking again
averages nothing away. The name says rows, groups or bins, and column; numbers that are alike by their names alone
(`age >= 65`, `age > 64`) are two, and count as two of the policy's `row_sets`; so do counts of two columns that may
lack values, for they may lack other rows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from typing import Any, Final

import msgspec

from icm_ray.errors import BoundError, ProgramError
from icm_ray.ops.linear import Add
from icm_ray.ops.values import ValueType
from icm_ray.policy import Noise, Policy
from icm_ray.program.build import Value
from icm_ray.program.derived_name import derived_name
from icm_ray.query.cell_keys import RecordKeys, deviation_of_keys, noise_of_keys, sums_of_keys
from icm_ray.query.clipped import change_of_a_row
from icm_ray.query.expressions.tree import EVERY_ROW, Of
from icm_ray.query.lane_build import LaneBuild
from icm_ray.query.opened import Known
from icm_ray.query.partials import Taken
from icm_ray.query.row_set import RowSet
from icm_ray.query.rows import Rows, cells, column_of, public_count
from icm_ray.query.secret_rows import SecretRows
from icm_ray.query.selection import SelectedRows
from icm_ray.query.small_cells import GUARD, times
from icm_ray.query.statistics.catalogue import Statistic
from icm_ray.query.statistics.count import Count
from icm_ray.query.statistics.histogram import Histogram
from icm_ray.query.statistics.mean import Mean
from icm_ray.query.statistics.sum import Sum
from icm_ray.query.tasks import GroupKey, NoiseDraw
from icm_ray.ring.wide import GRID

__all__ = ["deviations", "draws_of_counts", "keys_behind", "not_noised", "with_noise"]

_COUNTS: Final = ("count", "counts")
_SUM: Final = "sum"
_MOST_CELLS: Final = 1 << 16
_MOST_CELLS_OF_KEYS: Final = 1 << 12
_SPREADS: Final = 64
"""Scales beyond which nothing is drawn: a chance of e^-64."""


def not_noised(statistic: Statistic, rows: Rows) -> str | None:
    """Why a statistic is refused where parties add noise; None where it is not, or they add none."""
    policy = rows.policy
    if policy is None or policy.noise is None:
        return None
    most = _MOST_CELLS_OF_KEYS if policy.noise.kind == "cell_key" else _MOST_CELLS
    size = len(statistic.edges) - 1 if isinstance(statistic, Histogram) else cells(rows)
    if size > most:
        return f"the policy adds noise, to {most} numbers at most, and these are {size}"
    if policy.noise.kind == "cell_key" and (rows.shared or not isinstance(statistic, Count | Histogram)):
        what = "rows that owners hold" if rows.shared else "counts and histograms"
        return f"the policy gives noise to {what} alone, by keys of the rows behind them"
    if rows.private is not None:
        return "the policy adds noise, which private groups do not have: state domain="
    if not isinstance(statistic, Count | Sum | Mean | Histogram):
        instead = "ask for counts, sums, means and histograms"
        return f"the policy adds noise, and there is none for {statistic.operation}: {instead}"
    plain = isinstance(statistic.column, str) or statistic.column == EVERY_ROW
    if isinstance(statistic, Count) and not plain:
        return "the policy adds noise, once to each count: count plain columns of rows that a condition chooses"
    if isinstance(statistic, Sum | Mean) and change_of_a_row(statistic.column, rows) is None:
        return (
            "the policy adds noise as its bounds say, and it has none here; sums and means are of columns that it "
            f"bounds ({', '.join(name for name, *_ in policy.noise.bounds) or 'none'}), as they are, or of conditions"
        )
    return None


def keys_behind(statistic: Statistic, rows: Rows) -> tuple[RecordKeys, ...]:
    """What noise is looked up by, where it is of cell keys."""
    if rows.policy is None or not _of_keys(rows):
        return ()
    if isinstance(statistic, Histogram):
        return (RecordKeys(statistic.column, rows.policy.name, (GroupKey(statistic.column, edges=statistic.edges),)),)
    counted = isinstance(statistic, Count) and not public_count(rows, statistic.column)
    return (RecordKeys(statistic.column, rows.policy.name),) if counted else ()


def _of_keys(rows: Rows) -> bool:
    return rows.policy is not None and rows.policy.noise is not None and rows.policy.noise.kind == "cell_key"


def with_noise(
    build: LaneBuild, statistic: Statistic, rows: Rows, values: Mapping[str, Taken], keys: Value | None
) -> Mapping[str, Taken]:
    """What is opened of a statistic, once it has its noise. values: shown or zero, and the bits. keys: sums of those
    behind each, where noise is of cell keys.
    """
    if rows.policy is None or rows.policy.noise is None:
        return values
    bits = values.get(GUARD, values.get("shown"))
    made: dict[str, Taken] = {}
    for word, value in values.items():
        change = _change(statistic, rows, word)
        if isinstance(value, Known) or change is None:
            made[word] = value
            continue
        if keys is not None:
            noise = noise_of_keys(build.builder, keys, sums_of_keys(rows), rows.policy.noise.scale)
        else:
            noise = _of_all(build, rows.policy.noise, change, _draw(statistic, rows, word), rows.source, value.type)
        shown = bits if isinstance(bits, Value) else None
        made[word] = build.builder.add(Add(), value, noise if shown is None else times(build.builder, shown, noise))
    return made


def deviations(statistic: Statistic, rows: Rows, parties: int) -> tuple[tuple[str, float], ...]:
    """Standard deviations of the noise of so many parties: of the count, of the sum; nothing where there is none."""
    if rows.policy is None or rows.policy.noise is None:
        return ()
    words = {Count: ("count",), Sum: (_SUM,), Mean: ("count", _SUM), Histogram: ("counts",)}.get(type(statistic), ())
    found = []
    for word in words:
        if word == "count" and public_count(rows, statistic.column):
            continue
        if _of_keys(rows):
            found.append(("count", deviation_of_keys(rows.policy.noise.scale)))
        elif (change := _change(statistic, rows, word)) is not None:
            found.append((word.removesuffix("s"), math.sqrt(parties) * _deviation(rows.policy.noise, change)))
    return tuple(found)


def _deviation(noise: Noise, change: float) -> float:
    scale = noise.scale * change
    if noise.kind == "gaussian":
        return scale  # that of the discrete one is smaller
    if change != 1.0:
        return math.sqrt(2) * scale
    decay = math.exp(-1 / scale)
    return math.sqrt(2 * decay) / (1 - decay)


def _change(statistic: Statistic, rows: Rows, word: str) -> float | None:
    """By how much one row can change what is opened under a word; None: nothing that noise is added to."""
    if word in _COUNTS:
        return 1.0
    return change_of_a_row(statistic.column, rows) if word == _SUM else None


def draws_of_counts(policy: Policy) -> bool:
    """Whether the number of values of each column that may lack some has a draw of its own: where several columns lack
    the same rows these are draws of one number.
    """
    return policy.noise is not None and policy.noise.kind != "cell_key"


def _draw(statistic: Statistic, rows: Rows, word: str) -> tuple[str, int]:
    """The name of a number, and of what its noise is a multiple: 2^-1074 of sums of doubles, else 1."""
    base = rows.base if isinstance(rows, SelectedRows) else rows
    space = base.space if isinstance(base, SecretRows) else ""
    info = column_of(rows, statistic.column)
    if isinstance(statistic, Histogram):
        return _name(RowSet(rows.where, rows.by, statistic.column, statistic.edges, (), space)), 0
    of = None if word != _SUM and not info.nullable else statistic.column  # what lacks nothing has as many as rows
    unit = GRID if word == _SUM and info.kind == "float" else 0
    return _name(RowSet(rows.where, rows.by, space=space), of, word == _SUM), unit


def _name(*parts: RowSet | Of | bool | None) -> str:
    """Of a number: the same for edges, groups and numbers in conditions that are equal, 40 and 40.0, for ledgers take
    these for one.
    """
    return derived_name("noise", *(_spelled(msgspec.to_builtins(part)) for part in parts))


def _spelled(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _spelled(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_spelled(part) for part in value]
    whole = isinstance(value, bool) or (isinstance(value, float) and value.is_integer())
    return int(value) if whole and -(1 << 63) <= value < 1 << 64 else value


def _of_all(
    build: LaneBuild, noise: Noise, change: float, draw: tuple[str, int], source: str, kind: ValueType
) -> Value:
    """The sum of what the parties draw, once for each number of a program."""
    number, unit = draw
    if noise.kind == "cell_key":
        raise ProgramError("noise of cell keys is drawn by nobody")
    key = ("noise", number, kind.kind, kind.f, kind.limbs, kind.shape)
    if key not in build.memo:
        width = math.ceil(Fraction(noise.scale) * Fraction(change) * _SPREADS * Fraction(2) ** kind.f).bit_length() + 2
        own = ValueType(kind=kind.kind, shape=kind.shape, f=kind.f, width=width, limbs=kind.limbs)
        task = NoiseDraw(source, number, noise.kind, noise.scale, change, unit, kind.count, kind.f, kind.limbs, width)
        try:
            drawn = [build.bring(party, "noise", task, own, ()) for party in build.builder.parties]
            total = drawn[0]
            for other in drawn[1:]:
                total = build.builder.add(Add(), total, other)
        except BoundError as error:
            raise BoundError(f"noise of scale {noise.scale * change:g} does not fit: {error}") from None
        build.memo[key] = total
    found: Value = build.memo[key]
    return found
