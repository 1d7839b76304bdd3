"""What a computed column chooses, or a frame before it is shared, is held like a filter; rows are there once."""

import msgspec
import numpy as np
import pandas as pd
import pytest

import analytics as an
from icm_ray.config import EngineConfig
from icm_ray.errors import InputError, PolicyError, ProgramError
from icm_ray.policy import Policy
from icm_ray.query.withheld import Withheld
from icm_ray.runtime.carriers.threads import ThreadEngine
from tests.twins import twin

pytestmark = pytest.mark.usefixtures("derived_once")

change = msgspec.structs.replace
N = 90
TABLE = pd.DataFrame(
    {
        "id": np.arange(N),
        "age": np.concatenate([np.arange(76), [77], np.full(13, 80)]),
        "cost": np.arange(N) * 1.5 + 100,
        "ill": np.arange(N) < 5,
        "ward": ["a", "b", "c"] * 30,
        "gap": [None if at % 9 == 0 else float(at) for at in range(N)],
    }
)
WARDS = {"ward": ["a", "b", "c"]}
NEAR = "fewer than 10 rows are the difference"


@pytest.fixture(scope="module")
def engine():
    with ThreadEngine(("alice", "bob"), ("carol",), config=EngineConfig(partition_bytes=600)) as made:
        yield made


@pytest.fixture
def frame(engine):
    return framed(engine)


def framed(engine, **rules):
    return an.from_pandas(engine, {"alice": TABLE[:40], "carol": TABLE[40:]}, policy=Policy(**rules))


@pytest.mark.parametrize("share", [True, False])  # the first is quick
@pytest.mark.few(1)
def test_a_sum_of_a_condition_is_a_count(engine, share):
    def rows_of(frame):
        return frame[["id", "age", "ill"]].share() if share else frame

    rows, others = rows_of(framed(engine)), rows_of(framed(engine))
    for few in (rows["ill"], ~rows["ill"], others["id"] == 50, others["id"] != 50):
        for query in (few.sum(), few.mean(), few.std()):
            assert isinstance(query.reveal(), Withheld)
    assert (rows["age"] >= 40).mean().reveal() == (TABLE["age"] >= 40).mean()
    assert (rows["age"] >= 200).sum().reveal() == 0
    assert rows["ill"].count().reveal() == N, "how many values there are says nothing of which"


@pytest.mark.slow
def test_a_condition_is_a_count_in_each_group(frame):
    for domain in (WARDS, None):
        assert frame.groupby("ward", domain=domain)["ill"].agg("sum").reveal().isna().all()
        ages = frame.assign(old=frame["age"] >= 40).groupby("ward", domain=domain)["old"].agg("sum").reveal()
        assert ages.tolist() == (TABLE["age"] >= 40).groupby(TABLE["ward"]).sum().tolist()


@pytest.mark.parametrize("share", [True, False])  # the first is quick
@pytest.mark.few(1)
def test_a_group_in_which_few_are_chosen_is_not_told_by_the_others(engine, share):
    """5 rows of ward a are chosen, 20 of each other one: the sum of all chosen, minus the others, would be theirs."""
    for domain in (WARDS,) if share else (WARDS, None):
        rows = framed(engine)
        rows = rows[["id", "cost", "ward"]].share(domain=WARDS) if share else rows
        chosen = rows["cost"].where(((rows["ward"] != "a") & (rows["id"] < 60)) | (rows["id"] < 15), 0)
        found = rows.assign(chosen=chosen).groupby("ward", domain=domain)["chosen"].agg("sum").reveal()
        assert found.count() == 1, "the least of the others is withheld, too"


def test_zeros_that_are_hidden_are_hidden_in_sums_of_conditions(engine):
    assert isinstance((framed(engine, hide_zeros=True)["age"] >= 200).sum().reveal(), Withheld)


@pytest.mark.parametrize("share", [True, False])  # the first is quick
@pytest.mark.few(1)
def test_a_column_that_leaves_one_out_or_picks_one(frame, share):
    rows = frame[["id", "cost"]].share() if share else frame
    one = rows["id"] == 50
    for column in (rows["cost"].where(~one), rows["cost"].where(one, 0), rows["cost"] * one.where(one, False)):
        assert isinstance(column.sum().reveal(), Withheld)
    assert isinstance(rows["cost"].where(~one).count().reveal(), Withheld)


def test_other_statistics_of_a_column_that_picks_one(frame):
    one = frame["cost"].where(frame["id"] == 50, 0)
    for query in (one.var(), one.skew(), one.corr(frame["age"]), frame["age"].cov(one)):
        assert isinstance(query.reveal(), Withheld)
    whole = frame["age"].where(frame["id"] == 50, 0)
    assert isinstance(whole.nunique(domain=[50]).reveal(), Withheld)
    undefined = (frame["id"] - 50) / (frame["id"] - 50)
    assert isinstance(undefined.sum().reveal(), Withheld), "it lacks a value where nothing that it is made of does"


