"""Group-by and join of `icm bench`: rows are shared, their keys are as private as their values, and nothing is opened.

Both sort by key, which makes equal keys neighbours, and add up: a running total is linear, so it costs no round. How
many groups there are, or which rows match, decides about no size.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cluster.bench.workloads import Plain, Workload
from icm_ray.ops.compare import AtLeast
from icm_ray.ops.forms import Elementwise
from icm_ray.ops.linear import Add, AddPublic, AssumeWidth, Concatenate, Pad, Reshape, Scale, Slice, Subtract
from icm_ray.ops.products import Product
from icm_ray.ops.sorting import SortBy
from icm_ray.ops.values import ValueType
from icm_ray.program.build import Builder, Value

__all__ = ["groupby_100k", "join_100k"]

_ROWS = 100_000
_KEYS = 10_000
_LEFT, _RIGHT = 60_000, 40_000
_KEY = 31
"""Bits of a key: with 17 that tell equal ones apart, a sort has room for 46."""
_VALUE = 11
"""Bits of a value, which is below 1,000."""
_TOTAL = _VALUE + 17
"""Bits of a sum over all rows."""


class _Rows:
    """Columns (n,) of a program while it is written. Widths are promised where the bench knows them."""

    def __init__(self, builder: Builder) -> None:
        self.add = builder.add

    def table(self, *columns: Value) -> Value:
        """Columns side by side (n, columns)."""
        return self.add(Concatenate(axis=1), *(self.add(Reshape((one.type.count, 1)), one) for one in columns))

    def column(self, table: Value, place: int, width: int) -> Value:
        """One of a table's columns (n,)."""
        rows = table.type.shape[0]
        found = self.add(Slice(((0, rows, 1), (place, place + 1, 1))), table)
        return self.add(AssumeWidth(width), self.add(Reshape((rows,)), found))

    def before(self, x: Value, step: int = 1) -> Value:
        """What stands `step` rows before (n,); 0 where nothing does."""
        return self.add(Pad(((step, 0),)), self.add(Slice(((0, x.type.count - step, 1),)), x))

    def steps(self, x: Value) -> Value:
        """Differences of neighbours (n,), the first from 0."""
        return self.add(Subtract(), x, self.before(x))

    def running(self, x: Value, width: int) -> Value:
        """Sums of all values up to each (n,), of up to `width` bits: additions, each of twice as many rows."""
        step = 1
        while step < x.type.count:
            x = self.add(AssumeWidth(width), self.add(Add(), x, self.before(x, step)))
            step *= 2
        return x

    def ones(self, like: Value) -> Value:
        """1 in each row (n,)."""
        return self.add(AssumeWidth(2), self.add(AddPublic(1), self.add(Scale(0), like)))

    def inverse(self, bits: Value) -> Value:
        """1 - bit (n,)."""
        return self.add(AssumeWidth(2), self.add(AddPublic(1), self.add(Scale(-1), bits)))

    def above(self, x: Value, threshold: int) -> Value:
        """[x >= threshold] (n,)."""
        return self.add(AtLeast(threshold, x.type.width + 1), x)

    def kept(self, bits: Value, table: Value) -> Value:
        """The rows whose bit is set, zeros elsewhere."""
        product = self.add(Product(Elementwise()), self.add(Reshape((bits.type.count, 1)), bits), table)
        return self.add(AssumeWidth(table.type.width), product)


def _groups(builder: Builder, values: Mapping[str, Value]) -> Value:
    """Keys, sums and counts (n, 3) of all groups in the order of keys, then zeros.

    Sorted by key, the last row of a group is the one before another key. Sorted by that bit these come first, in order;
    what running totals grow by from one to the next is of its group.
    """
    rows = _Rows(builder)
    table = rows.add(SortBy(), values["key"], rows.table(values["key"], values["value"]))
    key = rows.column(table, 0, _KEY)
    total = rows.running(rows.column(table, 1, _VALUE), _TOTAL)
    place = rows.running(rows.ones(key), _TOTAL)
    after = rows.add(Slice(((1, _ROWS, 1),)), rows.steps(key))  # how much larger the next key is
    last = rows.add(Concatenate(), rows.above(after, 1), rows.add(Slice(((0, 1, 1),)), rows.ones(key)))
    ordered = rows.add(SortBy(), rows.inverse(last), rows.table(last, key, total, place))
    grown = [rows.add(AssumeWidth(_TOTAL), rows.steps(rows.column(ordered, at, _TOTAL))) for at in (2, 3)]
    return rows.kept(rows.column(ordered, 0, 2), rows.table(rows.column(ordered, 1, _KEY), *grown))


