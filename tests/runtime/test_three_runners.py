"""One program, three runners: threads over memory, processes over TLS, Ray actors."""

import inspect

import numpy as np
import pytest

from icm_ray.config import EngineConfig
from icm_ray.errors import OwnerError
from icm_ray.names import DRIVER
from icm_ray.ops.linear import Input, Reveal
from icm_ray.program.build import Builder
from icm_ray.program.stamped import Stamped
from icm_ray.query.tasks import Aggregate, ColumnValues, CsvSource, PushedSource
from icm_ray.ring.wide import GRID, to_signed
from icm_ray.runtime.carriers.processes import ProcessEngine
from icm_ray.runtime.carriers.threads import ThreadEngine
from icm_ray.runtime.driver.engine import Engine, LaneJob
from tests.runtime import programs

ROWS = 1000
RNG = np.random.default_rng(7)
A, B = RNG.normal(50, 10, ROWS).round(2), RNG.normal(40, 5, ROWS).round(2)


def total_of(*columns) -> float:
    return float(sum(programs.plain(programs.ring(values)).sum() for values in columns))


def parameters(call) -> list[tuple[str, object, object]]:
    """Names, kinds and defaults of what a method takes, the instance left out."""
    taken = list(inspect.signature(call).parameters.values())
    return [(item.name, item.kind, item.default) for item in taken if item.name != "self"]


def test_fills_the_seam(engine):
    """Every method takes what the seam says, by the same names; every fact is there."""
    seam = {name: what for name, what in vars(Engine).items() if not name.startswith("_")}
    methods = {name: what for name, what in seam.items() if inspect.isfunction(what)}
    assert {"execute", "open_table", "gather", "forget", "set_policy"} <= set(methods)
    for name, what in methods.items():
        assert parameters(getattr(type(engine), name)) == parameters(what), name
    for name in {*vars(Engine).get("__annotations__", {}), *seam} - set(methods):
        assert getattr(engine, name) is not None, name


@pytest.mark.parametrize("to", ["alice", "bob", "carol", DRIVER])
@pytest.mark.parametrize("lane", [0, 1])
def test_sum(engine, to, lane):
    program = programs.pooled_sum(engine, to, ROWS, ("alice", "bob"))
    given = {"alice": {"from alice": programs.ring(A)}, "bob": {"from bob": programs.ring(B)}}
    (done,) = engine.execute([LaneJob(lane, program, given=given)])
    assert programs.plain(done.results["total"]).tolist() == [total_of(A, B)]
    assert done.rounds == Stamped(program, engine.settings).cost().rounds


@pytest.mark.parametrize("to", ["alice", DRIVER])
def test_sum_with_an_outside_owner(engine, to):
    program = programs.pooled_sum(engine, to, ROWS, ("alice", "carol"))
    given = {"alice": {"from alice": programs.ring(A)}, "carol": {"from carol": programs.ring(B)}}
    (done,) = engine.execute([LaneJob(0, program, given=given)])
    assert programs.plain(done.results["total"]).tolist() == [total_of(A, B)]


@pytest.mark.parametrize("to", ["bob", DRIVER])
def test_mean(engine, to):
    program = programs.pooled_mean(engine, to, ROWS)
    given = {"alice": {"from alice": programs.ring(A)}, "bob": {"from bob": programs.ring(B)}}
    (done,) = engine.execute([LaneJob(1, program, given=given)])
    factor = round(2**20 / (2 * ROWS)) / 2**20
    np.testing.assert_allclose(
        programs.plain(done.results["mean"], programs.F + 20), [total_of(A, B) * factor], rtol=1e-12
    )


def test_lanes_work_through_partitions(engine):
    before = engine.totals
    program = programs.pooled_sum(engine, "alice", 10, ("alice", "bob"))
    jobs = [
        LaneJob(
            part % 2,
            program,
            part,
            given={"alice": {"from alice": np.full(10, part, np.uint64)}, "bob": {"from bob": np.ones(10, np.uint64)}},
        )
        for part in range(7)
    ]
    totals = [int(done.results["total"][0]) for done in engine.execute(jobs)]
    assert totals == [10 * part + 10 for part in range(7)]
    assert engine.totals.since(before).rounds == 7 * Stamped(program, engine.settings).cost().rounds


def test_columns_of_pushed_tables(engine):
    parts = np.array_split(A, 3)
    table = engine.open_table("alice", PushedSource(3), (programs.arrow(cost=part, ward=part > 50) for part in parts))
    assert table.info.rows == tuple(len(part) for part in parts)
    assert [(column.name, column.kind) for column in table.info.columns] == [("cost", "float"), ("ward", "bool")]
    other = engine.open_table("carol", PushedSource(3), [programs.arrow(cost=part) for part in np.array_split(B, 3)])
    jobs = []
    for part, rows in enumerate(table.info.rows):
        owners = (("alice", table), ("carol", other))
        tasks = {name: {f"from {name}": ColumnValues(held.name, "cost", part, 16, 20)} for name, held in owners}
        program = programs.pooled_sum(engine, "bob", rows, ("alice", "carol"))
        jobs.append(LaneJob(table.lanes[part], program, part, tasks))
    found = sum(float(programs.plain(done.results["total"])[0]) for done in engine.execute(jobs))
    assert found == total_of(A, B)
    engine.forget([table.name, other.name])


