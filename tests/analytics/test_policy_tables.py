"""Tables whose total is known, and sums that few rows make up: which cells are withheld, beside a plain reference."""

import fractions
import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import analytics as an
import icm_ray as icm
from icm_ray.errors import PolicyError
from icm_ray.policy import Policy
from icm_ray.query.withheld import Withheld

K = 4
FREE = {"largest": 100, "two_largest": 100}
GROUPS = list(range(6))
NAMED = {"g": GROUPS}


def cut(table):
    half = len(table) // 2
    return {"alice": table[:half], "carol": table[half:]}


def shuffled(table, seed=0):
    return table.iloc[np.random.default_rng(seed).permutation(len(table))].reset_index(drop=True)


def expected(counts, total, k=K, zeros=True):
    """Which cells are shown, of their counts: by the rules in words, one after the other."""
    shown = [n == total >= k or k <= n <= total - k for n in counts]
    hidden = [n for n, bit in zip(counts, shown, strict=True) if not bit]
    single = sum(n > 0 for n in hidden) == 1 or (not zeros and len(hidden) == 1)
    if (single or 0 < sum(hidden) < k) and any(shown):
        least = min(n for n, bit in zip(counts, shown, strict=True) if bit)
        shown[next(at for at, n in enumerate(counts) if n == least and shown[at])] = False
    return shown


def grouped(counts):
    return shuffled(pd.DataFrame({"g": np.repeat(GROUPS, counts), "x": 1.0}))


many = st.lists(st.integers(0, 9), min_size=6, max_size=6).filter(lambda counts: sum(counts) >= 18)


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(many, st.booleans(), st.booleans())
@pytest.mark.slow
def test_a_single_withheld_group_takes_a_second_one_with_it(running, counts, share, zeros):
    table = grouped(counts)
    frame = an.from_pandas(running, cut(table), policy=Policy(min_rows=K, hide_zeros=not zeros, **FREE))
    frame = frame.share() if share else frame
    groups = frame.groupby("g", domain=NAMED)
    sums, sizes = icm.reveal(groups["x"].sum(), groups.size())
    shown = dict(zip(GROUPS, expected(counts, len(table), zeros=zeros), strict=True))
    for group, count in enumerate(counts):
        if group in sizes.index:
            assert np.isnan(sizes[group]) != (shown[group] or (zeros and not count)), counts
            assert np.isnan(sums[group]) != shown[group], counts
        else:
            assert zeros, "what is withheld is in the table"
            assert not count
    assert len(sizes.withheld) == sizes.isna().sum()


@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(many, st.booleans())
def test_so_does_a_bin(running, counts, share):
    table = grouped(counts)
    frame = an.from_pandas(running, cut(table), policy=Policy(min_rows=K))
    frame = frame.share() if share else frame
    found, _ = frame["g"].histogram([0, 1, 2, 3, 4, 5, 6]).reveal()
    shown = [bit or not n for n, bit in zip(counts, expected(counts, len(table)), strict=True)]
    np.testing.assert_array_equal(~np.ma.getmaskarray(found), shown)
    assert set(found.withheld) == {at for at, bit in enumerate(shown) if not bit}
    assert all("fewer than 4 values" in reason for reason in found.withheld.values())


@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(many)
def test_and_a_group_of_a_private_key(running, counts):
    table = grouped(counts)
    found = an.from_pandas(running, cut(table), policy=Policy(min_rows=K, **FREE)).groupby("g").size().reveal()
    shown = expected(counts, len(table))
    least = min((n for n, bit in zip(counts, expected(counts, len(table) + 99), strict=True) if bit), default=0)
    assert len(found) == sum(shown)
    assert all(found[group] == counts[group] for group in found.index)
    assert all(n in found.tolist() for n, bit in zip(counts, shown, strict=True) if bit and n > least)


@pytest.fixture(scope="module")
def running():
    from tests.analytics.conftest import engine_of

    with engine_of("three parties, an owner outside") as engine:
        yield engine


def cut_in_three(table):
    third = len(table) // 3
    return {"alice": table[:third], "bob": table[third : 2 * third], "dora": table[2 * third :]}


# --- what is left of another table ------------------------------------------------------------------------------------


