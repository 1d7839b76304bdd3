"""Owners whose columns are alike but not equal: of another Arrow type, without values, at the ends of 64 bits."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import analytics as an
from icm_ray.errors import BoundError, ColumnError, InputError

MOST = 2**64 - 1


def held(fresh, one, other):
    return an.from_pandas(fresh, {"alice": one, "bob": other})


def of_ends(fresh):
    """Integers of which one owner has large ones, the other negative ones."""
    large = pa.table({"n": pa.array([MOST, MOST, 3], pa.uint64()), "x": [1.0, 2.0, 4.0]})
    return held(fresh, large, pa.table({"n": [-2, -1, 3], "x": [8.0, 16.0, 32.0]}))


def test_ranks_of_large_and_of_negative_integers(fresh):
    numbers = sorted([MOST, MOST, 3, -2, -1, 3])
    column = of_ends(fresh)["n"]
    assert [column.quantile(place / 5, interpolation="lower").reveal() for place in range(6)] == numbers


def test_groups_by_values_that_an_owners_type_does_not_hold(fresh):
    domain = [-2, -1, 3, MOST]
    sums = of_ends(fresh).groupby("n", domain={"n": domain})["x"].sum().reveal()
    assert sums.to_dict() == {-2: 8.0, -1: 16.0, 3: 36.0, MOST: 3.0}


@pytest.fixture
def without_values(fresh):
    numbers = pd.DataFrame({"k": [1, 2], "x": [0.5, 1.5]})
    return held(fresh, numbers, pd.DataFrame({"k": [1, 2], "x": [None, None]}))


def test_an_owner_without_values_in_groups_of_private_keys(without_values):
    assert without_values.groupby("k")["x"].sum().reveal().to_dict() == {1: 0.5, 2: 1.5}


def test_an_owner_without_values_shares_none(without_values):
    shared = without_values[["x"]].share()
    assert shared["x"].mean().reveal() == 1.0
    assert shared["x"].count().reveal() == 2


def test_zeros_of_both_signs_are_listed(fresh):
    frame = held(fresh, pd.DataFrame({"x": [-0.0, 0.0, 1.0]}), pd.DataFrame({"x": [5.0]}))
    assert frame["x"].isin([0.0, 5.0]).sum().reveal() == 3


def test_large_integers_where_floats_were_agreed_on(fresh):
    """... and what is said of them tells none."""
    frame = held(fresh, pd.DataFrame({"x": [2**53 + 1]}), pd.DataFrame({"x": [0.5]}))
    with pytest.raises(ColumnError, match="integers beyond 2\\^53") as caught:
        frame[frame["x"] > 1.0]["x"].count().reveal()
    assert str(2**53 + 1) not in str(caught.value)


def test_sums_of_large_floats_by_private_keys_are_refused(fresh):
    frame = held(fresh, pd.DataFrame({"k": [1, 1], "x": [1e300, -2e300]}), pd.DataFrame({"k": [1], "x": [0.0]}))
    with pytest.raises(BoundError):
        frame.groupby("k")["x"].sum().reveal()


def test_quotients_of_large_integers_are_refused(fresh):
    frame = held(fresh, pd.DataFrame({"n": [2**53 + 1], "by": [1]}), pd.DataFrame({"n": [7], "by": [2]}))
    with pytest.raises(BoundError, match="beyond 64 bits"):
        (frame["n"] // frame["by"]).sum().reveal()


def test_private_keys_of_many_batches(fresh, monkeypatch):
    """Groups are found batch by batch, and grouped again only now and then."""
    from icm_ray.owner import key_words

    monkeypatch.setattr(key_words, "_ROWS_AT_ONCE", 3)
    keys = np.arange(40) % 7
    batches = [pa.record_batch({"k": keys[start : start + 4]}) for start in range(0, 40, 4)]
    frame = held(fresh, pa.Table.from_batches(batches), pd.DataFrame({"k": [0, 9]}))
    sizes = frame.groupby("k").size().reveal()
    assert sizes.to_dict() == pd.Series([*keys, 0, 9]).value_counts().to_dict()


@pytest.mark.parametrize("text", ["0x1F", "+-5", "1.5", ""])
def test_text_that_is_no_whole_number(fresh, text):
    frame = held(fresh, pd.DataFrame({"word": [text]}), pd.DataFrame({"word": ["7"]}))
    with pytest.raises(ColumnError):
        frame["word"].astype("int").sum().reveal()


def test_text_that_is_a_whole_number(fresh):
    frame = held(fresh, pd.DataFrame({"word": ["+12", " -3 "]}), pd.DataFrame({"word": ["007"]}))
    assert frame["word"].astype("int").sum().reveal() == 16


def test_a_format_that_cannot_be_read(fresh):
    frame = held(fresh, pd.DataFrame({"day": ["1 2"]}), pd.DataFrame({"day": ["3 4"]}))
    with pytest.raises(InputError, match="no format of times"):
        an.to_datetime(frame["day"], format="%d %d")


def test_times_that_are_twice_on_the_clock_are_refused_beside_late_ones_too(fresh):
    twice = pd.Timestamp("2020-10-25T01:30", tz="UTC").tz_convert("Europe/Berlin")
    late = pd.Timestamp("2040-01-01", tz="Europe/Berlin")
    frame = held(fresh, pd.DataFrame({"t": [twice, late]}), pd.DataFrame({"t": [late]}))
    with pytest.raises(ColumnError):
        frame["t"].dt.floor("h").min().reveal()


def test_times_beyond_the_years_of_a_zone_are_refused(fresh):
    last = pa.table({"t": pa.array([253_402_300_799], pa.timestamp("s", "Asia/Tokyo"))})
    frame = held(fresh, last, last)
    with pytest.raises(ColumnError):
        frame["t"].dt.hour.max().reveal()
