"""How many low bits of a result are looked at."""

import pytest

from icm_ray.ops.compare import AtLeast
from icm_ray.ops.linear import Add, Input, Reveal, Store
from icm_ray.ops.products import Epilogue, Relu, Truncate
from icm_ray.ops.values import ValueType
from icm_ray.program.build import Builder
from icm_ray.program.stamped import Stamped

WIDE = ValueType(shape=(512,), f=16, width=30)


def relus(read):
    """A ReLU, by what `read` adds behind it; the epilogues of the plan's ReLUs, and its cost."""
    builder = Builder(("alice", "bob"))
    x = builder.add(Input("alice", "x", WIDE))
    read(builder, builder.add(Relu(Epilogue(8, True, 31)), x))
    plan = Stamped(builder.build()).plan()
    return [step.op.epilogue.reads for step in plan.steps if isinstance(step.op, Relu)], plan.cost.dealt


def reveal(builder, y):
    builder.add(Reveal("bob", "y"), y)


def compare(builder, y):
    reveal(builder, builder.add(AtLeast(3, 40), y))


def both(builder, y):
    compare(builder, builder.add(Add(), y, y))
    reveal(builder, builder.add(Truncate(Epilogue(4, width=44)), y))


@pytest.mark.parametrize(
    ("read", "bits"),
    [(reveal, 64), (compare, 40), (both, 44), (lambda builder, y: builder.add(Store("y"), y), 64)],
    ids=["revealed", "compared", "the wider of two", "kept"],
)
def test_bits_that_are_looked_at(read, bits):
    assert relus(read)[0] == [bits]


def test_what_is_dealt_is_no_wider_than_what_is_read():
    alone = Builder(("alice", "bob"))
    reveal(alone, alone.add(AtLeast(3, 40), alone.add(Input("alice", "x", WIDE))))
    narrower = 3 * (8 - 5) + 2 * (6 - 3)  # 64 bits and 40; t in 31 - 8 bits less
    assert relus(compare)[1] - Stamped(alone.build()).plan().cost.dealt == relus(reveal)[1] - narrower * WIDE.count