def test_owners_aggregate_their_own_rows(engine, tmp_path):
    path = tmp_path / "north.csv"
    path.write_text("cost\n" + "\n".join(map(str, A)) + "\n")
    opened = engine.open_table("alice", CsvSource((str(path),)))
    pushed = engine.open_table("carol", PushedSource(1), [programs.arrow(cost=B)])
    tasks = {
        "alice": {"part 0": Aggregate(opened.name, "cost", tuple(range(len(opened.info.rows))), "sum")},
        "carol": {"part 1": Aggregate(pushed.name, "cost", (0,), "sum")},
    }
    (done,) = engine.execute([LaneJob(0, programs.wide_sum(engine, DRIVER, ("alice", "carol")), 0, tasks)])
    (total,) = to_signed(done.results["total"])
    assert total / 2**GRID == pytest.approx(A.sum() + B.sum(), rel=1e-12)


@pytest.mark.parametrize("kind", [ThreadEngine, pytest.param(ProcessEngine, marks=pytest.mark.slow)])
def test_files_are_cut_to_the_size_of_partitions(kind, tmp_path):
    rows, path = 20_000, tmp_path / "north.csv"
    path.write_text("cost\n" + "\n".join(str(row + 0.5) for row in range(rows)) + "\n")
    with kind(config=EngineConfig(partition_bytes=1000, free_programs=True)) as engine:
        opened = engine.open_table("alice", CsvSource((str(path),)))
        pushed = engine.open_table("bob", PushedSource(1), [programs.arrow(cost=B)])
        parts = tuple(range(len(opened.info.rows)))
        tasks = {
            "alice": {"part 0": Aggregate(opened.name, "cost", parts, "sum")},
            "bob": {"part 1": Aggregate(pushed.name, "cost", (0,), "sum")},
        }
        (done,) = engine.execute([LaneJob(0, programs.wide_sum(engine, DRIVER, ("alice", "bob")), 0, tasks)])
    assert len(parts) >= 100
    assert sum(opened.info.rows) == rows
    (total,) = to_signed(done.results["total"])
    assert total / 2**GRID == pytest.approx(rows * rows / 2 + B.sum(), rel=1e-12)


def test_kept_shares_are_gathered(engine):
    keys = [engine.new_name("kept") for _ in range(2)]
    columns = (A, B)
    jobs = [
        LaneJob(lane, programs.kept(engine, "alice", keys[lane], ROWS), given={"alice": {"column": programs.ring(x)}})
        for lane, x in enumerate(columns)
    ]
    engine.execute(jobs)
    engine.gather({lane: {keys[lane]: (ROWS,)} for lane in (0, 1)})
    totals = [LaneJob(0, programs.sum_of_kept(engine, key, ROWS, "bob")) for key in keys]
    found = [float(programs.plain(done.results["total"])[0]) for done in engine.execute(totals)]
    assert found == [total_of(A), total_of(B)]
    again = engine.new_name("kept")
    engine.execute(
        [LaneJob(1, programs.kept(engine, "carol", again, 4), given={"carol": {"column": np.ones(4, np.uint64)}})]
    )
    engine.gather({1: {again: (4,)}})
    (done,) = engine.execute([LaneJob(0, programs.sum_of_kept(engine, again, 4, DRIVER))])
    assert done.results["total"].tolist() == [4]
    engine.forget([*keys, again])


def test_values_of_every_shape_are_given(engine):
    for shape in ((1,), (3, 4), (2, 0)):
        builder = Builder(engine.parties)
        kind = programs.column(1).__class__(shape=shape, f=0, width=64)
        builder.add(Reveal("bob", "same"), builder.add(Input("alice", "x", kind)))
        words = np.arange(int(np.prod(shape)), dtype=np.uint64).reshape(shape)
        (done,) = engine.execute([LaneJob(0, builder.build(), given={"alice": {"x": words}})])
        assert done.results["same"].shape == shape
        assert (done.results["same"] == words).all()


def test_names_are_new(engine):
    names = [engine.new_name("frame") for _ in range(5)]
    assert len(set(names)) == 5


def test_an_unknown_owner_has_no_table(engine):
    with pytest.raises(OwnerError, match="dave"):
        engine.open_table("dave", PushedSource(1), [programs.arrow(x=[1.0])])
