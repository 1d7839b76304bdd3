"""Where a policy names whose rows are whose, nothing is told of few of them, however many rows they have."""

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import analytics as an
import icm_ray as icm
from icm_ray.config import EngineConfig
from icm_ray.errors import ColumnError, PolicyError
from icm_ray.policy import Policy
from icm_ray.query.withheld import Withheld
from icm_ray.runtime.carriers.threads import ThreadEngine

pytestmark = pytest.mark.usefixtures("derived_once")

K = 4
NEAR = "fewer than 4 rows are the difference"
WARDS = ["a", "b", "c"]


def visits():
    """20 patients, of whom number 7 has 40 visits, each other one 3; they stay in one ward."""
    patients = np.repeat(np.arange(20), [40 if patient == 7 else 3 for patient in range(20)])
    table = pd.DataFrame({"patient": patients, "cost": 10.0 + np.arange(patients.size) % 9})
    return table.assign(ward=np.array(WARDS)[table["patient"] % 3], age=20 + table["patient"] * 3).sample(
        frac=1, random_state=1, ignore_index=True
    )


@pytest.fixture(scope="module")
def engine():
    with ThreadEngine(("alice", "bob"), config=EngineConfig(partition_bytes=1 << 20)) as made:
        yield made


def framed(engine, table=None, **rules):
    table = visits() if table is None else table
    return an.from_pandas(engine, {"alice": table}, policy=Policy(**{"min_rows": K, "entity": "patient"} | rules))


def test_a_patient_with_many_visits_is_not_told(engine):
    """40 visits are more than k rows: by rows alone they would be shown, and so would all others' be."""
    table = visits()
    by_rows = framed(engine, table, entity="")
    assert by_rows[by_rows["patient"] == 7]["cost"].sum().reveal() == table["cost"][table["patient"] == 7].sum()
    frame = framed(engine)
    for rows in (frame[frame["patient"] == 7], frame[frame["patient"] != 7], frame[frame["patient"] < 3]):
        for query in (rows["cost"].sum(), rows["cost"].count(), rows["cost"].mean(), rows["cost"].std()):
            assert isinstance(query.reveal(), Withheld)
        assert "fewer than 4 different patient are behind it" in rows["cost"].sum().reveal().reason
    assert frame["cost"].sum().reveal() == table["cost"].sum()
    four = framed(engine)
    assert four[four["patient"] < 4]["cost"].count().reveal() == 12


def test_nor_by_conditions_bins_and_groups(engine):
    table = visits()
    assert isinstance((framed(engine)["patient"] == 7).sum().reveal(), Withheld)
    frame = framed(engine)
    assert isinstance(frame["cost"].where(frame["patient"] == 7, 0).sum().reveal(), Withheld)
    rare = table.assign(ward=np.where(table["patient"] == 7, "d", table["ward"]))
    found = framed(engine, rare).groupby("ward", domain={"ward": [*WARDS, "d"]})["cost"].agg(["sum", "count"]).reveal()
    assert found["count"].isna().sum() == 2, "d, and the least of the others"
    assert found.isna().loc["d"].all()
    counts, _ = framed(engine)["patient"].histogram([0, 7, 8, 20]).reveal()
    assert np.ma.getmaskarray(counts).tolist() == [True, True, False]
    few = framed(engine)["patient"].histogram([0, 10, 18]).reveal()[0]
    assert np.ma.getmaskarray(few).sum() == 1, "a patient is in no bin"


def test_nor_by_more_groups_than_there_are_patients_for(engine):
    """12 patients, each with a row in every group: 60 rows are enough for 5 groups, 12 patients are not."""
    table = pd.DataFrame({"patient": np.repeat(np.arange(12), 5), "g": np.tile([*"abcde"], 12), "h": [*range(5)] * 12})
    frame = framed(engine, table, min_rows=3, rows_per_bin=3)
    assert np.ma.getmaskarray(frame["h"].histogram(range(6)).reveal()[0]).all()
    assert frame.groupby("g", domain=[*"abcde"])["h"].count().reveal().isna().all()
    other = framed(engine, table, min_rows=3, rows_per_bin=2)
    assert other.groupby("g", domain=[*"abcde"])["h"].count().reveal().tolist() == [12] * 5


def test_two_filters_are_not_subtracted(engine):
    table = visits()
    frame = framed(engine)
    old = frame[frame["age"] >= 35]
    assert old["cost"].sum().reveal() == table["cost"][table["age"] >= 35].sum()
    assert frame[frame["age"] >= 47]["cost"].count().reveal() == (table["age"] >= 47).sum(), "four patients apart"
    for other in (frame[(frame["age"] >= 35) & (frame["patient"] != 7)], frame[frame["age"] >= 44]):
        with pytest.raises(PolicyError, match=NEAR):
            other["cost"].sum().reveal()
    with pytest.raises(PolicyError, match=NEAR):
        frame["age"].histogram([20, 44, 80]).reveal()


