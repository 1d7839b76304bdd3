"""Products of columns whose sums fit no word: exact, and each column is halved once."""

import numpy as np
import pytest

from icm_ray.ops.linear import Input, Reveal
from icm_ray.ops.linear import Sum as Total
from icm_ray.ops.products import Truncate
from icm_ray.ops.values import ValueType
from icm_ray.ops.wide import Widen
from icm_ray.program.build import Builder
from icm_ray.query.split_products import SplitProducts, step_of
from icm_ray.ring.wide import to_signed
from tests.thread_lane import ThreadLane

X, Y = (np.random.default_rng(seed).integers(-(2**39), 2**39, 50) for seed in range(2))


def program(squares):
    builder = Builder(("alice", "bob"))
    x, y = (builder.add(Input(name, "x", ValueType(shape=(50,), width=41))) for name in ("alice", "bob"))
    split = SplitProducts(step_of(x), None if squares else step_of(y))
    terms = split.products(builder, x, x if squares else y, 50)
    sums = [builder.add(Widen(), builder.add(Total(), term)) for term in terms]
    builder.add(Reveal("alice", "sum"), split.total(builder, sums))
    return builder.build()


@pytest.mark.parametrize("squares", [False, True])
def test_sums_are_exact_and_values_are_halved_once(squares):
    written = program(squares)
    assert sum(isinstance(node.op, Truncate) for node in written.nodes) == (1 if squares else 2)
    with ThreadLane(("alice", "bob")) as lane:
        brought = {name: {"x": values.view(np.uint64)} for name, values in (("alice", X), ("bob", Y))}
        (found,) = to_signed(lane.run(written, brought)["alice"].results["sum"])
    assert found == sum(a * b for a, b in zip(X.tolist(), (X if squares else Y).tolist(), strict=True))