def wards():
    """Ward a has 3 of sex z, all other cells are large."""
    sizes = {("a", "x"): 25, ("a", "y"): 22, ("a", "z"): 3, ("b", "x"): 20, ("b", "y"): 30, ("b", "z"): 40}
    rows = [(ward, sex) for (ward, sex), count in sizes.items() for _ in range(count)]
    return shuffled(pd.DataFrame(rows, columns=["ward", "sex"]).assign(cost=lambda table: np.arange(len(table)) + 50.0))


FINE, COARSE = {"ward": ["a", "b"], "sex": ["x", "y", "z"]}, {"ward": ["a", "b"]}


@pytest.mark.slow
def test_the_total_of_a_row_of_a_table_is_refused(fresh):
    frame = an.from_pandas(fresh, cut(wards()), policy=Policy())
    found = frame.groupby(["ward", "sex"], domain=FINE).size().reveal()
    assert found[found.isna()].index.tolist() == [("a", "z"), ("b", "x")], "the least of the others is withheld too"
    assert found.withheld.index.tolist() == [("a", "z"), ("b", "x")]
    with pytest.raises(PolicyError, match="fewer than 10 rows are the difference"):
        frame.groupby("ward", domain=COARSE).size().reveal()
    with pytest.raises(PolicyError, match="fewer than 10 rows are the difference"):
        frame[frame["ward"] == "b"]["cost"].count().reveal()
    with pytest.raises(PolicyError, match="fewer than 10 rows are the difference"):
        frame.groupby("sex", domain={"sex": ["x", "y", "z"]}).size().reveal()
    assert frame.groupby(["ward", "sex"], domain=FINE)["cost"].mean().reveal().isna().sum() == 2


def test_so_is_the_table_of_which_the_total_is_known(fresh):
    frame = an.from_pandas(fresh, cut(wards()), policy=Policy())
    assert frame.groupby("ward", domain=COARSE).size().reveal().tolist() == [50, 90]
    with pytest.raises(PolicyError, match="fewer than 10 rows are the difference"):
        frame.groupby(["ward", "sex"], domain=FINE).size().reveal()


@pytest.mark.parametrize("share", [False, True])
def test_bins_that_bins_of_another_histogram_make_up(fresh, share):
    ages = np.concatenate([np.full(20, 5), np.full(3, 15), np.full(20, 25), np.full(20, 35), np.full(20, 45)])
    frame = an.from_pandas(fresh, cut(shuffled(pd.DataFrame({"age": ages}))), policy=Policy())
    frame = frame.share() if share else frame
    fine, _ = frame["age"].histogram([0, 10, 20, 30, 40, 50]).reveal()
    assert np.ma.getmaskarray(fine).tolist() == [True, True, False, False, False]
    assert frame["age"].histogram([0, 20, 40, 50]).reveal()[0].tolist() == [23, 40, 20], "both are in one bin"
    frame = an.from_pandas(fresh, cut(shuffled(pd.DataFrame({"age": ages}))), policy=Policy())
    assert frame["age"].histogram([0, 10, 30, 50]).reveal()[0].tolist() == [20, 23, 40]
    with pytest.raises(PolicyError, match="fewer than 10 rows are the difference"):
        frame["age"].histogram([0, 10, 20, 30, 40, 50]).reveal()


def test_a_filter_that_bins_make_up(fresh):
    ages = np.concatenate([np.full(20, 5), np.full(3, 15), np.full(20, 25), np.full(20, 35), np.full(20, 45)])
    frame = an.from_pandas(fresh, cut(shuffled(pd.DataFrame({"age": ages, "id": range(83)}))), policy=Policy())
    frame["age"].histogram([0, 10, 20, 30, 40, 50]).reveal()
    with pytest.raises(PolicyError, match="fewer than 10 rows are the difference"):
        frame[(frame["age"] >= 10) & (frame["age"] < 40)]["age"].count().reveal()
    with pytest.raises(PolicyError, match="fewer than 10 rows are the difference"):
        frame[(frame["age"] >= 20) & (frame["age"] < 40) & (frame["id"] != 40)]["age"].count().reveal()


# --- sums that few rows make up ---------------------------------------------------------------------------------------


def spread(values, largest=50, two_largest=67):
    """Whether a sum may be shown; None within a ten thousandth of where it may."""
    sizes = sorted((fractions.Fraction(value) for value in np.abs(np.array(values, object))), reverse=True)
    total, ratios = sum(sizes), []
    if not total:
        return True
    for some, percent in ((sizes[:1], largest), (sizes[:2], two_largest)):
        ratios.append(sum(some) * 100 / total / percent)
    if any(abs(ratio - 1) < fractions.Fraction(1, 10**4) for ratio in ratios):
        return None
    return max(ratios) <= 1