@pytest.mark.parametrize("share", [True, False])  # the first is quick
@pytest.mark.few(1)
def test_what_columns_choose_is_in_the_ledger(frame, share):
    rows = frame[["id", "age", "cost"]].share() if share else frame
    old = rows["age"] >= 40
    expected = TABLE["cost"].where(TABLE["age"] >= 40, 0).sum()
    assert rows["cost"].where(old, 0).sum().reveal() == pytest.approx(expected)
    for query in (
        rows["cost"].where(old & (rows["id"] != 60), 0).sum(),
        rows[old & (rows["id"] != 60)]["cost"].sum(),
        (old & (rows["id"] != 60)).sum(),
    ):
        with pytest.raises(PolicyError, match=NEAR):
            query.reveal()


def test_what_is_missing_in_plain_columns_is_no_choice(frame):
    there = TABLE["gap"]
    assert frame["gap"].mean().reveal() == there.mean()
    assert (frame["gap"] / 2).mean().reveal() == (there / 2).mean()
    assert frame["gap"].fillna(0).sum().reveal() == there.fillna(0).sum()
    assert all(told.of_values for told in frame._dataset.answered.sets)
    assert frame["gap"].corr(frame["cost"]).reveal() == pytest.approx(there.corr(TABLE["cost"]))


LACKING = TABLE.assign(
    one=[None if at == 50 else 1.0 for at in range(N)], two=[None if at == 50 else float(at) for at in range(N)]
)
BESIDE = {
    "a product": lambda frame: frame["cost"] * frame["one"],
    "a sum": lambda frame: frame["one"] - frame["cost"],
    "a choice": lambda frame: frame["cost"].where(frame["one"].notna(), 0),
    "the others": lambda frame: frame["cost"].where(frame["one"].isna() & frame["two"].isna()),
    "what is filled in": lambda frame: (frame["one"] * 100).fillna(frame["cost"]),
    "a filled factor": lambda frame: frame["one"].fillna(0) * frame["cost"],
    "nothing divided by nothing": lambda frame: ((frame["id"] - 50) / (frame["id"] - 50)).fillna(0) * frame["cost"],
}


@pytest.mark.parametrize("name", BESIDE)
@pytest.mark.few(1)
def test_a_row_that_lacks_a_value_is_not_told_by_another_column(engine, name):
    """Of row 50 the sums of costs with and without it would tell the cost."""
    frame = an.from_pandas(engine, {"alice": LACKING[:40], "carol": LACKING[40:]}, policy=Policy())
    assert frame["cost"].sum().reveal() == TABLE["cost"].sum()
    column = BESIDE[name](frame)
    for query in (column.sum(), column.mean(), column.std()):
        assert isinstance(query.reveal(), Withheld)
    with pytest.raises(PolicyError, match=NEAR):
        frame.assign(x=column).groupby("ward", domain=WARDS)["x"].sum().reveal()


def test_nor_by_a_correlation_which_opens_variances_over_rows_that_have_both(engine):
    frame = an.from_pandas(engine, {"alice": LACKING[:40], "carol": LACKING[40:]}, policy=Policy())
    assert isinstance(frame["cost"].corr(frame["two"]).reveal(), Withheld)
    assert frame["one"].cov(frame["two"]).reveal() == 0


def test_columns_that_lack_the_same_rows_or_many_are_computed_with(engine):
    frame = an.from_pandas(engine, {"alice": LACKING[:40], "carol": LACKING[40:]}, policy=Policy())
    assert (frame["one"] * frame["two"]).sum().reveal() == (LACKING["one"] * LACKING["two"]).sum()
    assert (frame["gap"] + frame["cost"]).sum().reveal() == (TABLE["gap"] + TABLE["cost"]).sum()
    assert (frame["two"].fillna(0) + (frame["age"] >= 40).astype("float")).sum().reveal() == (
        LACKING["two"].fillna(0) + (TABLE["age"] >= 40)
    ).sum()
    with pytest.raises(PolicyError, match=NEAR):
        frame[frame["gap"].notna() & (frame["id"] != 50)]["cost"].sum().reveal()


# --- before sharing -----------------------------------------------------------------------------------------------


def test_rows_that_are_chosen_before_they_are_shared_leave_none_out(frame):
    assert frame["cost"].sum().reveal() == TABLE["cost"].sum()
    chosen = frame[frame["id"] != 50][["cost", "gap"]].share()
    assert isinstance(chosen["cost"].sum().reveal(), Withheld)
    with pytest.raises(PolicyError, match=r"choose them after \.share\(\)"):
        chosen["gap"].sum().reveal()


