"""Large operations cut into blocks of rows, so that what a worker holds at a time is bounded and stays in its caches.

A pure rewriting of typed steps, the same at every party, the dealer and outside owners: it depends on the program
alone. An operation whose working set is larger than what may be in flight is cut along its first axis, where it
computes row by row (ReLU, elementwise products, functions, products with a fixed weight, ...) or sums over rows
(counts, group sums, squares): those become the sum of their blocks'. Consecutive operations on the same rows are cut at
the same places, so that a block passes through all of them before the next one starts; a value is put together again
only for an operation that needs it whole. A maximum of one long row is first unrolled into its larger levels.

Blocks come out in the order of dealing: whole operations of a segment, then block after block. What is opened and dealt
for a row does not change (but for the last block's padding); rounds do, since blocks that do not fit in flight together
follow one another. Products of two shared matrices and the index of the largest in one long row stay whole.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import msgspec

from icm_ray.ops import compare, linear, products, sorting
from icm_ray.ops.catalogue import Long, Operation, row_of
from icm_ray.ops.products import Epilogue
from icm_ray.ops.sort_schedule import schedule
from icm_ray.ops.values import Kind, ValueType
from icm_ray.schedule import parallel_threshold
from icm_ray.schedule.steps import Step, cost_of, working_set

__all__ = ["in_blocks"]

_Sort = sorting.ArgSort | sorting.Sort | sorting.SortBy
_BITS = 512
"""Values in one block of bits: rows are cut at multiples of it, where rows are single values."""
_MOST_BLOCKS = 1 << 12
_COMPARISON = 110
"""Bytes that a party holds for each comparison of a batch of a sort."""
_FEWEST = 8 << 10
"""Comparisons of a sort that are always made at once."""


def _of_rows(op: Operation, inputs: Sequence[ValueType], out: ValueType, rows: int) -> Operation | None:
    """The operation on `rows` of its rows; None where a row of the result is not made of the same rows alone."""
    cut = row_of(op).cut
    if cut is None or any(kind.kind is not Kind.SHARE or not kind.shape for kind in (*inputs, out)):
        return None
    found: Operation | None = cut(op, inputs, rows) if all(kind.shape[0] == out.shape[0] for kind in inputs) else None
    return found


def _rows_of(kind: ValueType, rows: int) -> ValueType:
    return msgspec.structs.replace(kind, shape=(rows, *kind.shape[1:]))


def _axis(step: Step, kinds: Sequence[ValueType]) -> int:
    """How many rows the operation can be cut along; 0 where it cannot."""
    if row_of(step.op).sums_rows:
        fits = all(kind.kind is Kind.SHARE and kind.shape and kind.shape == kinds[0].shape for kind in kinds)
        return kinds[0].shape[0] if fits else 0
    return step.type.shape[0] if _of_rows(step.op, kinds, step.type, 1) is not None else 0


def in_blocks(
    parties: tuple[str, ...], steps: tuple[Step, ...], weights: Sequence[int], in_flight: int, threads: int = 1
) -> tuple[Step, ...]:
    """The same computation in steps whose working sets are at most `in_flight` bytes each, where they can be cut; and
    at most that of all `threads` together, where each is worth a thread. The very steps where none is cut.

    weights: the working set of each.
    """
    unrolled = steps
    if any(row_of(step.op).long is not Long.NONE for step in steps):
        unrolled = _unrolled(parties, steps, in_flight)
        weights = [_weight(parties, unrolled, step) for step in unrolled]
    sizes = _block_rows(unrolled, weights, in_flight, threads)
    return _Cutting(parties, unrolled, sizes).steps() if sizes else unrolled


def _kinds(steps: Sequence[Step], step: Step) -> list[ValueType]:
    return [steps[source].type for source in step.inputs]


def _weight(parties: tuple[str, ...], steps: Sequence[Step], step: Step) -> int:
    return working_set(step.op, cost_of(step.op, _kinds(steps, step), parties, step.type), step.type)


def _block_rows(steps: Sequence[Step], weights: Sequence[int], in_flight: int, threads: int) -> dict[int, int]:
    """Rows of a block, for every number of rows that has to be cut."""
    sizes: dict[int, int] = {}
    for step, weight in zip(steps, weights, strict=True):
        at_once = max(1, min(threads, min(weight, in_flight) // parallel_threshold.LEAST))
        if not weight or (weight <= in_flight and at_once == 1):
            continue
        kinds = _kinds(steps, step)
        rows = _axis(step, kinds)
        if rows < 2:
            continue
        elements = max(kind.count for kind in (*kinds, step.type)) // rows
        fit = max(min(rows, rows * in_flight // weight) // at_once, 1)
        whole = _BITS // math.gcd(_BITS, elements)  # rows whose values fill blocks of bits, where that is not too many
        whole = whole if elements == 1 or fit >= whole else 1
        fit = max(fit // whole, 1) * whole
        fit = max(fit, -(-rows // _MOST_BLOCKS))
        blocks = -(-rows // fit)
        even = -(-rows // (-(-blocks // at_once) * at_once))  # blocks alike, and work for all threads at the end, too
        sizes[rows] = min(sizes.get(rows, rows), -(-even // whole) * whole)
    return {rows: size for rows, size in sizes.items() if size < rows}


def _comparisons_at_once(count: int, in_flight: int) -> int:
    """How many comparisons a sort of `count` rows makes in one go; 0: a whole batch. Positions and keys take 47 bytes a
    row, a comparison 75 or so, which together stay below what is allowed where a row has one word.
    """
    most = max((size for stage in schedule(count) for size in stage.batches), default=0)
    if most * _COMPARISON <= in_flight:
        return 0
    return max(count // 5, _FEWEST) // _BITS * _BITS


def _unrolled(parties: tuple[str, ...], steps: tuple[Step, ...], in_flight: int) -> tuple[Step, ...]:
    """Sorts in goes; maxima of single rows that are too long for one go as levels of max(a, b) = b + ReLU(a - b)."""
    out: list[Step] = []
    at: list[int] = []

    def add(op: Operation, kind: ValueType, *inputs: int) -> int:
        out.append(Step(op, inputs, kind))
        return len(out) - 1

    for step in steps:
        inputs, op = tuple(at[source] for source in step.inputs), step.op
        how = row_of(op).long
        if how is Long.GOES and not (sort := cast(_Sort, op)).at_once:
            op = msgspec.structs.replace(sort, at_once=_comparisons_at_once(out[inputs[0]].type.count, in_flight))
        if how is Long.LEVELS and len(out[inputs[0]].type.shape) == 1:
            row, kind = inputs[0], out[inputs[0]].type
            relu = products.Relu(Epilogue(relu=True, width=cast(compare.Maximum, step.op).width))
            while kind.count > 2 and _weight(parties, out, Step(step.op, (row,), step.type)) > in_flight:
                pairs = kind.count // 2
                half, odd = _rows_of(kind, pairs), kind.count % 2
                apart = msgspec.structs.replace(half, width=kind.width + 1)
                a = add(linear.Slice(((0, pairs, 1),)), half, row)
                b = add(linear.Slice(((pairs, 2 * pairs, 1),)), half, row)
                larger = add(linear.Add(), half, b, add(relu, apart, add(linear.Subtract(), apart, a, b)))
                if odd:
                    last = add(linear.Slice(((2 * pairs, kind.count, 1),)), _rows_of(kind, 1), row)
                    larger = add(linear.Concatenate(), _rows_of(kind, pairs + 1), larger, last)
                row, kind = larger, _rows_of(kind, pairs + odd)
            inputs = (row,)
        at.append(add(op, step.type, *inputs))
    return tuple(out)


@dataclass(frozen=True, slots=True)
class _Piece:
    """A step to be, named by its place in the order of making; `segment`, `block` (-1: whole) order the dealing."""

    segment: int
    block: int
    step: Step


class _Cutting:
    """Makes the pieces; every value is there whole, or in blocks, or both, as whoever takes it needs it."""

    def __init__(self, parties: tuple[str, ...], steps: Sequence[Step], sizes: dict[int, int]) -> None:
        self._parties, self._given, self._sizes = parties, steps, sizes
        self._pieces: list[_Piece] = []
        self._whole: dict[int, int] = {}
        self._blocks: dict[int, list[int]] = {}

    def steps(self) -> tuple[Step, ...]:
        for index, step in enumerate(self._given):
            rows = _axis(step, _kinds(self._given, step))
            heavy = rows in self._sizes and _weight(self._parties, self._given, step) > 0
            following = rows in self._sizes and any(source in self._blocks for source in step.inputs)
            if not (heavy or following):
                self._whole[index] = self._add_whole(step.op, step.type, [self._take(source) for source in step.inputs])
            elif row_of(step.op).sums_rows:
                self._whole[index] = self._sum(step, self._cut(step, rows))
            else:
                self._blocks[index] = self._cut(step, rows)
        order = sorted(range(len(self._pieces)), key=lambda at: (self._pieces[at].segment, self._pieces[at].block, at))
        place = {piece: number for number, piece in enumerate(order)}
        steps = [self._pieces[at].step for at in order]
        return tuple(Step(step.op, tuple(place[source] for source in step.inputs), step.type) for step in steps)

    def _add(self, segment: int, block: int, op: Operation, kind: ValueType, inputs: Sequence[int]) -> int:
        self._pieces.append(_Piece(segment, block, Step(op, tuple(inputs), kind)))
        return len(self._pieces) - 1

    def _add_whole(self, op: Operation, kind: ValueType, inputs: Sequence[int]) -> int:
        """After every block that it takes."""
        taken = [self._pieces[source] for source in inputs]
        segment = max((piece.segment + (piece.block >= 0) for piece in taken), default=0)
        return self._add(segment, -1, op, kind, inputs)

    def _take(self, value: int) -> int:
        if value not in self._whole:
            self._whole[value] = self._add_whole(linear.Concatenate(), self._given[value].type, self._blocks[value])
        return self._whole[value]

    def _ranges(self, rows: int) -> list[tuple[int, int]]:
        size = self._sizes[rows]
        return [(start, min(start + size, rows)) for start in range(0, rows, size)]

    def _cut(self, step: Step, rows: int) -> list[int]:
        """One piece for each block of rows."""
        made: list[int] = []
        for block, (start, stop) in enumerate(self._ranges(rows)):
            inputs = [self._block_of(source, block, start, stop) for source in step.inputs]
            kinds = [self._pieces[source].step.type for source in inputs]
            segment = max(self._pieces[source].segment for source in inputs)
            op = _of_rows(step.op, _kinds(self._given, step), step.type, stop - start)
            if op is None:  # one over rows
                made.append(self._add(segment, block, step.op, step.op.infer(*kinds), inputs))
            else:
                made.append(self._add(segment, block, op, _rows_of(step.type, stop - start), inputs))
        return made

    def _block_of(self, value: int, block: int, start: int, stop: int) -> int:
        if value in self._blocks:
            return self._blocks[value][block]
        whole, kind = self._whole[value], self._given[value].type
        axes = ((start, stop, 1), *((0, size, 1) for size in kind.shape[1:]))
        return self._add(self._pieces[whole].segment, block, linear.Slice(axes), _rows_of(kind, stop - start), [whole])

    def _sum(self, step: Step, parts: Sequence[int]) -> int:
        total = parts[0]
        for part in parts[1:]:
            total = self._add_whole(linear.Add(), step.type, [total, part])
        return total
