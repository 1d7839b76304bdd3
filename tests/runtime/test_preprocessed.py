"""Runs whose randomness was dealt ahead of time, on every runner: right results, used once, live afterwards."""

import msgspec
import numpy as np
import pytest

from icm_ray.errors import BoundExceeded, InputError, OwnerError, ProgramError
from icm_ray.names import DRIVER
from icm_ray.ops.forms import Matrix
from icm_ray.ops.linear import Input, Load, Reveal, Store
from icm_ray.ops.products import LoadWeight, OwnedProduct, Product
from icm_ray.ops.values import ValueType
from icm_ray.program.build import Builder
from icm_ray.runtime.driver.engine import LaneJob
from tests.runtime import programs

ROWS = 600
X = np.arange(ROWS, dtype=np.uint64)
COUNT = int((X >= 0).sum() + (X >= 1).sum())


def compared(engine, partition=0, lane=0):
    """A job of two comparisons, and whether its result was right and prepared."""
    owner = engine.owners[-1]
    job = LaneJob(lane, programs.compared(engine, ROWS, "alice", 2), partition, given={owner: {"x": X}})
    (done,) = engine.execute([job])
    assert done.results["count"].tolist() == [COUNT]
    return done.preprocessed


@pytest.mark.few(1)
def test_prepared_runs_then_live_ones(engine):
    program = programs.compared(engine, ROWS, "alice", 2)
    engine.preprocess(program, 3)  # two for lane 0, one for lane 1
    assert [compared(engine, part) for part in range(3)] == [True, True, False]
    assert [compared(engine, part, 1) for part in range(2)] == [True, False]


def test_later_preparations_follow_earlier_ones(engine):
    program = programs.compared(engine, ROWS, "alice", 2)
    for _ in range(2):
        engine.preprocess(program, 1)
    assert [compared(engine) for _ in range(3)] == [True, True, False]


def test_what_a_prepared_run_counts(engine):
    program = programs.compared(engine, ROWS, "alice", 2)
    job = LaneJob(0, program, given={"carol": {"x": X}})
    (live,) = engine.execute([job])
    engine.preprocess(program, 1)
    (preprocessed,) = engine.execute([job])
    assert (live.preprocessed, preprocessed.preprocessed) == (False, True)
    assert (preprocessed.rounds, preprocessed.sent_bytes, preprocessed.dealt_bytes) == (
        live.rounds,
        live.sent_bytes,
        live.dealt_bytes,
    )


def test_other_programs_are_dealt_live(engine):
    engine.preprocess(programs.compared(engine, ROWS, "alice", 1), 1)
    assert compared(engine) is False
    given = {"carol": {"x": X}}
    (done,) = engine.execute([LaneJob(0, programs.compared(engine, ROWS, "alice", 1), given=given)])
    assert done.preprocessed


def test_kept_shares_outlive_their_slot(engine):
    """A sorted column is kept as it was dealt and corrected; nothing of it depends on the file any more."""
    from icm_ray.ops.sorting import Shuffle

    key, rows = engine.new_name("kept"), 300
    builder = Builder(engine.parties)
    kind = ValueType(shape=(rows, 2), width=20)
    builder.add(Store(key), builder.add(Shuffle(), builder.add(Input("alice", "x", kind))))
    engine.preprocess(builder.build(), 1)
    words = np.arange(2 * rows, dtype=np.uint64).reshape(rows, 2)
    (done,) = engine.execute([LaneJob(0, builder.build(), given={"alice": {"x": words}})])
    assert done.preprocessed
    reveal = Builder(engine.parties)
    reveal.add(Reveal(DRIVER, "y"), reveal.add(Load(key, kind)))
    (done,) = engine.execute([LaneJob(0, reveal.build())])
    assert (np.sort(done.results["y"], axis=0) == words).all()
    engine.forget([key])


