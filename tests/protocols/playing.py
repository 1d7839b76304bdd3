"""Programs of one operation, run in a lane of threads and held to their plaintext twin."""

from __future__ import annotations

import numpy as np

from icm_ray.ops.linear import Input, Reveal
from icm_ray.program.build import Builder
from icm_ray.program.stamped import RunSettings
from icm_ray.protocols.table import TABLE
from tests.thread_lane import ThreadLane

NAMES = ("alice", "bob", "carol", "dora", "emil")


def run_one(op, kinds, values, parties=2):
    """The opened result and the public coins of one run."""
    names = NAMES[:parties]
    builder = Builder(names)
    given = [builder.add(Input(names[index % parties], f"x{index}", kind)) for index, kind in enumerate(kinds)]
    builder.add(Reveal(names[-1], "y"), builder.add(op, *given))
    brought = {name: {} for name in names}
    for index, (kind, value) in enumerate(zip(kinds, values, strict=True)):
        words = np.asarray(value)
        brought[names[index % parties]][f"x{index}"] = words.astype(np.int64).view(np.uint64).reshape(kind.shape)
    coins = {}

    def observe(operation, what, opened):
        if operation == len(kinds):
            coins[what] = opened.astype(np.uint64)

    with ThreadLane(names) as lane:
        # whole: the coins of one step are those of the operation
        whole = RunSettings(in_flight=1 << 40)
        outcomes = lane.run(builder.build(), brought, observe={names[0]: observe}, settings=whole)
    return outcomes[names[-1]].results["y"], coins


def hold(op, kinds, values, parties=2):
    """Run, and compare bit for bit; the result, signed."""
    found, coins = run_one(op, kinds, values, parties)
    words = [
        np.asarray(v).astype(np.int64).view(np.uint64).reshape(k.shape) for k, v in zip(kinds, values, strict=True)
    ]
    expected = TABLE[type(op)].reference(op, kinds, words, coins, op.infer(*kinds))
    np.testing.assert_array_equal(found, expected)
    return found.view(np.int64)