def test_a_shared_column_of_another_s_name_is_not_that_column(frame):
    assert frame[frame["age"] < 40]["cost"].count().reveal() == 40
    other = frame.assign(age=frame["age"] - 1)[["age", "cost"]].share()
    with pytest.raises(PolicyError, match="chosen or computed before they were shared"):
        other[other["age"] < 40]["cost"].sum().reveal()


def test_a_column_that_chooses_is_not_shared(frame):
    picked = frame.assign(one=frame["cost"].where(frame["id"] == 50, 0))[["one"]]
    with pytest.raises(PolicyError, match=r"compute it after \.share\(\)"):
        picked.share()


# --- edges by another name ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [False, True])
def test_edges_77_and_78_of_a_column_by_another_name(frame, share):
    rows = frame[["age", "id"]].share() if share else frame
    assert rows["age"].histogram([0, 40, 77, 100]).reveal()[0].tolist() == [40, 36, 14]
    with pytest.raises(PolicyError, match=NEAR):
        (rows["age"] + 0).histogram([0, 40, 78, 100]).reveal()


def test_edges_77_and_78_of_groups(frame):
    assert frame["age"].histogram([0, 40, 77, 100]).reveal()[0].tolist() == [40, 36, 14]
    with pytest.raises(PolicyError, match=NEAR):
        frame.groupby(an.cut(frame["age"], [-1, 39, 77, 100]))["cost"].agg("count").reveal()


def test_histograms_of_columns_that_have_nothing_to_do_with_one_another(engine):
    rng = np.random.default_rng(3)
    table = pd.DataFrame({"x": rng.normal(size=400), "y": rng.normal(size=400), "z": rng.normal(size=400)})
    frame = an.from_pandas(engine, {"alice": table[:200], "carol": table[200:]}, policy=Policy(min_rows=3))
    for name in table:
        counts = frame[name].histogram(8, range=(-4, 4)).reveal()[0]
        plain = np.histogram(table[name], 8, (-4, 4))[0]
        assert counts[~counts.mask].tolist() == plain[~counts.mask].tolist()


@pytest.mark.parametrize("share", [False, True])
def test_values_that_no_bin_holds_of_a_column_that_lacks_some(engine, share):
    """80 values, 3 of them beyond the bins: the number of values minus the bins would be about these."""
    table = TABLE.assign(gap=TABLE["gap"].where(TABLE["id"] < 87, 500.0))

    def counted(edges):
        frame = an.from_pandas(engine, {"alice": table[:40], "carol": table[40:]}, policy=Policy())
        frame = frame[["gap"]].share() if share else frame
        return frame["gap"].histogram(edges).reveal()[0]

    counts = counted([0, 30, 60, 100])
    inside = np.histogram(table["gap"].dropna(), [0, 30, 60, 100])[0]
    assert np.ma.getmaskarray(counts).sum() == 1, "the least of the others is withheld"
    assert counts[~counts.mask].tolist() == [n for n, bit in zip(inside, ~counts.mask, strict=True) if bit]
    assert not np.ma.getmaskarray(counted([0, 30, 60, 500])).any(), "all are in a bin"


# --- arithmetic that no condition is in -------------------------------------------------------------------------------


def test_an_order_statistic_of_a_column_that_holds_two(frame):
    both = 1000 * frame["id"] + frame["age"]
    shared = frame.assign(both=both)[["both", "id", "age"]].share()
    for column in (both, shared["both"], 1000 * shared["id"] + shared["age"], frame["cost"].where(both > 0, both)):
        for query in (column.median(), column.quantile(0.3)):
            with pytest.raises(PolicyError, match="does not allow that of a column computed of several"):
                query.reveal()
    assert both.mean().reveal() == (1000 * TABLE["id"] + TABLE["age"]).mean()
    assert (2 * frame["age"] + 1).median().reveal() == 2 * TABLE["age"].median() + 1
    named = framed(frame._dataset.engine, operations=("min", "max", "nlargest"))
    for query in ((named["id"] * 1000 + named["age"]).max(), (named["id"] * 1000 + named["age"]).nlargest(20)):
        with pytest.raises(PolicyError, match="computed of several"):
            query.reveal()


def test_an_order_statistic_of_a_value_and_conditions_beside_it(frame):
    """The median would be of one row, and say of it what each condition says; conditions that leave out are filters."""
    old, odd = frame["age"] >= 40, frame["id"] % 2 == 1
    for column in (2 * frame["age"] + frame["ill"], 2 * frame["age"] + odd * 1, frame["age"].where(odd, 0),
                   old.astype("int") * 2 + odd, frame["age"].where(frame["gap"].isna(), 0)):  # fmt: skip
        for query in (column.median(), column.quantile(0.3)):
            with pytest.raises(PolicyError, match="computed of several"):
                query.reveal()
    plainly = frame["age"].where(frame["age"] >= 40, 40).where(odd)
    expected = TABLE["age"].clip(lower=40)[TABLE["id"] % 2 == 1]
    assert plainly.median().reveal() == expected.median()