def weighted(engine, key):
    builder = Builder(engine.parties)
    x = builder.add(Input("bob", "x", ValueType(shape=(2, 3), width=20)))
    product = OwnedProduct("alice", key, Matrix(transposed=True), ValueType(shape=(4, 3), f=0, width=12), gain=12)
    builder.add(Reveal("bob", "y"), builder.add(product, x))
    return builder.build()


def loading(engine, key):
    builder = Builder(engine.parties)
    builder.add(LoadWeight("alice", "w", key, ValueType(shape=(4, 3), f=0, width=12)))
    return builder.build()


def test_fixed_weights(engine):
    key, rng = engine.new_name("weight"), np.random.default_rng(5)
    x, first, second = (rng.integers(0, 99, shape, dtype=np.uint64) for shape in ((2, 3), (4, 3), (4, 3)))

    def right(weight):
        (done,) = engine.execute([LaneJob(0, weighted(engine, key), given={"bob": {"x": x}})])
        assert (done.results["y"] == x @ weight.T).all()
        return done.preprocessed

    def load(weight):
        engine.execute([LaneJob(0, loading(engine, key), given={"alice": {"w": weight}})])

    load(first)
    lanes = engine.lanes  # only lane 0 has the weight: prepare what goes there
    try:
        engine.lanes = 1
        engine.preprocess(weighted(engine, key), 3)
    finally:
        engine.lanes = lanes
    assert right(first)
    engine.forget([key])
    load(second)
    assert right(second) is False, "what was dealt for the old mask is gone"
    try:
        engine.lanes = 1
        engine.preprocess(weighted(engine, key), 1)
    finally:
        engine.lanes = lanes
    assert right(second) is True
    engine.forget([key])


def test_a_program_that_loads_a_weight_cannot_be_prepared(engine):
    with pytest.raises(ProgramError, match="loads a weight"):
        engine.preprocess(loading(engine, "w"), 1)


def test_other_parties_and_no_partitions_are_refused(engine):
    program = programs.compared(engine, ROWS, "alice", 2)
    with pytest.raises(InputError, match="one at least"):
        engine.preprocess(program, 0)
    with pytest.raises(OwnerError):
        engine.preprocess(msgspec.structs.replace(program, parties=("bob", "alice")), 1)


def test_a_weight_that_is_not_loaded_is_refused(lanes):
    with pytest.raises(ProgramError, match="not loaded"):
        lanes.preprocess(weighted(lanes, "nobody's"), 1)
    assert compared(lanes) is False, "the lane goes on"


def test_a_run_that_failed_has_used_its_slot(lanes):
    program = programs.guarded(lanes, "bob")
    lanes.preprocess(program, 3)  # two of them for lane 0
    given = {"value": programs.ring([3.0]), "flag": np.zeros(1, np.uint64)}
    flagged = {**given, "flag": np.ones(1, np.uint64)}
    with pytest.raises(BoundExceeded):
        lanes.execute([LaneJob(0, program, given={"alice": flagged})])
    preprocessed = []
    for _ in range(2):
        (done,) = lanes.execute([LaneJob(0, program, given={"alice": given})])
        assert programs.plain(done.results["value"]).tolist() == [6.0]
        preprocessed.append(done.preprocessed)
    assert preprocessed == [True, False]


def test_products_of_shares(engine):
    builder = Builder(engine.parties)
    pair = [builder.add(Input(owner, f"x{owner}", ValueType(shape=(5, 5), width=20))) for owner in ("alice", "bob")]
    builder.add(Reveal(DRIVER, "y"), builder.add(Product(Matrix()), *pair))
    words = np.arange(25, dtype=np.uint64).reshape(5, 5)
    engine.preprocess(builder.build(), 2)
    job = LaneJob(1, builder.build(), given={name: {f"x{name}": words} for name in ("alice", "bob")})
    (done,) = engine.execute([job])
    assert done.preprocessed
    assert (done.results["y"] == words @ words).all()
