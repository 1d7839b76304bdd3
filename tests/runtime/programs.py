"""Small programs for every runner, and what they should give."""

import numpy as np
import pyarrow as pa

from icm_ray.ops.compare import AtLeast, CheckFlag, Maximum
from icm_ray.ops.labels import Label
from icm_ray.ops.linear import Add, Input, Load, Reveal, Scale, Store, Sum
from icm_ray.ops.values import Kind, ValueType
from icm_ray.program.build import Builder
from icm_ray.program.program import Program
from icm_ray.ring.wide import GRID, LIMBS_OF_DOUBLES

F = 16


def column(rows: int, width: int = 40) -> ValueType:
    return ValueType(shape=(rows,), f=F, width=width)


def ring(values) -> np.ndarray:
    return np.rint(np.ldexp(np.asarray(values, np.float64), F)).astype(np.int64).view(np.uint64)


def plain(words: np.ndarray, f: int = F) -> np.ndarray:
    return np.ldexp(words.view(np.int64).astype(np.float64), -f)


def behind(owner: str, rows: int) -> tuple[Label, ...]:
    return (Label("visits", owner, ((0, rows),)),)


def pooled_sum(engine, to: str, rows: int, brought_by: tuple[str, str]) -> Program:
    """The sum over both owners' rows."""
    owners = tuple(name for name in {*brought_by, to} if name in engine.owners)
    builder = Builder(engine.parties, owners)
    parts = [builder.add(Input(owner, f"from {owner}", column(rows), behind(owner, rows))) for owner in brought_by]
    builder.add(Reveal(to, "total"), builder.add(Sum(), builder.add(Add(), *parts)))
    return builder.build()


def pooled_mean(engine, to: str, rows: int) -> Program:
    """The sum times 1 / rows, as a public constant with 20 fractional bits more."""
    builder = Builder(engine.parties)
    parts = [builder.add(Input(owner, f"from {owner}", column(rows, 30))) for owner in engine.parties[:2]]
    total = builder.add(Sum(), builder.add(Add(), *parts))
    builder.add(Reveal(to, "mean"), builder.add(Scale(round(2**20 / (2 * rows)), 20), total))
    return builder.build()


def wide_sum(engine, to: str, owners: tuple[str, ...]) -> Program:
    """The sum of what owners have summed up themselves: wide numbers, exact sums of doubles."""
    builder = Builder(engine.parties, tuple(name for name in owners if name in engine.owners))
    kind = ValueType(kind=Kind.WIDE, shape=(1,), f=GRID, width=1200, limbs=LIMBS_OF_DOUBLES)
    total = builder.add(Input(owners[0], "part 0", kind))
    for index, owner in enumerate(owners[1:], start=1):
        total = builder.add(Add(), total, builder.add(Input(owner, f"part {index}", kind)))
    builder.add(Reveal(to, "total"), total)
    return builder.build()


def kept(engine, owner: str, key: str, rows: int, labels: tuple[Label, ...] = ()) -> Program:
    """Share a column and keep it."""
    builder = Builder(engine.parties, (owner,) if owner in engine.owners else ())
    builder.add(Store(key), builder.add(Input(owner, "column", column(rows), labels)))
    return builder.build()


def sum_of_kept(engine, key: str, rows: int, to: str, labels: tuple[Label, ...] = ()) -> Program:
    builder = Builder(engine.parties, (to,) if to in engine.owners else ())
    builder.add(Reveal(to, "total"), builder.add(Sum(), builder.add(Load(key, column(rows), labels))))
    return builder.build()


def guarded(engine, to: str) -> Program:
    """A value behind a flag that its owner brings."""
    builder = Builder(engine.parties)
    value = builder.add(Input(engine.parties[0], "value", column(1)))
    flag = builder.add(Input(engine.parties[0], "flag", ValueType(shape=(1,), width=2)))
    held = builder.add(CheckFlag("the flag"), value, flag)
    builder.add(Reveal(to, "value"), builder.add(Add(), held, builder.add(Maximum(), _pair(builder, value))))
    return builder.build()


def _pair(builder: Builder, value):
    from icm_ray.ops.linear import Concatenate

    return builder.add(Concatenate(), value, value)


def compared(engine, rows: int, to: str, times: int = 1) -> Program:
    """Comparisons, one after the other: rounds, corrections, work for every member."""
    builder = Builder(engine.parties, engine.owners)
    owner = (engine.parties + engine.owners)[-1]
    x = builder.add(Input(owner, "x", column(rows)))
    total = None
    for time in range(times):
        count = builder.add(Sum(), builder.add(AtLeast(time), x))
        total = count if total is None else builder.add(Add(), total, count)
    builder.add(Reveal(to, "count"), total)
    return builder.build()


def arrow(**columns) -> bytes:
    """An Arrow IPC stream."""
    table = pa.table(columns)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()