def test_how_long_it_is_from_one_time_to_another_is_one_value(engine):
    came = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(60), unit="D")
    table = pd.DataFrame({"came": came, "left": came + pd.to_timedelta(np.arange(60) % 7, unit="D")})
    frame = an.from_pandas(engine, {"alice": table[:30], "bob": table[30:]}, policy=Policy())
    assert (frame["left"] - frame["came"]).dt.days.median().reveal() == 3


def plain(engine):
    return framed(engine, expressions="plain")


@pytest.mark.parametrize(
    "column",
    [
        lambda frame: frame["cost"] * (1 // (1 + (frame["id"] - 7).abs())) + 1,
        lambda frame: frame["id"].clip(6, 7),
        lambda frame: frame["cost"] / (52 * frame["id"] + 1),
        lambda frame: frame["cost"] * frame["id"],
        lambda frame: (frame["id"] + 3) % 7,
        lambda frame: frame["id"] ** 2,
        lambda frame: (frame["cost"] + 0.25).round(),
        lambda frame: frame["cost"].astype("int"),
    ],
)
def test_arithmetic_that_bends_is_refused_where_expressions_are_plain(engine, column):
    frame = plain(engine)
    for query in (column(frame).sum(), column(frame).std(), column(frame).median()):
        with pytest.raises(PolicyError, match=r"the policy allows plain expressions, and .* is none"):
            query.reveal()
    with pytest.raises(PolicyError, match=r"and .* is none|what a column chooses before it is shared"):
        frame.assign(x=column(frame))[["x"]].share()


def test_plain_expressions(engine):
    frame = plain(engine)
    even = TABLE["age"] % 2 == 0
    for column, expected in (
        (2 * frame["cost"] - frame["age"] / 4 + 1, 2 * TABLE["cost"] - TABLE["age"] / 4 + 1),
        (frame["cost"].where(frame["age"] % 2 == 0, -frame["age"]), TABLE["cost"].where(even, -TABLE["age"])),
        ((frame["age"] * frame["id"]) % 3 == 0, (TABLE["age"] * TABLE["id"]) % 3 == 0),
        (frame["gap"].fillna(0) + (frame["age"] >= 40).astype("float"), TABLE["gap"].fillna(0) + (TABLE["age"] >= 40)),
    ):
        assert column.mean().reveal() == pytest.approx(expected.mean())
    assert (frame["cost"] * 3).median().reveal() == pytest.approx(TABLE["cost"].median() * 3)
    assert frame[frame["age"] % 2 == 0]["cost"].count().reveal() == even.sum()


# --- merges -------------------------------------------------------------------------------------------------------


def test_keys_and_columns_of_a_merge_choose_nothing(engine):
    """A key that two rows have where a condition holds would tell by the flag whether it does."""
    frame = framed(engine, operations=("merge", "sum"), largest=100, two_largest=100)
    other = an.from_pandas(engine, {"bob": TABLE[["id"]]})
    one = frame["id"] == 50
    for column in ({"id": frame["id"].where(~one, 51)}, {"cost": frame["cost"].where(one, 0)}):
        merged = an.merge(frame.assign(**column), other, on="id")
        with pytest.raises(PolicyError, match="chooses rows"):
            merged["cost"].sum().reveal()
    assert an.merge(frame, other, on="id")["cost"].sum().reveal() == pytest.approx(TABLE["cost"].sum())


# --- a driver that lies -------------------------------------------------------------------------------------------


def test_tables_that_are_described_twice(frame):
    """... would make three rows of one, and more than a policy asks for of few."""
    told = twin(frame, tables=frame._dataset.facts.tables * 10)
    for rows in (told, told[told["id"] == 50]):
        with pytest.raises(ProgramError, match="has rows twice"):
            rows["cost"].sum().reveal()


@pytest.mark.parametrize("edges", [(0, 100, 77), (0.0, float("nan")), (0,), tuple(range(5000))])
@pytest.mark.parametrize("share", [False, True])
def test_edges_that_no_histogram_has(frame, share, edges):
    """A bin whose ends are swapped would show -n for n of its values."""
    rows = frame[["age"]].share() if share else frame
    query = rows["age"].histogram([0, 40, 100])
    query._parts = [type(part)(part.dataset, change(part.statistic, edges=edges)) for part in query._parts]
    with pytest.raises((InputError, PolicyError), match=r"edges|bins"):
        query.reveal()
