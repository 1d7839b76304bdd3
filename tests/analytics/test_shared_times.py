# ruff: noqa: DTZ001 - times without a zone are what is tested
"""Dates, times, durations and decimals that are shared: what pandas finds of the pooled rows, what it refuses not."""

from __future__ import annotations

import datetime as dt
import operator
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import analytics as an
from icm_ray.config import EngineConfig
from icm_ray.errors import BoundError, ColumnError, IcmError, InputError
from tests.analytics.conftest import Recording

ZONE = "Europe/Berlin"
NOON = pd.Timestamp("2020-02-29 12:30:15.250001")
TIMES = [NOON, pd.Timestamp("1999-12-31 23:59"), None, NOON, pd.Timestamp("2024-03-31 01:00"), pd.Timestamp("1950-5-5")]
DAYS = [dt.date(2020, 2, 29), None, dt.date(1950, 5, 5), dt.date(2020, 2, 29), dt.date(2021, 1, 1), dt.date(1900, 1, 1)]
LENGTHS = pd.to_timedelta(["1D", "-2h", None, "00:00:01.5", "36h", "-1D"])
PRICES = [Decimal("12.34"), Decimal("-3.00"), None, Decimal("0.01"), Decimal("12.34"), Decimal("99.99")]


def rows():
    return pd.DataFrame(
        {
            "t": pd.Series(TIMES, dtype="datetime64[us]"),
            "z": pd.Series(TIMES, dtype="datetime64[us]").dt.tz_localize("UTC").dt.tz_convert(ZONE),
            "s": pd.Series(TIMES, dtype="datetime64[us]").dt.floor("s").astype("datetime64[ns]"),
            "day": pd.Series(DAYS, dtype=object),
            "d": pd.Series(LENGTHS, dtype="timedelta64[us]"),
            "p": pd.Series(PRICES, dtype=pd.ArrowDtype(pa.decimal128(8, 2))),
            "k": [1, 2, 1, 2, 1, 2],
        }
    )


@pytest.fixture(scope="module")
def engine():
    with Recording(("alice", "bob"), (), config=EngineConfig()) as engine:
        yield engine


@pytest.fixture(scope="module")
def pooled():
    return rows()


@pytest.fixture(scope="module")
def shared(engine, pooled):
    return an.from_pandas(engine, {"alice": pooled.iloc[:4], "bob": pooled.iloc[4:]}).share()


def plainly(value):
    """Results of equal values are equal, whatever type a number has."""
    if isinstance(value, pd.Series):
        return [plainly(item) for item in value.tolist()]
    return None if value is pd.NaT or value is None else value.as_py() if isinstance(value, pa.Scalar) else value


def agrees(found, expected):
    found, expected = plainly(found), plainly(expected)
    if isinstance(expected, list):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            agrees(one, other)
    elif isinstance(expected, pd.Timedelta | pd.Timestamp):
        assert type(found) is type(expected)
        assert abs(found - expected) <= pd.Timedelta("1us")
        assert getattr(found, "tz", None) == getattr(expected, "tz", None)
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, rel=1e-9)
    else:
        assert found == expected


STATISTICS = {
    "t": ("count", "min", "max", "mean", "median", "std", "nunique"),
    "z": ("count", "min", "max", "mean", "median", "std", "nunique"),
    "s": ("count", "min", "max", "mean", "median", "nunique"),
    "d": ("count", "min", "max", "mean", "median", "std", "sum", "nunique"),
    "p": ("count", "min", "max", "median", "sum", "var", "std", "sem", "nunique"),
}


@pytest.mark.parametrize(("name", "verb"), [(name, verb) for name, verbs in STATISTICS.items() for verb in verbs])
@pytest.mark.few(12)
def test_statistics(shared, pooled, name, verb):
    expected = getattr(pooled[name], verb)()
    if name == "p" and verb in {"median", "var", "std", "sem"}:
        expected = getattr(pooled[name].dropna().astype(float), verb)()
    agrees(getattr(shared[name], verb)().reveal(), expected)


T = pd.Timestamp
BERLIN = T("2020-02-29 12:30:15", tz=ZONE)
CONDITIONS = {
    "text": lambda f: f["t"] >= "2020-01-01",
    "a time": lambda f: f["t"] == NOON,
    "a nanosecond later": lambda f: f["t"] >= NOON + pd.Timedelta("1ns"),
    "far away": lambda f: f["t"] < dt.datetime(9999, 1, 1),
    "in a zone": lambda f: f["z"] > BERLIN,
    "unequal": lambda f: f["t"] != NOON,
    "between": lambda f: f["t"].between(T("1999-12-31 23:59"), NOON),
    "isin": lambda f: f["t"].isin([NOON, T("1950-05-05")]),
    "missing": lambda f: f["d"].isna(),
    "durations": lambda f: f["d"] > pd.Timedelta("1s"),
    "decimals": lambda f: (f["p"] >= Decimal("12.34")).fillna(value=False),
    "filled": lambda f: f["t"].fillna(T("1990-01-01")) < T("1995-01-01"),
    "columns": lambda f: f["t"] + f["d"] > f["s"],
    "a difference": lambda f: f["t"] - T("2020-01-01") > pd.Timedelta("59D"),
    "clipped": lambda f: f["t"].clip(T("2000-01-01"), T("2021-01-01")) == T("2000-01-01"),
}


