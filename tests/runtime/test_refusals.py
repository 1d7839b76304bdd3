"""Bad input is refused before anything is shared, and a refusal leaves the lanes as they were."""

import numpy as np
import pytest

from icm_ray.errors import (
    BoundError,
    BoundExceeded,
    ColumnError,
    IcmError,
    InputError,
    OwnerError,
    PolicyError,
    ProgramError,
    SourceError,
)
from icm_ray.names import DRIVER
from icm_ray.ops.linear import Add, Input, Reveal
from icm_ray.policy import Policy
from icm_ray.program.build import Builder
from icm_ray.query.tasks import ColumnValues, CsvSource, ParquetSource, PushedSource
from icm_ray.runtime.driver import run
from icm_ray.runtime.driver.engine import LaneJob
from icm_ray.transport import TransportConfig
from tests.runtime import programs

ONES = np.ones(8, np.uint64)


@pytest.fixture(autouse=True)
def still_usable(lanes):
    """After every refusal the next run is right, in both lanes."""
    yield
    program = programs.pooled_sum(lanes, "bob", 8, ("alice", "carol"))
    given = {"alice": {"from alice": ONES}, "carol": {"from carol": ONES}}
    done = lanes.execute([LaneJob(lane, program, given=given) for lane in (0, 1)])
    assert [item.results["total"].tolist() for item in done] == [[16], [16]]


def refused(lanes, error: type[IcmError], match: str, job: LaneJob) -> None:
    before = sent(lanes)
    with pytest.raises(error, match=match) as caught:
        lanes.execute([job])
    assert type(caught.value) is error
    assert sent(lanes) == before


def sent(lanes) -> object:
    return lanes.totals


def test_policy(lanes):
    lanes.set_policy("visits", Policy(min_rows=100))
    program = programs.pooled_sum(lanes, "bob", 8, ("alice", "bob"))
    given = {"alice": {"from alice": ONES}, "bob": {"from bob": ONES}}
    refused(lanes, PolicyError, "total has 16 rows behind it", LaneJob(0, program, given=given))
    lanes.forget(["visits"])
    lanes.execute([LaneJob(0, program, given=given)])


def test_an_array_too_large_for_a_link_costs_no_lane(lanes, monkeypatch):
    program = programs.pooled_sum(lanes, "bob", 8, ("alice", "bob"))
    given = {"alice": {"from alice": ONES}, "bob": {"from bob": ONES}}
    with monkeypatch.context() as patch:
        patch.setattr(run, "transport_config", lambda _: TransportConfig(max_frame_bytes=63))
        match = r"^alice: input from alice of shape \(8,\) takes 64 bytes, a link carries 63 at most"
        refused(lanes, InputError, match, LaneJob(0, program, given=given))


def test_shares_that_move_to_the_first_lane_stay_whose_they_were(lanes):
    key, labels = lanes.new_name("share"), programs.behind("alice", 8)
    lanes.execute([LaneJob(1, programs.kept(lanes, "alice", key, 8, labels), given={"alice": {"column": ONES}})])
    lanes.gather({1: {key: (8,)}})
    refused(lanes, ProgramError, "made of other rows", LaneJob(0, programs.sum_of_kept(lanes, key, 8, "bob")))
    (done,) = lanes.execute([LaneJob(0, programs.sum_of_kept(lanes, key, 8, "bob", labels))])
    assert done.results["total"].tolist() == [8]
    lanes.forget([key])


def test_a_program_that_loads_what_nobody_keeps(lanes):
    job = LaneJob(1, programs.sum_of_kept(lanes, "nothing", 8, "alice"))
    refused(lanes, ProgramError, "keeps nothing under nothing", job)


def test_an_input_that_nobody_brings(lanes):
    program = programs.pooled_sum(lanes, "bob", 8, ("alice", "bob"))
    refused(lanes, ProgramError, "bob has no input", LaneJob(0, program, given={"alice": {"from alice": ONES}}))


def test_a_value_beyond_its_bound(lanes):
    table = lanes.open_table("carol", PushedSource(1), [programs.arrow(x=[1.0, 2.0**30])])
    tasks = {"carol": {"from carol": ColumnValues(table.name, "x", 0, 16, 20)}}
    program = programs.pooled_sum(lanes, "bob", 2, ("alice", "carol"))
    given = {"alice": {"from alice": ONES[:2]}}
    refused(lanes, BoundError, "beyond the declared bound", LaneJob(0, program, 0, tasks, given))


def test_an_unknown_column(lanes):
    table = lanes.open_table("alice", PushedSource(1), [programs.arrow(x=[1.0, 2.0])])
    tasks = {"alice": {"from alice": ColumnValues(table.name, "y", 0, 16, 20)}}
    program = programs.pooled_sum(lanes, "bob", 2, ("alice", "bob"))
    refused(lanes, ColumnError, "no column 'y'", LaneJob(0, program, 0, tasks, {"bob": {"from bob": ONES[:2]}}))


