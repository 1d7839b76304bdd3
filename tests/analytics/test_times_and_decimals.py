# ruff: noqa: DTZ001 - times without a zone are what is tested
"""Dates, times with and without zones, durations and decimals: row by row and in statistics what pandas finds."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import analytics as an
import icm_ray as icm
from icm_ray.config import EngineConfig
from icm_ray.errors import BoundError, ColumnError, InputError
from tests.analytics.conftest import Recording
from tests.analytics.row_by_row import listed, values

ZONE = "Europe/Berlin"
NOON = dt.datetime(2020, 2, 29, 12, 30, 15, 250_001)
TIMES_OF_DAY = st.one_of(
    st.none(),
    st.sampled_from((NOON, dt.datetime(2000, 1, 1))),
    st.datetimes(dt.datetime(1901, 1, 1), dt.datetime(2099, 1, 1)),
)
LENGTHS = st.one_of(st.none(), st.timedeltas(-dt.timedelta(9999), dt.timedelta(9999)))
PRICES = st.one_of(st.none(), st.decimals(-10_000, 10_000, places=2))
MOMENTS = st.tuples(
    TIMES_OF_DAY, TIMES_OF_DAY, TIMES_OF_DAY, st.one_of(st.none(), st.dates(dt.date(1900, 1, 1))), LENGTHS, PRICES
)
FIRST = (NOON, dt.datetime(1999, 12, 31, 23, 59), NOON, dt.date(2020, 2, 29), dt.timedelta(1, 3), Decimal("12.34"))
LACKS = (None,) * 6


def moments(rows):
    """The rows as pandas has them: times in microseconds and milliseconds, in a zone, dates, durations, decimals."""
    t, e, z, day, d, price = zip(FIRST, LACKS, *rows, strict=True)
    return pd.DataFrame(
        {
            "t": pd.Series(t, dtype="datetime64[us]"),
            "e": pd.Series(e, dtype="datetime64[us]").dt.floor("ms").astype("datetime64[ms]"),
            "z": pd.Series(z, dtype="datetime64[us]").dt.tz_localize("UTC").dt.tz_convert(ZONE),
            "day": pd.Series(day, dtype="object"),
            "d": pd.Series(d, dtype="timedelta64[us]"),
            "price": pd.Series(price, dtype=pd.ArrowDtype(pa.decimal128(12, 2))),
        }
    )


def as_times(column):
    """pandas has no parts of plain dates."""
    return pd.to_datetime(column) if isinstance(column, pd.Series) else column


def sure(condition):
    """pandas' comparisons of decimals, which are Arrow's, give missing values."""
    return condition.fillna(False) if isinstance(condition, pd.Series) else condition


def read(column, **settings):
    return (pd if isinstance(column, pd.Series) else an).to_datetime(column, **settings)


def written(frame, text):
    """A column of text where there is a time."""
    return frame["t"].isna().astype("string").mask(frame["t"].isna()).mask(frame["t"].notna(), text)


TIMES = {
    "year": lambda f: f["t"].dt.year,
    "month": lambda f: f["z"].dt.month,
    "day": lambda f: f["e"].dt.day,
    "hour": lambda f: f["z"].dt.hour,
    "minute": lambda f: f["t"].dt.minute,
    "second": lambda f: f["e"].dt.second,
    "microsecond": lambda f: f["t"].dt.microsecond,
    "nanosecond": lambda f: f["t"].dt.nanosecond,
    "day_of_week": lambda f: f["z"].dt.day_of_week,
    "day_of_week of dates": lambda f: as_times(f["day"]).dt.day_of_week,
    "day_of_year": lambda f: as_times(f["day"]).dt.day_of_year,
    "quarter": lambda f: f["t"].dt.quarter,
    "date": lambda f: f["t"].dt.date,
    "date in a zone": lambda f: f["z"].dt.date,
    "floor D": lambda f: f["z"].dt.floor("D"),
    "floor h": lambda f: f["t"].dt.floor("h"),
    "floor 15min": lambda f: f["t"].dt.floor("15min"),
    "floor 7D": lambda f: f["t"].dt.floor("7D"),
    "ceil 15min": lambda f: f["e"].dt.ceil("15min"),
    "ceil D in a zone": lambda f: f["z"].dt.ceil("D"),
    "round s": lambda f: f["t"].dt.round("s"),
    "round 12h": lambda f: f["t"].dt.round("12h"),
    "round below the unit": lambda f: f["e"].dt.round("us"),
    "localized": lambda f: f["t"].dt.tz_localize(ZONE, ambiguous="NaT", nonexistent="NaT"),
    "localized in UTC": lambda f: f["e"].dt.tz_localize("UTC"),
    "without its zone": lambda f: f["z"].dt.tz_localize(None),
    "in another zone": lambda f: f["z"].dt.tz_convert("America/New_York"),
    "hour in another zone": lambda f: f["z"].dt.tz_convert("America/New_York").dt.hour,
    "in UTC, without a zone": lambda f: f["z"].dt.tz_convert(None),
    "days_in_month": lambda f: f["t"].dt.days_in_month,
    "is_leap_year": lambda f: f["z"].dt.is_leap_year,
    "is_month_start": lambda f: f["e"].dt.is_month_start,
    "is_month_end": lambda f: f["t"].dt.is_month_end,
    "is_quarter_start": lambda f: f["t"].dt.is_quarter_start,
    "is_quarter_end": lambda f: as_times(f["day"]).dt.is_quarter_end,
    "is_year_start": lambda f: f["t"].dt.is_year_start,
    "is_year_end": lambda f: as_times(f["day"]).dt.is_year_end,
    "seconds": lambda f: f["d"].dt.seconds,
    "microseconds": lambda f: f["d"].dt.microseconds,
    "nanoseconds": lambda f: f["d"].dt.nanoseconds,
    "normalize": lambda f: f["e"].dt.normalize(),
    "days": lambda f: f["d"].dt.days,
    "total_seconds": lambda f: f["d"].dt.total_seconds(),
    "difference": lambda f: f["t"] - f["e"],
    "difference of value": lambda f: f["t"] - pd.Timestamp("2001-02-03 04:05"),
    "value - times": lambda f: pd.Timestamp("2001-02-03 04:05") - f["t"],
    "difference in a zone": lambda f: f["z"] - pd.Timestamp("2001-02-03", tz="Asia/Tokyo"),
    "later": lambda f: f["t"] + f["d"],
    "a day later": lambda f: f["z"] + pd.Timedelta("1D"),
    "a day earlier": lambda f: f["e"] - np.timedelta64(1, "D"),
    "length": lambda f: f["d"] + dt.timedelta(hours=1),
    "lengths": lambda f: f["d"] - f["d"] * 2,
    "magnitude": lambda f: abs(-f["d"]),
    "ratio": lambda f: f["d"] / pd.Timedelta("1h"),
    "t ==": lambda f: f["t"] == NOON,
    "t != e": lambda f: f["t"] != f["e"],
    "t >= text": lambda f: f["t"] >= "2000-01-01",
    "t < text": lambda f: f["t"] < "2020-02-29 12:30:15.250001",
    "t > numpy": lambda f: f["t"] > np.datetime64("1999-12-31"),
    "e <= t": lambda f: f["e"] <= f["t"],
    "z >= text": lambda f: f["z"] >= "2000-01-01",
    "z < aware": lambda f: f["z"] < pd.Timestamp("2000-01-01", tz="America/New_York"),
    "t between": lambda f: f["t"].between("1999-01-01", "2021-01-01"),
    "t isin": lambda f: f["t"].isin([NOON, dt.datetime(2000, 1, 1)]),
    "day >": lambda f: f["day"] > dt.date(2000, 1, 1),
    "day ==": lambda f: f["day"] == dt.date(2020, 2, 29),
    "d >": lambda f: f["d"] > pd.Timedelta("1D"),
    "d <= text": lambda f: f["d"] <= "2 days 3 hours",
    "t fillna": lambda f: f["t"].fillna(NOON),
    "t where": lambda f: f["t"].where(f["t"] > "2000-01-01", NOON),
    "t clip": lambda f: f["t"].clip(lower=NOON),
    "t isna": lambda f: f["t"].isna(),
    "read": lambda f: read(written(f, "2021-03-04T05:06:07.000008")),
    "read day": lambda f: read(written(f, "2021-03-04")),
    "read form": lambda f: read(written(f, "4.3.21 05:06"), format="%d.%m.%y %H:%M"),
    "read utc": lambda f: read(written(f, "2021-03-04T05:06:07+02:00"), utc=True),
    "read utc without a zone": lambda f: read(written(f, "2021-03-04 05:06"), utc=True),
    "read coerced": lambda f: read(written(f, "no time"), errors="coerce", format="%Y"),
}
DECIMALS = {
    "price ==": lambda f: sure(f["price"] == Decimal("12.34")),
    "price >": lambda f: sure(f["price"] > 9),
    "price <=": lambda f: sure(f["price"] <= Decimal("0.005")),
    "price isna": lambda f: f["price"].isna(),
    "price float": lambda f: f["price"].astype("float"),
    "price == float": lambda f: sure(f["price"] == 12.34),
    "price + price": lambda f: f["price"] + f["price"],
    "price - whole": lambda f: f["price"] - 3,
    "whole - price": lambda f: 3 - f["price"],
    "price * rate": lambda f: f["price"] * Decimal("1.19"),
    "price * price": lambda f: f["price"] * f["price"],
    "price / price": lambda f: f["price"] / Decimal("0.3"),
    "price / whole": lambda f: f["price"] / 7,
    "-price": lambda f: -f["price"],
    "abs(price)": lambda f: abs(f["price"] - 5),
    "price round": lambda f: f["price"].round(1),
    "price where": lambda f: f["price"].where(f["price"].notna(), Decimal("1.5")),
}


@pytest.fixture(scope="module")
def engine():
    with Recording(("alice", "bob"), config=EngineConfig()) as running:
        yield running


@pytest.fixture(scope="module")
def held(engine):
    return an.from_pandas(engine, {"alice": moments([])})


@pytest.mark.parametrize("name", TIMES | DECIMALS)
@given(rows=st.lists(MOMENTS, max_size=20))
@settings(max_examples=8)
@pytest.mark.few(10)
def test_each_row(held, name, rows):
    plain = moments(rows)
    make = (TIMES | DECIMALS)[name]
    assert values(make(held), plain) == listed(make(plain))


@given(one=st.lists(MOMENTS, max_size=6), other=st.lists(MOMENTS, max_size=6))
@settings(max_examples=10)
@pytest.mark.slow
def test_statistics(engine, one, other):
    held = an.from_pandas(engine, {"alice": moments(one), "bob": moments(other)})
    plain = pd.concat([moments(one), moments(other)], ignore_index=True)
    for name in ("t", "e", "z", "d"):
        least, largest, mean, count = icm.reveal(
            held[name].min(), held[name].max(), held[name].mean(), held[name].count()
        )
        assert (least, largest, count) == (plain[name].min(), plain[name].max(), plain[name].count())
        assert type(least) is type(plain[name].min())
        assert abs(mean - plain[name].mean()) <= pd.Timedelta("1ms" if name == "e" else "2us")
    assert held["z"].max().reveal().tz == plain["z"].max().tz
    assert held["d"].sum().reveal() == plain["d"].sum()
    assert abs(held["d"].std().reveal() - plain["d"].std()) <= pd.Timedelta("1ms")
    assert held["day"].max().reveal() == max(day for day in plain["day"] if day is not None)
    prices = [price for price in plain["price"] if not pd.isna(price)]
    assert icm.reveal(held["price"].sum(), held["price"].min()) == (sum(prices), min(prices))
    assert isinstance(held["price"].sum().reveal(), Decimal)
    for statistic in ("mean", "std", "var"):
        expected = getattr(plain["price"].astype("float"), statistic)()
        assert getattr(held["price"], statistic)().reveal() == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_of_groups_and_of_chosen_rows(engine):
    plain = moments([(dt.datetime(2021, 5, 6), None, None, dt.date(2021, 1, 1), dt.timedelta(2), Decimal("0.1"))])
    plain["ward"] = ["a", "b", "b"]
    held = an.from_pandas(engine, {"alice": plain})
    found = held.groupby("ward", domain={"ward": ["a", "b"]})[["t", "d"]].agg(["min", "max"]).reveal()
    pd.testing.assert_frame_equal(
        found, plain.groupby("ward")[["t", "d"]].agg(["min", "max"]), check_index_type=False, check_dtype=False
    )
    assert held.groupby("ward", domain={"ward": ["b"]})["price"].agg("sum").reveal().tolist() == [Decimal("0.10")]
    assert held[held["t"] > "2021"]["d"].max().reveal() == pd.Timedelta("2D")
    assert held.query("t.dt.year == 2021 and day >= '2021-01-01'").count_rows().reveal() == 1
    assert held[held["t"] > "2030"]["t"].max().reveal() is pd.NaT


def test_owners_of_different_units(engine):
    one = pa.table({"t": pa.array([1], pa.timestamp("s")), "price": pa.array([Decimal("1.5")], pa.decimal128(5, 1))})
    other = pa.table(
        {"t": pa.array([1], pa.timestamp("ns")), "price": pa.array([Decimal("0.001")], pa.decimal128(9, 3))}
    )
    held = an.from_pandas(engine, {"alice": one, "bob": other})
    assert held.dtypes == {"t": "timestamp[ns]", "price": "decimal128(9, 3)"}
    assert held["t"].max().reveal() == pd.Timestamp("1970-01-01 00:00:01")
    assert (held["t"] == pd.Timestamp("1970-01-01 00:00:00.000000001")).sum().reveal() == 1
    assert held["price"].sum().reveal() == Decimal("1.501")


def test_decimals_beside_other_numbers_of_the_rows(engine):
    table = pa.table(
        {
            "price": pa.array([Decimal("1.25"), Decimal("-3.10"), None], pa.decimal128(9, 2)),
            "n": [3, 4, 5],
            "b": [True, False, True],
            "wide": pa.array([Decimal(10**30), Decimal(-1), None], pa.decimal256(50, 2)),
        }
    )
    held = an.from_pandas(engine, {"alice": table[:1], "bob": table[1:]})
    assert (held["price"] * held["n"]).sum().reveal() == Decimal("-8.65")
    assert (held["price"] - held["b"]).min().reveal() == Decimal("-3.10")
    assert (1.5 * held["price"]).max().reveal() == Decimal("1.875")
    assert (held["price"] / held["n"]).kind == "decimal128(29, 22)"
    assert (held["price"] > held["n"]).sum().reveal() == 0
    assert (held["wide"] + held["price"]).kind == "decimal256(51, 2)"
    assert (held["wide"] - Decimal(10**30) > 1).sum().reveal() == 0
    with pytest.raises(BoundError, match="beyond 64 bits"):
        held["wide"].max().reveal()
    with pytest.raises(ColumnError, match="not divided by zero"):
        (held["price"] / (held["n"] - 3)).count().reveal()


def test_wall_times_that_a_zone_has_twice_or_never(engine):
    for year in (2024, 2050):  # of Arrow's tables, and beyond them
        summer, winter = (max(day for day in pd.date_range(f"{year}-{m}-01", f"{year}-{m}-31") if day.day_of_week == 6)
                          for m in ("03", "10"))  # fmt: skip
        twice, never = winter + pd.Timedelta("2h30min"), summer + pd.Timedelta("2h30min")
        plain = pd.DataFrame({"t": [twice, never, winter, None]})
        held = an.from_pandas(engine, {"alice": plain})
        for settings_ in ({"ambiguous": "NaT"}, {"nonexistent": "NaT"}):
            with pytest.raises(ColumnError, match="there in that zone"):
                held["t"].dt.tz_localize(ZONE, **settings_).max().reveal()
        found = held["t"].dt.tz_localize(ZONE, ambiguous="NaT", nonexistent="NaT")
        assert (found.count().reveal(), found.max().reveal()) == (1, winter.tz_localize(ZONE))


def test_what_does_not_fit_is_refused_by_its_owner(engine):
    far = pa.table(
        {
            "t": pa.array(["9999-01-01"]).cast(pa.timestamp("s")),
            "price": pa.array([Decimal(10**20)], pa.decimal128(38, 0)),
            "word": pa.array(["2021-02-30"]),
        }
    )
    near = pa.table(
        {"t": pa.array([1], pa.timestamp("ns")), "price": pa.array([Decimal(1)], pa.decimal128(38, 0)), "word": ["x"]}
    )
    held = an.from_pandas(engine, {"alice": far, "bob": near})
    for refused, error, says in (
        (held["t"].max, ColumnError, "do not fit into timestamp"),
        (held["price"].sum, BoundError, "beyond 64 bits"),
        (lambda: an.to_datetime(held["word"]).max(), ColumnError, "no such time"),
    ):
        with pytest.raises(error, match=says) as caught:
            refused().reveal()
        assert not any(secret in str(caught.value) for secret in ("9999", "253370764800", "10000000", "2021-02-30"))


def test_what_cannot_be_is_refused_before_anything_is_asked(engine, held):
    engine.jobs.clear()
    for refused, error, says in (
        (lambda: held["t"] >= pd.Timestamp("2020-01-01", tz="UTC"), InputError, "with a zone are not compared"),
        (lambda: held["z"] >= NOON, InputError, "with a zone are not compared"),
        (lambda: held["t"] >= held["z"], ColumnError, "one kind"),
        (lambda: held["t"] - held["z"], ColumnError, "takes numbers"),
        (lambda: held["t"] >= "never", InputError, "'never' is no time"),
        (lambda: held["t"] == pd.NaT, InputError, "NaT equals nothing|compared with times"),
        (lambda: held["t"] >= [NOON], InputError, "compared with times, not list"),
        (lambda: held["t"] + held["t"], ColumnError, r"\+ takes numbers, not timestamp"),
        (lambda: held["t"] * 2, ColumnError, "takes numbers"),
        (lambda: held["t"] > 3, ColumnError, "one kind"),
        (lambda: held["d"] > "long", InputError, "no duration"),
        (held["t"].sum, ColumnError, "no such statistic"),
        (held["day"].std, ColumnError, "no such statistic"),
        (lambda: held["t"].histogram(bins=[0, 1]), ColumnError, "no numbers"),
        (held["d"].var, ColumnError, "no such statistic"),
        (lambda: held["price"].dt, ColumnError, "neither dates, times nor durations"),
        (lambda: held["day"].dt.hour, ColumnError, "dt.hour is not of date32"),
        (lambda: held["d"].dt.year, ColumnError, "dt.year is not of duration"),
        (lambda: held["t"].dt.days, ColumnError, "dt.days is not of timestamp"),
        (lambda: held["t"].dt.floor("ME"), InputError, "freq is"),
        (lambda: held["price"] % 7, ColumnError, "make floats of them"),
        (lambda: held["price"] * held["t"].dt.day * held["t"].dt.day, ColumnError, "has 52, and 38 are the most"),
        (lambda: held["price"] + held["price"].astype("float"), ColumnError, "make floats of them"),
        (lambda: held["t"].dt.tz_localize("Mars/Base"), InputError, "'Mars/Base' is no time zone"),
        (lambda: held["z"].dt.tz_localize("UTC"), ColumnError, "is not of timestamp"),
        (lambda: held["t"].dt.tz_convert("UTC"), ColumnError, "dt.tz_localize gives times a zone"),
        (lambda: held["t"].dt.tz_localize("UTC", ambiguous="infer"), InputError, "ambiguous is 'raise' or 'NaT'"),
        (lambda: held["t"].dt.seconds, ColumnError, "no durations"),
        (lambda: held["day"].dt.ceil("h"), ColumnError, "dt.ceil is not of date32"),
        (lambda: held["price"] == float("inf"), InputError, "finite numbers"),
        (lambda: held["price"] == Decimal(10) ** 40, InputError, "more than 38 digits"),
        (lambda: held["price"] == "12.34", InputError, "finite numbers"),
        (lambda: an.to_datetime(held["t"]), ColumnError, "takes text"),
        (lambda: an.to_datetime("2020"), InputError, "a column is needed"),
        (lambda: an.to_datetime(held["t"], errors="ignore"), InputError, "errors is"),
        (lambda: an.to_datetime(held["t"], format="%Q"), InputError, "no format"),
    ):
        with pytest.raises(error, match=says):
            refused()
    assert not engine.jobs
