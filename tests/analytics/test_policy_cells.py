"""What is withheld, and nothing else: few values, few left out; each threshold on both sides of it."""

import numpy as np
import pandas as pd
import pytest

import analytics as an
from icm_ray.errors import PolicyError
from icm_ray.policy import Policy
from icm_ray.query.withheld import Withheld

N, K = 20, 4
NAN = float("nan")


def held(engine, policy, **columns):
    table = pd.DataFrame(columns)
    return an.from_pandas(engine, {"alice": table[:7], "carol": table[7:]}, policy=policy)


@pytest.mark.parametrize("kept", [0, 1, 3, 4, 5, 16, 17, 19, 20])
def test_a_filter_keeps_enough_and_leaves_out_none_or_enough(fresh, kept):
    policy = Policy(min_rows=K, largest=100, two_largest=100)
    frame = held(fresh, policy, x=np.arange(N), y=np.arange(N) / 2)
    chosen = frame[frame["x"] < kept]
    enough = kept == N or K <= kept <= N - K
    for query, plain in ((chosen["y"].sum(), sum(range(kept)) / 2), (chosen["y"].mean(), (kept - 1) / 4)):
        result = query.reveal()
        assert isinstance(result, Withheld) != enough
        if enough:
            assert result == plain
    count = chosen["x"].count().reveal()
    assert isinstance(count, Withheld) != (enough or kept == 0), "that there is nothing may be told"
    if enough or kept == 0:
        assert count == kept


@pytest.mark.parametrize(("left", "enough"), [(0, True), (1, False), (3, False), (4, True)])
def test_values_are_counted_not_rows(fresh, left, enough):
    """Many rows are left out, few of which have a value: by subtraction from the whole column these would be told."""
    y = [1.0] * 8 + [1.0] * left + [NAN] * (12 - left)
    frame = held(fresh, Policy(min_rows=K), x=np.arange(N), y=y)
    assert isinstance(frame[frame["x"] < 8]["y"].sum().reveal(), Withheld) != enough
    assert frame["y"].sum().reveal() == 8 + left
    few = frame[(frame["x"] > 4) & (frame["x"] < 11)]["y"].sum().reveal()
    assert isinstance(few, Withheld) == (left == 0 or 0 < 8 + left - (3 + min(left, 3)) < K)


def test_a_group_leaves_out_none_or_enough(fresh):
    wards = ["a"] * 17 + ["b"] * 3
    frame = held(fresh, Policy(min_rows=K), x=np.arange(N), ward=wards)
    found = frame.groupby("ward", domain={"ward": ["a", "b", "c"]})["x"].agg(["sum", "count"]).reveal()
    assert found.loc["a"].isna().all(), "or the sum of b is the rest of the total"
    assert found.loc["b"].isna().all()
    assert "c" not in found.index


def test_small_totals_and_zeros(fresh):
    """With fewer than 2 k rows every filter leaves few out; zeros are hidden where the policy says so."""
    for most in (0, 5, 12, 15):
        frame = held(fresh, Policy(min_rows=12, hide_zeros=True), x=np.arange(N))
        assert isinstance(frame[frame["x"] < most]["x"].count().reveal(), Withheld)
    frame = held(fresh, Policy(min_rows=12, hide_zeros=True), x=np.arange(N))
    assert frame[frame["x"] < N]["x"].count().reveal() == N


def test_degrees_of_freedom_and_bins(fresh):
    frame = held(fresh, Policy(min_rows=3, residual_df=12), x=np.arange(N), y=[1.0, 2.0] * 9 + [NAN] * 2)
    assert frame["y"].std().reveal() == pytest.approx(np.std([1.0, 2.0] * 9, ddof=1))
    with pytest.raises(PolicyError, match="the policy asks for 21"):
        frame["y"].var(ddof=9).reveal()
    assert isinstance(frame["y"].var(ddof=7).reveal(), Withheld)
    assert isinstance(frame[frame["x"] < 12]["x"].std().reveal(), Withheld)
    frame["x"].histogram(6, range=(0, 20)).check()
    with pytest.raises(PolicyError, match="has 7 bins for 20 rows, the policy allows 6"):
        frame["x"].histogram(7, range=(0, 20)).reveal()


def test_kinds_of_output(fresh):
    frame = held(fresh, Policy(), x=np.arange(N))
    with pytest.raises(PolicyError, match=r"max of x: max shows somebody's own value.*quantile\(0.95\)"):
        frame["x"].max().reveal()
    with pytest.raises(PolicyError, match=r"min of x.*quantile\(0.05\)"):
        frame["x"].min().explain()
    only = held(fresh, Policy(operations=("count", "max")), x=np.arange(N))
    assert only["x"].max().reveal() == N - 1
    for query in (only["x"].std(), only["x"].sum(), only["x"].histogram([0, 20])):
        with pytest.raises(PolicyError, match=r"does not allow .*, but count, max"):
            query.reveal()