def sums_shown(lists, order):
    """Which sums of cells are shown where all values have a cell: by the rules in words; None within a ten thousandth.
    order: in which cells of equal numbers of values come.
    """
    shown = [spread(values) for values in lists]
    left = [value for values, bit in zip(lists, shown, strict=True) if not bit for value in values]
    least = sorted(order, key=lambda at: len(lists[at]))
    fits = {at: spread([*left, *lists[at]]) for at in least if shown[at]}
    found = [*shown, spread([value for values in lists for value in values]), spread(left), *fits.values()]
    if None in found:
        return None
    if found[len(lists)] and not found[len(lists) + 1]:  # a total that may be shown would tell what may not
        other = next((at for at in least if fits.get(at)), None)
        shown = [bit and other not in {None, at} for at, bit in enumerate(shown)]
    elif shown.count(False) == 1 and True in shown:
        shown[next(at for at in least if shown[at])] = False
    return shown


scales = st.sampled_from([1.0, 1e-300, 1e300, 5e-324, 123.25])
integers = st.integers(-(2**63), 2**63 - 1) | st.integers(-5, 5)
drawn = st.one_of(
    st.lists(st.lists(integers, min_size=4, max_size=6), min_size=3, max_size=3),
    st.lists(
        st.lists(st.builds(lambda x, scale: x * scale, st.floats(-100, 100), scales), min_size=4, max_size=6),
        min_size=3,
        max_size=3,
    ),
)
OPEN = Policy(min_rows=3, residual_df=1, rows_per_bin=1)


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn, st.integers(0, 99))
@pytest.mark.slow
def test_owners_values_of_any_scale(running, lists, seed):
    rows = [(group, value) for group, values in enumerate(lists) for value in values]
    table = shuffled(pd.DataFrame(rows, columns=["g", "x"]), seed)
    frame = an.from_pandas(running, cut_in_three(table), policy=OPEN)
    groups = frame.groupby("g", domain={"g": [0, 1, 2]})["x"].agg(["sum", "count"]).reveal()
    alone = sums_shown(lists, range(3))
    if alone is None:
        return
    assert (~groups["sum"].isna()).tolist() == alone
    assert groups["count"].tolist() == [len(values) for values in lists]
    whole = spread([value for values in lists for value in values])
    if whole is not None:
        for query in (frame["x"].sum(), frame["x"].mean()):
            assert isinstance(query.reveal(), Withheld) != whole


small = st.lists(
    st.lists(st.floats(-100, 100).map(lambda x: round(x * 256) / 256), min_size=4, max_size=6), min_size=3, max_size=3
)