@pytest.mark.parametrize("name", list(CONDITIONS))
def test_conditions(shared, pooled, name):
    expected = CONDITIONS[name](pooled)
    assert shared[CONDITIONS[name](shared)].count_rows().reveal() == int(expected.fillna(value=False).sum())


COMPUTED = {
    "difference": lambda f: (f["t"] - T("2020-01-01")).sum(),
    "value - times": lambda f: (T("2020-01-01") - f["t"]).max(),
    "of columns": lambda f: (f["t"] - f["s"]).sum(),
    "with a duration": lambda f: (f["z"] + pd.Timedelta("90min")).max(),
    "size": lambda f: f["d"].abs().sum(),
    "negated": lambda f: (-f["d"]).min(),
    "multiple": lambda f: (f["d"] * -3).max(),
    "sum of decimals": lambda f: (f["p"] + f["p"]).sum(),
    "product of decimals": lambda f: (f["p"] * f["p"]).sum(),
    "chosen": lambda f: f["t"].where(f["k"] == 1, T("2000-01-01")).min(),
    "filled": lambda f: f["d"].fillna(pd.Timedelta("1D")).sum(),
    "another zone": lambda f: f["z"].dt.tz_convert("Asia/Tokyo").max(),
    "several quantiles": lambda f: f["t"].quantile([0.2, 0.5, 0.9]),
    "the largest": lambda f: f["t"].nlargest(2),
}


@pytest.mark.parametrize("name", list(COMPUTED))
def test_computed_on_shares(shared, pooled, name):
    agrees(COMPUTED[name](shared).reveal(), COMPUTED[name](pooled))


@pytest.mark.parametrize("domain", [None, [dt.date(2020, 2, 29), dt.date(2021, 1, 1), dt.date(1901, 2, 3)]])
def test_counts_of_dates(shared, pooled, domain):
    expected = pooled["day"].value_counts()
    expected = expected if domain is None else expected[expected.index.isin(domain)]
    assert shared["day"].value_counts(domain=domain).reveal().to_dict() == expected.to_dict()


def test_times_in_groups_and_as_keys(shared, pooled):
    found = shared.groupby("k", domain=[1, 2])[["t", "d", "p"]]
    expected = pooled.groupby("k")
    made = found.agg(a=("t", "min"), b=("t", "mean"), c=("d", "sum"), e=("p", "sum"), g=("d", "median")).reveal()
    for name, (column, verb) in {
        "a": ("t", "min"),
        "b": ("t", "mean"),
        "c": ("d", "sum"),
        "g": ("d", "median"),
    }.items():
        pd.testing.assert_series_equal(made[name], expected[column].agg(verb), check_names=False)
    assert made["e"].tolist() == [Decimal("24.68"), Decimal("97.00")]
    by_zone = shared.groupby("z")["k"].sum().reveal()
    pd.testing.assert_series_equal(by_zone, pooled.groupby("z")["k"].sum())
    stated = shared.groupby("d", domain=[pd.Timedelta("-1D"), pd.Timedelta("7D")])["k"].sum().reveal()
    pd.testing.assert_series_equal(stated, pooled[pooled["d"] == pd.Timedelta("-1D")].groupby("d")["k"].sum())


def test_sorted_merged_and_concatenated(engine, shared, pooled):
    assert shared[["day"]].nsmallest(2, "day").reveal()["day"].tolist() == [dt.date(1900, 1, 1), dt.date(1950, 5, 5)]
    there = pooled[pooled["t"].notna()].drop_duplicates("t")[["t", "k"]]
    right = an.from_pandas(
        engine, {"bob": there.rename(columns={"k": "w"})}, bounds={"t": ("1940-01-01", "2030-01-01")}
    )
    left = an.from_pandas(engine, {"alice": pooled[pooled["t"].notna()][["t", "d"]]})
    merged = an.merge(left.share(), right.share(), on="t")
    expected = pooled[pooled["t"].notna()][["t", "d"]].merge(there.rename(columns={"k": "w"}), on="t")
    assert merged["w"].sum().reveal() == expected["w"].sum()
    assert merged["d"].max().reveal() == expected["d"].max()
    together = an.concat([left[["t"]].share(), right[["t"]].share()])
    both = pd.concat([pooled["t"], there["t"]])
    agrees(together["t"].mean().reveal(), both.mean())
    assert together["t"].max().reveal() == both.max()