def _plain_groups(inputs: Mapping[str, Plain]) -> Plain:
    keys, places, counts = np.unique(inputs["key"], return_inverse=True, return_counts=True)
    found = np.zeros((_ROWS, 3))
    found[: keys.size] = np.column_stack([keys, np.bincount(places, inputs["value"]), counts])
    return found


def groupby_100k() -> Workload:
    """groupby_100k."""
    rng = np.random.default_rng(0)
    keys = rng.choice(2**30, _KEYS, replace=False)
    return Workload(
        "groupby_100k",
        "sum and count of 100,000 shared integers by a shared key with 10,000 values that nobody knows",
        {"key": rng.choice(keys, _ROWS).astype(np.float64), "value": rng.integers(0, 1000, _ROWS).astype(np.float64)},
        {"key": ValueType(shape=(_ROWS,), width=_KEY), "value": ValueType(shape=(_ROWS,), width=_VALUE)},
        _groups,
        _plain_groups,
    )


def _join(builder: Builder, values: Mapping[str, Value]) -> Value:
    """Keys, left and right values (n, 3) of left rows whose key is on the right, zeros elsewhere, in the order of keys.

    Right rows, sorted, bring by how much their key and value are above those of the row before. In both tables sorted
    together, a right row before left ones of its key, running totals of these are the latest right row: it is the
    match where it has the left row's key.
    """
    rows = _Rows(builder)
    key, value = values["right key"], values["right value"]
    right = rows.add(SortBy(), key, rows.table(key, value))
    key, value = rows.column(right, 0, _KEY), rows.column(right, 1, _VALUE)
    none = rows.add(Scale(0), key)
    brought = rows.table(rows.add(Scale(2), key), none, none, rows.steps(key), rows.steps(value))
    key, none = values["left key"], rows.add(Scale(0), values["left key"])
    order = rows.add(AddPublic(1), rows.add(Scale(2), key))
    table = rows.table(order, rows.ones(key), values["left value"], none, none)
    both = rows.add(Concatenate(), brought, table)
    both = rows.add(SortBy(), rows.column(both, 0, _KEY + 1), both)
    is_left = rows.column(both, 1, 2)
    double = rows.add(AssumeWidth(_KEY + 1), rows.add(Subtract(), rows.column(both, 0, _KEY + 1), is_left))
    latest = rows.running(rows.column(both, 3, _KEY + 1), _KEY)
    beyond = rows.add(AssumeWidth(_KEY + 1), rows.add(Subtract(), double, rows.add(Scale(2), latest)))
    match = rows.add(AssumeWidth(2), rows.add(Product(Elementwise()), is_left, rows.inverse(rows.above(beyond, 1))))
    met = rows.running(rows.column(both, 4, _VALUE + 1), _VALUE)
    return rows.kept(match, rows.table(latest, rows.column(both, 2, _VALUE), met))


def _plain_join(inputs: Mapping[str, Plain]) -> Plain:
    """The same: among left rows of one key the order is that of the left table, for sorts are stable."""
    order = np.argsort(inputs["right key"])
    keys, values = inputs["right key"][order], inputs["right value"][order]
    sides = np.concatenate([np.zeros(_RIGHT), np.ones(_LEFT)])
    every = np.concatenate([inputs["right key"], inputs["left key"]])
    brought = np.concatenate([np.zeros(_RIGHT), inputs["left value"]])
    place = np.lexsort((sides, every))
    latest = np.searchsorted(keys, every[place], side="right") - 1
    match = (sides[place] == 1) & (latest >= 0) & (keys[latest] == every[place])
    return np.where(match[:, None], np.column_stack([every[place], brought[place], values[latest]]), 0.0)


def join_100k() -> Workload:
    """join_100k."""
    rng = np.random.default_rng(0)
    keys = 1 + rng.choice(2**30 - 1, 3 * _RIGHT // 2, replace=False)
    inputs = {
        "left key": rng.choice(keys, _LEFT),
        "left value": rng.integers(0, 1000, _LEFT),
        "right key": keys[:_RIGHT],
        "right value": rng.integers(0, 1000, _RIGHT),
    }
    return Workload(
        "join_100k",
        "60,000 shared rows joined with 40,000 of other keys, each once, that two thirds of them have",
        {name: column.astype(np.float64) for name, column in inputs.items()},
        {
            name: ValueType(shape=column.shape, width=_KEY if "key" in name else _VALUE)
            for name, column in inputs.items()
        },
        _join,
        _plain_join,
    )