@settings(max_examples=4, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(small, st.integers(0, 99))
@pytest.mark.slow
def test_shares_and_groups_of_private_keys(running, lists, seed):
    rows = [(group, value) for group, values in enumerate(lists) for value in values]
    table = shuffled(pd.DataFrame(rows, columns=["g", "x"]), seed)
    frame = an.from_pandas(running, cut_in_three(table), policy=OPEN)
    shares = frame.share()
    whole, beside = (
        spread([x for xs in lists for x in xs]),
        [sums_shown(lists, p) for p in itertools.permutations(range(3))],
    )
    if None in (whole, *beside):
        return
    assert isinstance(shares["x"].sum().reveal(), Withheld) != whole
    for found in (shares.groupby("g", domain={"g": [0, 1, 2]})["x"].sum(), frame.groupby("g")["x"].sum()):
        assert (~found.reveal().isna()).tolist() in beside


LARGE, SMALL = [1000.0] * 30, [1.0] * 20
CELLS = {"a": [1000.0, *SMALL], "b": SMALL * 2, "c": LARGE, "d": LARGE * 2}
NAMES = {"g": list("abcd")}
TOTALS = {
    "held": lambda frame: frame.groupby("g", domain=NAMES)["x"].sum(),
    "shared": lambda frame: frame.share(domain=NAMES).groupby("g", domain=NAMES)["x"].mean(),
    "of private keys": lambda frame: frame.groupby("g")["x"].sum(),
    "beyond the groups": lambda frame: frame.groupby("g", domain={"g": list("bcd")})["x"].sum(),
    "beyond chosen ones": lambda f: f[f["g"] != "a"].groupby("g", domain=NAMES)["x"].sum(),
    "beyond some": lambda f: f[f["g"] != "a"].groupby("g", domain={"g": list("bd")})["x"].sum(),
    "beyond shared ones": lambda f: f.share(domain=NAMES).groupby("g", domain={"g": list("bcd")})["x"].sum(),
}


@pytest.mark.parametrize("name", TOTALS)
@pytest.mark.few(3)
def test_what_a_total_leaves_of_the_sums_that_are_shown_is_no_sum_of_few(fresh, name):
    """1000 and 20 or 60 ones would be left, once the least group is withheld beside the one that 1000 is in."""
    table = shuffled(pd.DataFrame([(group, x) for group, values in CELLS.items() for x in values], columns=["g", "x"]))
    frame = an.from_pandas(fresh, cut(table), policy=Policy())
    assert frame["x"].sum().reveal() == sum(map(sum, CELLS.values()))
    found = TOTALS[name](frame).reveal()
    assert found.dropna().index.tolist() == ["b", "d"]
    assert found.withheld.str.contains("one is above 50 % of").all()


@pytest.mark.parametrize("share", [False, True])
def test_nor_what_it_leaves_of_a_filter(fresh, share):
    table = shuffled(pd.DataFrame([(group, x) for group, values in CELLS.items() for x in values], columns=["g", "x"]))
    frame = an.from_pandas(fresh, cut(table), policy=Policy())
    frame = frame.share(domain=NAMES) if share else frame
    for query in (frame[frame["g"] != "a"]["x"].sum(), frame[frame["g"] != "a"]["x"].mean()):
        assert isinstance(query.reveal(), Withheld)
    assert frame[frame["g"] != "c"]["x"].sum().reveal() == 61060
    assert frame[frame["g"] != "a"]["x"].count().reveal() == 130


def test_nor_where_nothing_that_is_shown_may_be_added(fresh):
    """... then none is shown; without a total that may be shown, all are that may be by themselves, but for one."""
    for lists, shown in (
        ({"a": [1000.0, *SMALL], "b": [25.0] * 20, "c": [50.0] * 12}, []),
        ({"a": [9000.0, *SMALL], "b": SMALL, "c": [90.0] * 12}, ["b"]),
    ):
        table = pd.DataFrame([(group, x) for group, values in lists.items() for x in values], columns=["g", "x"])
        frame = an.from_pandas(fresh, cut(shuffled(table)), policy=Policy())
        found = frame.groupby("g", domain={"g": list("abc")})["x"].sum().reveal()
        assert found.dropna().index.tolist() == shown, frame["x"].sum().reveal()


def test_what_the_defaults_are(fresh):
    salaries = [100.0] * 18
    frame = an.from_pandas(fresh, cut(pd.DataFrame({"pay": [*salaries, 950.0, 950.0]})), policy=Policy())
    assert frame["pay"].sum().reveal() == 3700
    assert "none above 50 % of it, no two above 67 %" in frame["pay"].mean().explain()
    frame = an.from_pandas(fresh, cut(pd.DataFrame({"pay": [*salaries, 1900.0, 1900.0]})), policy=Policy())
    for query in (frame["pay"].sum(), frame["pay"].mean(), frame.share()["pay"].mean()):
        result = query.reveal()
        assert isinstance(result, Withheld)
        assert "one is above 50 % of it, or two above 67 %" in result.reason
    assert frame["pay"].count().reveal() == 20
    policy = Policy(largest=100, two_largest=80)
    frame = an.from_pandas(fresh, cut(pd.DataFrame({"pay": [*salaries, 1900.0, 1900.0]})), policy=policy)
    assert frame["pay"].sum().reveal() == 5600


def test_missing_values_do_not_tell_how_many_are_in_no_group(fresh):
    """30 and 18 of 60 rows leave 12; that 10 of these lack a value would say that 2 have another one."""
    table = pd.DataFrame({"ward": ["a"] * 30 + ["b"] * 18 + ["c"] * 2 + [None] * 10})
    frame = an.from_pandas(fresh, cut(shuffled(table)), policy=Policy(min_rows=K))
    with pytest.raises(PolicyError, match="fewer than 4 rows are the difference"):
        frame["ward"].value_counts(domain=["a", "b"], dropna=False).reveal()
    whole = an.from_pandas(fresh, cut(shuffled(table.replace("c", "b"))), policy=Policy(min_rows=K))
    counts = whole["ward"].value_counts(domain=["a", "b"], dropna=False).reveal()
    assert counts.tolist() == [30, 20, 10]


@pytest.mark.parametrize("share", [False, True])
def test_nor_does_a_count_of_the_keys(fresh, share):
    table = pd.DataFrame({"ward": ["a"] * 30 + ["b"] * 18 + ["c"] * 2 + [None] * 10, "x": 1})
    frame = an.from_pandas(fresh, cut(shuffled(table)), policy=Policy(min_rows=K))
    frame = frame.share(domain={"ward": ["a", "b", "c"]}) if share else frame
    assert frame["ward"].count().reveal() == 50
    groups = frame.groupby("ward", domain=["a", "b"])
    assert groups.size().reveal().dropna().to_dict() == {"a": 30}
    assert groups["x"].sum().reveal().dropna().to_dict() == {"a": 30}


# --- what results say of it -------------------------------------------------------------------------------------------


def test_results_say_what_was_withheld(fresh):
    sizes = {"a": 12, "b": 3, "c": 15, "d": 20}
    table = pd.DataFrame({"ward": np.repeat(list(sizes), list(sizes.values())), "x": 1.0, "y": 2.0})
    frame = an.from_pandas(fresh, cut(shuffled(table)), policy=Policy())
    found = frame.groupby("ward", domain={"ward": list(sizes)}).agg({"x": ["sum"], "y": ["count"]}).reveal()
    reasons = found.withheld
    assert reasons.index.tolist() == [(w, c, f) for c, f in (("x", "sum"), ("y", "count")) for w in "ab"]
    assert reasons.str.contains("fewer than 10 values are behind it").all()
    assert found.sort_index(ascending=False).withheld.index.tolist() == reasons.index.tolist()
    counts = frame["ward"].value_counts(domain=list(sizes)).reveal()
    assert sorted(counts.withheld.index) == ["a", "b"]
    one = frame[frame["ward"] == "b"]["x"].sum().reveal()
    assert one.withheld == {(): one.reason}
    text = an.sql(
        "SELECT ward, SUM(x) AS s FROM visits GROUP BY ward ORDER BY ward", visits=frame, domain={"ward": list(sizes)}
    )
    assert text.reveal().withheld.index.tolist() == [(0, "s"), (1, "s")]


def test_tables_of_others_are_as_they_were(fresh):
    frame = an.from_pandas(fresh, {"alice": pd.DataFrame({"g": ["a"] * 3, "x": [1, 2, 3]})})
    assert frame.groupby("g", domain={"g": ["a"]})["x"].sum().reveal().withheld.empty
    own = pd.DataFrame({"withheld": [1, 2]})
    assert own.withheld.tolist() == [1, 2]
    with pytest.raises(AttributeError, match="no result"):
        _ = pd.DataFrame({"x": [1]}).withheld
    assert not hasattr(pd.Series([1]), "withheld")
    assert pd.Series({"withheld": 7}).withheld == 7


def test_bins_and_groups_are_no_finer_than_the_chosen_rows(fresh):
    table = pd.DataFrame({"x": np.arange(60), "g": np.arange(60) % 5})
    frame = an.from_pandas(fresh, cut(shuffled(table)), policy=Policy(min_rows=3, **FREE))
    for groups, word in (
        (frame["x"].histogram(21, (0, 60)), "21 bins"),
        (frame.groupby("g", domain={"g": list(range(21))}).size(), "21 groups"),
    ):
        with pytest.raises(PolicyError, match=f"has {word} for 60 rows, the policy allows 20"):
            groups.reveal()
    few = frame[frame["x"] < 30]
    counts, _ = few["x"].histogram(10, range=(0, 60)).reveal()
    assert not np.ma.getmaskarray(counts).any()
    fresh_one = an.from_pandas(fresh, cut(shuffled(table)), policy=Policy(min_rows=3, **FREE))
    counts, _ = fresh_one[fresh_one["x"] < 30]["x"].histogram(11, range=(0, 66)).reveal()
    assert np.ma.getmaskarray(counts).all(), "30 values in 11 bins"