def test_sql(shared, pooled):
    text = "SELECT COUNT(*) AS n, MIN(t) AS first, MAX(z) AS last, SUM(p) AS p FROM f WHERE day >= DATE '1950-01-01'"
    chosen = pooled[pooled["day"].map(lambda day: day is not None and day >= dt.date(1950, 1, 1))]
    found = an.sql(text, f=shared).reveal().iloc[0]
    assert found["n"] == len(chosen)
    assert (found["first"], found["last"]) == (chosen["t"].min(), chosen["z"].max())
    assert found["p"] == sum(price for price in chosen["p"].tolist() if price is not None and price is not pd.NA)


@pytest.mark.parametrize(
    ("name", "bound", "values"),
    [
        ("t", ("2020-01-01", dt.date(2021, 1, 1)), pd.to_datetime(["2020-01-01", "2020-12-31"])),
        ("d", pd.Timedelta("1D"), pd.to_timedelta(["-1D", "1D"])),
        ("d", ("-1D", "0s"), pd.to_timedelta(["-1D", "0s"])),
        ("p", Decimal(10), pd.array([Decimal("10.00"), Decimal("-9.99")], pd.ArrowDtype(pa.decimal128(12, 2)))),
    ],
)
def test_bounds(engine, name, bound, values):
    def shares(held):
        return an.from_pandas(engine, {"bob": pd.DataFrame({name: held})}, bounds={name: bound}).share()

    assert shares(values)[name].max().reveal() == (Decimal("10.00") if name == "p" else values.max())
    beyond = {"t": pd.Timedelta("4000D"), "d": pd.Timedelta("9D"), "p": Decimal(99)}[name]
    with pytest.raises(BoundError, match=name):
        shares(values + beyond)


@pytest.mark.parametrize(
    ("name", "bound"),
    [("t", 5), ("t", ("2021-01-01", "2020-01-01")), ("t", ("soon", "later")), ("d", -1), ("d", pd.Timedelta("-1D")),
     ("p", ("a", "b")), ("p", None), ("t", (1, 2))],
)  # fmt: skip
def test_bounds_that_are_none(engine, pooled, name, bound):
    with pytest.raises(BoundError, match=name):
        an.from_pandas(engine, {"bob": pooled}, bounds={name: bound})


def test_steps_are_the_finest_that_fit(engine):
    many = pd.DataFrame({"t": pd.date_range("2020-01-01", periods=5000, freq="17s").astype("datetime64[ns]")})
    frame = an.from_pandas(engine, {"bob": many})
    agrees(frame.share()["t"].mean().reveal(), many["t"].mean())
    finer = an.from_pandas(engine, {"bob": many + pd.Timedelta("1ns")})
    with pytest.raises(IcmError, match=r"narrow bounds="):
        finer.share()
    rounded = finer.assign(t=finer["t"].dt.floor("h")).share()
    assert rounded["t"].nunique().reveal() == many["t"].dt.floor("h").nunique()


REFUSED = {
    "a sum of times": (ColumnError, lambda f: f["t"].sum()),
    "times and numbers": (IcmError, lambda f: f["t"] > 3),
    "with a zone and without": (InputError, lambda f: f["t"] > BERLIN),
    "text that is no time": (InputError, lambda f: f["t"] > "soon"),
    "a variance of durations": (ColumnError, lambda f: f["d"].var()),
    "times added": (ColumnError, lambda f: (f["t"] + f["t"]).max()),
    "a quotient of decimals": (ColumnError, lambda f: (f["p"] / f["p"]).sum().reveal()),
    "a value between days": (InputError, lambda f: f["day"].value_counts(domain=[T("2020-01-01 12:00")])),
    "text among dates": (InputError, lambda f: f["day"].nunique(domain=["soon"])),
}


@pytest.mark.parametrize("name", list(REFUSED))
def test_what_pandas_refuses_is_refused(shared, name):
    error, ask = REFUSED[name]
    with pytest.raises(error):
        ask(shared)


def test_no_rows_that_are_meant(shared):
    none = shared[shared["t"] > "2100-01-01"]
    assert none["t"].max().reveal() is pd.NaT
    assert np.isnan(none["p"].mean().reveal())
    assert none["d"].sum().reveal() == pd.Timedelta(0)


def test_operators_of_mirrored_values(shared, pooled):
    for compare in (operator.lt, operator.ge):
        expected = int(compare(NOON, pooled["t"]).sum())
        assert shared[compare(NOON, shared["t"])].count_rows().reveal() == expected