def test_an_array_of_another_shape(lanes):
    program = programs.pooled_sum(lanes, "bob", 8, ("alice", "bob"))
    given = {"alice": {"from alice": ONES}, "bob": {"from bob": ONES[:3]}}
    with pytest.raises(InputError, match="shape"):
        lanes.execute([LaneJob(0, program, given=given)])


def test_an_owner_that_the_session_does_not_have(lanes):
    builder = Builder(lanes.parties, ("dave",))
    builder.add(Reveal("bob", "x"), builder.add(Input("dave", "x", programs.column(8))))
    refused(lanes, OwnerError, "dave", LaneJob(0, builder.build(), given={"dave": {"x": ONES}}))


def test_a_program_for_other_parties(lanes):
    builder = Builder(("alice", "bob", "carol"))
    builder.add(Reveal("bob", "x"), builder.add(Input("alice", "x", programs.column(8))))
    refused(lanes, ProgramError, "lane of", LaneJob(0, builder.build(), given={"alice": {"x": ONES}}))


def test_a_missing_file(lanes, tmp_path):
    for source in (CsvSource((str(tmp_path / "none.csv"),)), ParquetSource((str(tmp_path / "no*.parquet"),))):
        with pytest.raises(SourceError, match="no"):
            lanes.open_table("bob", source)


@pytest.mark.parametrize(("announced", "pushed"), [(3, 1), (3, 0), (1, 3)])
def test_partitions_missing_or_too_many(lanes, announced, pushed):
    with pytest.raises(InputError, match="announced"):
        lanes.open_table("carol", PushedSource(announced), [programs.arrow(x=[1.0])] * pushed)


def test_a_stream_of_batches_that_fails(lanes):
    def batches():
        yield programs.arrow(x=[1.0])
        raise RuntimeError("the caller's own")

    with pytest.raises(RuntimeError, match="the caller's own"):
        lanes.open_table("alice", PushedSource(4), batches())


def test_a_pushed_table_that_is_none(lanes):
    with pytest.raises(SourceError, match="Arrow"):
        lanes.open_table("alice", PushedSource(3), [b"no arrow"] * 3)


def test_a_lane_that_does_not_exist(lanes):
    with pytest.raises(InputError, match="lane 2"):
        lanes.execute([LaneJob(2, programs.sum_of_kept(lanes, "x", 8, "alice"))])


def test_a_checked_bound_exceeded_in_the_middle(lanes):
    program = programs.guarded(lanes, DRIVER)
    given = {"alice": {"value": programs.ring([3.0]), "flag": np.ones(1, np.uint64)}}
    before = lanes.totals
    with pytest.raises(BoundExceeded, match="the flag"):
        lanes.execute([LaneJob(0, program, given=given)])
    assert lanes.totals == before
    given["alice"]["flag"] = np.zeros(1, np.uint64)
    (done,) = lanes.execute([LaneJob(0, program, given=given)])
    assert programs.plain(done.results["value"]).tolist() == [6.0]


def test_tables_and_kept_shares_survive(lanes):
    key = lanes.new_name("kept")
    table = lanes.open_table("alice", PushedSource(1), [programs.arrow(x=[1.0, 2.0])])
    lanes.execute([LaneJob(0, programs.kept(lanes, "alice", key, 8), given={"alice": {"column": ONES}})])
    flagged = {"alice": {"value": programs.ring([3.0]), "flag": np.ones(1, np.uint64)}}
    with pytest.raises(BoundExceeded):
        lanes.execute([LaneJob(0, programs.guarded(lanes, "bob"), given=flagged)])
    builder = Builder(lanes.parties)
    builder.add(Reveal("bob", "x"), builder.add(Input("alice", "x", programs.column(2))))
    tasks = {"alice": {"x": ColumnValues(table.name, "x", 0, 16, 20)}}
    done = lanes.execute(
        [LaneJob(0, builder.build(), 0, tasks), LaneJob(0, programs.sum_of_kept(lanes, key, 8, "bob"))]
    )
    assert programs.plain(done[0].results["x"]).tolist() == [1.0, 2.0]
    assert done[1].results["total"].tolist() == [8]


def test_one_lanes_refusal_ends_the_others(lanes):
    good = programs.compared(lanes, 1000, "alice", 2)
    bad = programs.sum_of_kept(lanes, "nothing", 8, "alice")
    given = {"carol": {"x": np.ones(1000, np.uint64)}}
    with pytest.raises(ProgramError, match="keeps nothing"):
        lanes.execute([*(LaneJob(0, good, part, given=given) for part in range(200)), LaneJob(1, bad)])


def test_forgotten_tables_are_gone(lanes):
    table = lanes.open_table("alice", PushedSource(1), [programs.arrow(x=[1.0, 2.0])])
    lanes.forget([table.name])
    builder = Builder(lanes.parties)
    x = builder.add(Input("alice", "x", programs.column(2)))
    builder.add(Reveal("bob", "x"), builder.add(Add(), x, x))
    tasks = {"alice": {"x": ColumnValues(table.name, "x", 0, 16, 20)}}
    refused(lanes, ProgramError, "forgotten; read them again", LaneJob(0, builder.build(), 0, tasks))
