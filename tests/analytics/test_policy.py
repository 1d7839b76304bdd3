import numpy as np
import pandas as pd
import pytest

import analytics as an
import icm_ray as icm
from icm_ray.errors import PolicyError
from icm_ray.ops.linear import Reveal
from icm_ray.policy import Policy
from icm_ray.query.lane_build import LaneBuild, Members
from icm_ray.query.statistics.variance import SquaresOfColumn
from icm_ray.runtime.driver.engine import LaneJob
from tests.inside import parties_of

VALUES = np.array([0, 0, 0, 1, 1, 2, 5, 5, 5, 5])


def frame_of(engine, policy, values=VALUES):
    half = len(values) // 2
    sources = {"alice": pd.DataFrame({"x": values[:half]}), "carol": pd.DataFrame({"x": values[half:]})}
    return an.from_pandas(engine, sources, policy=policy)


@pytest.mark.parametrize("share", [False, True])
def test_too_few_rows(fresh, share):
    frame = frame_of(fresh, Policy(min_rows=11))
    frame = frame.share() if share else frame
    fresh.jobs.clear()
    for query in (frame["x"].count(), frame["x"].mean(), frame["x"].histogram([0, 1]), frame["x"].max()):
        with pytest.raises(PolicyError, match="has 10 rows behind it, the policy asks for 11"):
            query.reveal()
        with pytest.raises(PolicyError):
            query.explain()
    assert not fresh.jobs


def test_enough_rows(fresh):
    frame = frame_of(fresh, Policy(min_rows=10))
    assert frame["x"].sum().reveal() == frame.share()["x"].sum().reveal() == 24


@pytest.mark.parametrize("party", ["alice", "bob"])
def test_every_partys_own_worker_refuses(by_hand, party):
    """A driver that does not check (here: for one party alone knows of the policy) gets nothing."""
    frame = frame_of(by_hand, None)
    rows = frame._dataset.facts
    parties_of(by_hand, 0)[party].policies[rows.name] = Policy(min_rows=11)
    build = LaneBuild(Members(by_hand.parties, by_hand.owners), 0)
    value = rows.partial(build, SquaresOfColumn("x"))
    build.builder.add(Reveal("driver", "squares"), value)
    written = build.program()
    with pytest.raises(PolicyError, match=f"{party} refuses: squares has 10 rows"):
        by_hand.execute([LaneJob(0, written.program, tasks=written.tasks)])


def test_recipients(fresh):
    frame = frame_of(fresh, Policy(recipients=("carol",), operations=("max",)))
    assert frame["x"].max().reveal("carol") == 5
    for to in (None, "alice"):
        with pytest.raises(PolicyError, match="may not receive it, but carol"):
            frame["x"].max().reveal(to)


@pytest.mark.parametrize("share", [False, True])
@pytest.mark.parametrize("to", [None, "carol"])
def test_small_cells_are_withheld(fresh, share, to):
    frame = frame_of(fresh, Policy(min_rows=3, rows_per_bin=1))
    frame = frame.share() if share else frame
    query = frame["x"].histogram(6, range=(0, 6))
    counts, edges = query.reveal(to)
    plain, plain_edges = np.histogram(VALUES, 6, (0, 6))
    assert isinstance(counts, np.ma.MaskedArray)
    small = (plain > 0) & (plain < 3)
    assert small.any()
    assert (plain == 0).any()
    np.testing.assert_array_equal(counts.mask, small)
    np.testing.assert_array_equal(counts.filled(), np.where(small, 0, plain))
    np.testing.assert_array_equal(edges, plain_edges)
    assert "withheld" in query.explain()
    assert "at least 3" in query.explain()
    assert [name for _, name in fresh.revealed()] == ["0: shown (histogram of x)", "0: counts (histogram of x)"]


def test_withheld_cells_in_two_lanes(engine):
    owners = engine.everyone
    frames = {owner: pd.DataFrame({"x": np.arange(30) % (3 + index)}) for index, owner in enumerate(owners)}
    rows = pd.concat(frames.values())["x"]
    frame = an.from_pandas(engine, frames, policy=Policy(min_rows=20))
    plain = np.histogram(rows, 6, (0, 6))[0]
    for secure in (frame, frame.share()):
        counts, _ = secure["x"].histogram(6, range=(0, 6)).reveal()
        shown = (plain == 0) | ((plain >= 20) & (len(rows) - plain >= 20))
        np.testing.assert_array_equal(counts.mask, ~shown)
        np.testing.assert_array_equal(counts.compressed(), plain[shown])


def policies(engine):
    return [set(party.policies) for lane in range(engine.lanes) for party in parties_of(engine, lane).values()]


@pytest.mark.parametrize("share", [False, True])
def test_a_policy_judges_its_own_dataset_alone(fresh, share):
    strict, small = frame_of(fresh, Policy(min_rows=50), np.arange(60)), frame_of(fresh, None)
    if share:
        strict, small = strict.share(), small.share()
    assert small["x"].sum().reveal() == VALUES.sum()
    assert "policy" not in small["x"].sum().explain()
    assert strict["x"].sum().reveal() == sum(range(60))
    assert icm.reveal(small["x"].max(), strict["x"].sum()) == (5, sum(range(60)))


def test_what_is_explained_is_what_is_revealed(fresh):
    """Both accept, or both refuse, whatever other datasets there are."""
    frames = [frame_of(fresh, policy) for policy in (None, Policy(residual_df=9), Policy(min_rows=11))]
    for frame, fine in zip(frames, (True, True, False), strict=True):
        for rows in (frame, frame.share()):
            query = rows["x"].var()
            for ask in (query.explain, query.reveal):
                if fine:
                    ask()
                else:
                    with pytest.raises(PolicyError, match="the policy asks for 11"):
                        ask()


def test_a_policy_goes_with_the_last_of_its_rows(fresh):
    frame = frame_of(fresh, Policy(min_rows=10))
    shares = frame.share()
    name = frame._dataset.facts.name
    assert policies(fresh) == [{name}, {name}]
    frame._dataset.forget()
    frame._dataset.forget()
    assert policies(fresh) == [{name}, {name}]
    assert shares["x"].sum().reveal() == VALUES.sum()
    shares._dataset.forget()
    assert policies(fresh) == [set(), set()]