def test_what_one_patient_has_of_a_sum_is_one_contribution(engine):
    """40 visits of 1,000 each: none is much of the sum, all together are."""
    table = visits()
    rich = table.assign(cost=table["cost"].where(table["patient"] != 7, 100.0))
    assert not isinstance(framed(engine, rich, entity="")["cost"].sum().reveal(), Withheld)
    for query in (framed(engine, rich)["cost"].sum(), framed(engine, rich)["cost"].mean()):
        result = query.reveal()
        assert isinstance(result, Withheld)
        assert "one is above 50 % of it" in result.reason
    share = Fraction(4000, int(rich["cost"].sum()))
    allowed = int(share * 100) + 1
    assert framed(engine, rich, largest=allowed, two_largest=99)["cost"].sum().reveal() == rich["cost"].sum()
    assert isinstance(framed(engine, rich, largest=allowed - 1, two_largest=99)["cost"].sum().reveal(), Withheld)


many = st.lists(st.integers(0, 5), min_size=9, max_size=9)


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(many, st.integers(0, 9))
def test_cells_of_patients_who_stay_in_one_are_shown_by_their_number(engine, rows, seed):
    patients = np.repeat(np.arange(9), rows)
    if patients.size < 6:
        return
    table = pd.DataFrame({"patient": patients, "ward": np.where(patients < 5, "a", "b"), "x": 1})
    table = table.sample(frac=1, random_state=seed, ignore_index=True)
    frame = framed(engine, table, min_rows=3, largest=100, two_largest=100, rows_per_bin=1)
    found = frame.groupby("ward", domain={"ward": ["a", "b"]})["x"].sum().reveal()
    numbers = [len(set(patients[table_part])) for table_part in (patients < 5, patients >= 5)]
    fine = all(number >= 3 for number in numbers)
    if fine:
        assert found.tolist() == [int((patients < 5).sum()), int((patients >= 5).sum())]
    elif all(numbers):
        assert found.isna().all(), "one of two is told by the total"
    for ward, number in zip("ab", numbers, strict=True):
        if number < 3 and ward in found.index:
            assert np.isnan(found[ward])


def test_rows_that_lack_a_name_are_one_entity_s(engine):
    table = visits().assign(patient=lambda table: [None if p < 4 else f"p{p}" for p in table["patient"]])
    frame = framed(engine, table)
    assert isinstance(frame[frame["patient"].isna()]["cost"].count().reveal(), Withheld)
    assert frame["cost"].count().reveal() == len(table)


@pytest.mark.parametrize(
    ("ask", "says"),
    [
        (lambda frame: frame["cost"].median(), "does not say how many are beside median"),
        (lambda frame: frame["ward"].nunique(domain=WARDS), "does not say how many are beside nunique"),
        (lambda frame: frame.groupby("ward")["cost"].sum(), "not done of private groups"),
        (lambda frame: frame[["cost"]].share()["cost"].sum(), "not done of shares"),
        (lambda frame: an.concat([frame, framed(frame._dataset.engine)])["cost"].sum(), "is not concatenated"),
    ],
)
def test_what_is_not_counted_by_entities_is_refused(engine, ask, says):
    with pytest.raises(PolicyError, match=says):
        ask(framed(engine)).reveal()


def test_columns_and_lanes_that_do_not_go_with_it(engine):
    with pytest.raises(ColumnError, match="patients"):
        framed(engine, entity="patients")["cost"].sum().reveal()
    with pytest.raises(PolicyError, match="whole numbers or text, and it is float"):
        framed(engine, entity="cost")["cost"].sum().reveal()
    small = EngineConfig(partition_bytes=400)
    with ThreadEngine(("alice", "bob"), lanes=2, config=small) as two, pytest.raises(PolicyError, match="in one lane"):
        framed(two)["cost"].sum().reveal()
    with pytest.raises(icm.InputError, match="left out beside noise"):
        Policy(name="visits", entity="patient", noise=icm.Noise(scale=1))


def test_explain_says_whom_it_counts(engine):
    assert "policy: at least 4 different patient behind a revealed number" in framed(engine)["cost"].sum().explain()
    assert (
        "at least 4 different patient behind every revealed number" in Policy(min_rows=4, entity="patient").in_words()
    )
