"""Noise by cell keys: the same rows have the same noise in whatever words they are asked for, no rows have none."""

import itertools

import numpy as np
import pandas as pd
import pytest

import analytics as an
from icm_ray.config import EngineConfig
from icm_ray.errors import PolicyError
from icm_ray.owner.record_keys import row_keys
from icm_ray.policy import Noise, Policy
from icm_ray.query.cell_keys import LOG2_KEYS, _steps, deviation_of_keys, largest_of_keys
from icm_ray.runtime.carriers.threads import ThreadEngine

pytestmark = pytest.mark.usefixtures("derived_once")

WARDS = ["a", "b", "c"]
AGES = 100
TABLE = pd.DataFrame({"age": np.arange(12 * AGES) % AGES, "cost": 1.5}).assign(
    ward=lambda table: np.array(WARDS)[table["age"] % 3],
    lab=lambda table: table["cost"].where(table.index % 2 == 0),
)
SCALE = 3.0


@pytest.fixture(scope="module")
def engine():
    """Of two lanes: keys of a table are added up in each; what is asked in the next session is asked of one."""
    with ThreadEngine(("alice", "bob"), ("carol",), lanes=2, config=EngineConfig(partition_bytes=16_000)) as made:
        yield made


NAMES = map("visits-{}".format, itertools.count())


def framed(engine, name=None):
    rules = Policy(name=name or next(NAMES), min_rows=3, noise=Noise(kind="cell_key", scale=SCALE))
    return an.from_pandas(engine, {"alice": TABLE[:500], "carol": TABLE[500:]}, policy=rules)


def test_the_table_is_a_gaussian_that_is_0_at_the_first_key():
    ups, falls = _steps(SCALE)
    largest = largest_of_keys(SCALE)
    keys = np.arange(1 << LOG2_KEYS)
    noise = sum((keys >= up).astype(int) for up in ups) - 2 * largest * (keys >= falls)
    assert noise[0] == noise[-1] == noise.sum() == 0
    assert (noise.min(), noise.max()) == (-largest, largest) == (-9, 9)
    assert noise.std() == pytest.approx(deviation_of_keys(SCALE)) == pytest.approx(SCALE, rel=0.03)
    found = np.bincount(noise + largest)
    expected = np.exp(-(np.arange(-largest, largest + 1) ** 2) / (2 * SCALE**2))
    np.testing.assert_allclose(found, expected / expected.sum() * keys.size, atol=20)


def test_what_is_opened_is_off_as_the_table_says(engine):
    frame = framed(engine)
    counts, _ = frame["age"].histogram(AGES, range=(0, AGES)).reveal()
    away = np.asarray(counts) - 12
    assert np.abs(away).max() <= 9
    assert abs(away.mean()) < 5 * SCALE / 10
    assert 2 < away.std() < 4, "100 draws, 4.5 deviations"
    assert frame["age"].count().reveal() == len(TABLE), "the number of rows is public"


def test_the_same_rows_have_the_same_noise_in_other_words(engine):
    frame = framed(engine)
    counts, _ = frame["age"].histogram([0, 30, 60, 100]).reveal()
    for rows in (
        frame[frame["age"] < 30],
        frame[~(frame["age"] > 29)],
        frame[frame["age"] * 2 < 60],
    ):
        assert rows["age"].count().reveal() == counts[0]
    table = frame.groupby("ward", domain={"ward": WARDS}).size().reveal()
    assert (
        table["b"]
        == frame[frame["ward"] == "b"]["cost"].count().reveal()
        == frame[frame["age"] % 3 == 1].count_rows().reveal()
    )
    assert frame["ward"].value_counts(domain=[*WARDS, "d"]).reveal()["c"] == table["c"]


def test_no_rows_have_no_noise_and_others_have_their_own(engine):
    frame = framed(engine)
    counts, _ = frame["age"].histogram([-20, 0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 120]).reveal()
    assert counts[0] == counts[-1] == 0
    assert len({int(count) for count in counts[1:-1]}) > 2, "each has 120 rows"


def test_explain_says_how_large_it_is(engine):
    query = framed(engine)["age"].histogram([0, 50, 100])
    told = f"noise: of cell keys, from -9 to 9: standard deviation {deviation_of_keys(SCALE):.3g}"
    assert told in query.explain()
    assert dict(query.error.noise) == {"count": deviation_of_keys(SCALE)}


@pytest.mark.parametrize(
    ("ask", "says"),
    [
        (lambda frame: frame["cost"].sum(), "gives noise to counts and histograms alone"),
        (lambda frame: (frame["age"] > 3).mean(), "gives noise to counts and histograms alone"),
        (lambda frame: frame["age"].median(), "gives noise to counts and histograms alone"),
        (lambda frame: frame["ward"].value_counts(), "state domain="),
        (lambda frame: frame[["age"]].share()["age"].histogram([0, 50, 100]), "to rows that owners hold alone"),
    ],
)
def test_what_has_no_cell_keys_is_refused(engine, ask, says):
    with pytest.raises(PolicyError, match=says):
        ask(framed(engine)).reveal()


def test_keys_of_rows_do_not_depend_on_how_a_table_is_cut():
    whole = row_keys(b"s" * 32, 0, 200_000)
    for start, rows in ((0, 5), (65_530, 20), (65_536, 65_536), (131_000, 69_000)):
        np.testing.assert_array_equal(row_keys(b"s" * 32, start, rows), whole[start : start + rows])
    assert (row_keys(b"t" * 32, 0, 1000) != whole[:1000]).any()


def test_rows_that_are_read_again_have_the_same_keys_and_so_has_the_next_session(tmp_path):
    """... of the rows of parties, which keep ledgers."""
    found = []
    for _ in range(2):
        with ThreadEngine(("alice", "bob"), config=EngineConfig(ledger=str(tmp_path))) as running:
            rules = Policy(name="visits", noise=Noise(kind="cell_key", scale=SCALE))
            for _ in range(2):
                frame = an.from_pandas(running, {"alice": TABLE[:500], "bob": TABLE[500:]}, policy=rules)
                found.append(frame["age"].histogram([0, 10, 20, 30, 40, 100]).reveal()[0].tolist())
                frame.forget()
    assert all(counts == found[0] for counts in found)
    assert found[0] != [120, 120, 120, 120, 720]
