import pandas as pd
import pytest

import analytics as an
import icm_ray as icm
from icm_ray.errors import OwnerError
from icm_ray.program.stamped import Stamped
from tests.analytics.conftest import both, engine_of

FRAME = pd.DataFrame({"age": [31, 45, 77], "cost": [1.25, 2.5, 9.0]})


def text_of(fresh, query, to=None):
    before = len(fresh.jobs)
    text = query.explain(to)
    assert len(fresh.jobs) == before, "nothing is shared by an explanation"
    return text


def test_a_mean_of_owners(fresh):
    frame = an.from_pandas(fresh, {"alice": FRAME, "carol": FRAME})
    text = text_of(fresh, frame["age"].mean(), "bob")
    assert "mean of age" in text
    assert "6 (3 of alice, 3 of carol), public" in text
    assert "each owner aggregates its own" in text
    assert "opened: the sum, to be divided by 6: the number of rows is public" in text
    assert "to: bob alone" in text
    assert "alice's sum of age (1), carol's sum of age (1)" in text
    assert "0 bytes from the dealer" in text
    assert "2 rounds" in text


def test_a_variance_names_what_stays_closed(fresh):
    for column in both(fresh, [1.0, 2.0, 3.0]):
        text = text_of(fresh, column.std())
        assert "V = N S2 - S1^2 alone" in text
        assert "neither the sum S1 nor the sum of squares S2" in text
        assert "to: the driver" in text
        assert "error at most" in text


def test_exact_results_say_so(fresh):
    for column in both(fresh, [1, 2, 3]):
        assert "result: exact" in text_of(fresh, column.sum())
        assert "result: exact" in text_of(fresh, column.max())


def test_counts_need_nothing(fresh):
    held, shared = both(fresh, [1, 2, 3])
    for column in (held, shared):
        assert "nothing: the number of rows is public" in text_of(fresh, column.count())


def test_a_histogram_names_its_edges_and_its_rounding(fresh):
    held, shared = both(fresh, [1.0, 2.0, 3.0])
    for column in (held, shared):
        text = text_of(fresh, column.histogram(8, range=(0, 4)))
        assert "8 bins from 0 to 4: public" in text
        assert "8 counts; no cumulative count" in text
    assert "rounded to multiples of 2^-16" in text_of(fresh, shared.histogram(8, range=(0, 4)))
    assert "rounded" not in text_of(fresh, held.histogram(8, range=(0, 4)))


@pytest.mark.parametrize("setup", ["two parties", "three parties, an owner outside, two lanes"])
@pytest.mark.parametrize("verb", ["sum", "var", "max", "histogram"])
@pytest.mark.few(4)
def test_rounds_and_bytes_are_what_is_then_counted(setup, verb):
    with engine_of(setup) as engine:
        frame = an.from_pandas(engine, {owner: pd.concat([FRAME] * 20) for owner in engine.everyone})
        for column in (frame["cost"], frame.share()["cost"]):
            query = column.histogram([0, 3, 9]) if verb == "histogram" else getattr(column, verb)()
            text = query.explain()
            before = engine.totals.sent_bytes
            engine.jobs.clear()
            query.reveal()
            declared = [Stamped(job.program, engine.settings).cost() for job in engine.jobs]
            assert engine.totals.sent_bytes - before == sum(sum(cost.sent) for cost in declared)
            assert f"{sum(cost.dealt for cost in declared)} bytes from the dealer" in text
            sent = [sum(parts) for parts in zip(*(cost.sent for cost in declared), strict=True)]
            assert f"{max(sent)} bytes sent by a party at most" in text


def test_an_unknown_recipient(fresh):
    held, _ = both(fresh, [1, 2, 3])
    for use in (held.sum().explain, held.sum().reveal):
        with pytest.raises(OwnerError, match=r"'mallory'.*alice, bob, carol"):
            use("mallory")


def test_chosen_rows_and_groups_say_where_each_part_is_computed(fresh):
    frame = an.from_pandas(fresh, {"alice": FRAME, "bob": FRAME}, policy=icm.Policy(min_rows=5))
    chosen = frame[frame["age"] > 40]
    text = text_of(fresh, chosen.assign(old=chosen["age"] > 60).groupby("old")["cost"].agg("mean"))
    for line in (
        "  where: age > 40; how many rows that are is secret",
        "  groups: age > 60, 2 public values",
        "  plan: alice, bob, each in the clear: choose rows, group them, sum of cost, number of values of cost",
        "  plan: the parties, on shares: join the owners' parts, keep what has 5 values or more behind it",
        "  policy: at least 5 rows behind a revealed number",
    ):
        assert line in text.splitlines()
    assert "of each of 2 groups" in text
    assert "time: about 0.0" in text


def test_what_is_public_has_no_plan(fresh):
    for column in both(fresh, [1, 2, 3]):
        assert "plan:" not in text_of(fresh, column.count())
