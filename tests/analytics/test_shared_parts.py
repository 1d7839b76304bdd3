"""Parts of dates and times, and whole numbers that are divided, on shares: as pandas has them of the pooled rows."""

import numpy as np
import pandas as pd
import pytest

import analytics as an
import icm_ray as icm
from icm_ray.config import EngineConfig
from icm_ray.errors import BoundError, ColumnError
from tests.analytics.conftest import Recording

OF_DAYS = ("year", "quarter", "month", "day", "day_of_week")
OF_TIMES = ("hour", "minute", "second", "microsecond", "nanosecond")
EDGES = [f"{year}-{rest}" for year in (1899, 1900, 1970, 2000, 2023, 2100)
         for rest in ("01-01", "02-28 23:59:59.999999", "03-01", "06-30 12:30:15.25", "12-31 23:00")]  # fmt: skip
LEAPS = ["2000-02-29 11:59:59", "2024-02-29", "1968-02-29 00:00:00.000001", None]
TIMES = pd.Series(pd.to_datetime([*EDGES, *LEAPS], format="mixed")).astype("datetime64[us]")
NARROW = pd.Series(
    pd.to_datetime(["2019-12-31 23:59", "2020-02-29", None, "2021-12-31 12:00:00.5", "2022-01-01"], format="mixed")
)


@pytest.fixture(scope="module")
def engine():
    with Recording(("alice", "bob"), (), config=EngineConfig()) as engine:
        yield engine


def share(engine, times, **settings):
    rows = pd.DataFrame({"t": times, "n": range(len(times))})
    half = len(times) // 2
    return an.from_pandas(engine, {"alice": rows[:half], "bob": rows[half:]}, **settings).share()


def hold(shared, asked, expected):
    """Each column that is asked has the numbers of pandas' one."""
    found = icm.reveal(*(column.nlargest(len(shared)) for column in asked.values()))
    for name, values in zip(asked, found, strict=True):
        assert values.tolist() == sorted(expected[name].dropna().tolist(), reverse=True), name


@pytest.mark.parametrize(
    ("times", "bounds", "names"),
    [
        (TIMES, None, (*OF_DAYS, *OF_TIMES)),
        (TIMES.dt.date, None, OF_DAYS),
        (TIMES.dt.floor("s").dt.tz_localize("UTC").astype("datetime64[s, UTC]"), None, (*OF_DAYS, "hour", "second")),
        (NARROW.astype("datetime64[ns]"), ("2019-12-01", "2022-02-01"), (*OF_DAYS, *OF_TIMES, "day_of_year")),
        (pd.Series(pd.to_datetime(["2024-03-01", "2024-03-02"])), ("2024-03-01", "2024-03-03"), (*OF_DAYS, "hour")),
    ],
    ids=["any", "dates", "seconds of UTC", "nanoseconds", "days"],
)
@pytest.mark.few(1)
def test_parts(engine, times, bounds, names):
    shared = share(engine, times, bounds=bounds and {"t": bounds})
    plain = pd.to_datetime(times).dt
    hold(
        shared, {name: getattr(shared["t"].dt, name) for name in names}, {name: getattr(plain, name) for name in names}
    )


@pytest.mark.slow
def test_days_and_rounded_times(engine):
    shared = share(engine, NARROW, bounds={"t": ("2019-12-01", "2022-02-01")})
    lengths = pd.Series(pd.to_timedelta(["-1s", "1D", None, "-24h", "47h"]))
    of_lengths = share(engine, lengths)
    hold(of_lengths, {"days": of_lengths["t"].dt.days}, {"days": lengths.dt.days})
    rounded = ["D", "7D", "36h", "min", "s"]
    hold(
        shared,
        {unit: shared["t"].dt.floor(unit) for unit in rounded},
        {unit: NARROW.dt.floor(unit) for unit in rounded},
    )
    hold(shared, {"date": shared["t"].dt.date}, {"date": NARROW.dt.date})
    assert shared["t"].dt.is_month_end.sum().reveal() == NARROW.dt.is_month_end.sum() == 3
    assert shared["t"].dt.is_leap_year.sum().reveal() == 1
    later = shared[shared["t"] + pd.Timedelta("12h") > "2020-01-01"]
    assert (later["t"] + pd.Timedelta("12h")).dt.year.min().reveal() == 2020


def test_rows_are_grouped_by_parts(engine):
    shared = share(engine, NARROW, bounds={"t": ("2019-12-01", "2022-02-01")})
    plain = pd.DataFrame({"t": NARROW, "n": range(5)})
    months = shared.groupby(shared["t"].dt.month)["n"].agg(["count", "sum"]).reveal()
    pd.testing.assert_frame_equal(
        months, plain.groupby(plain["t"].dt.month)["n"].agg(["count", "sum"]), check_index_type=False
    )
    years = shared.groupby(shared["t"].dt.year)["n"].sum().reveal()
    pd.testing.assert_series_equal(years, plain.groupby(plain["t"].dt.year)["n"].sum(), check_index_type=False)
    text = "SELECT YEAR(t) AS y, EXTRACT(QUARTER FROM t) AS q, SUM(n) AS n FROM f WHERE MONTH(t) <> 2 GROUP BY ALL"
    found = an.sql(text, f=shared).reveal()
    assert sorted(found.itertuples(index=False, name=None)) == [(2019, 4, 0), (2021, 4, 3), (2022, 1, 4)]


@pytest.mark.parametrize("divisor", [7, -7, 1, 64])
@pytest.mark.few(2)
def test_whole_numbers_that_are_divided(engine, divisor):
    plain = pd.DataFrame({"a": [-64, -8, -7, -1, 0, 1, 6, 7, 100, 2**31 - 1], "b": [None, *range(-4, 5)]})
    frame = an.from_pandas(engine, {"bob": plain.astype({"b": "Int64"})}).share()
    asked = {f"{name}{op}": (frame[name] // divisor if op == "//" else frame[name] % divisor)
             for name in "ab" for op in ("//", "%")}  # fmt: skip
    hold(frame, asked, {f"{name}{op}": (plain[name] // divisor if op == "//" else plain[name] % divisor)
                        for name in "ab" for op in ("//", "%")})  # fmt: skip


def test_powers(engine):
    plain = pd.DataFrame({"n": [-5, 0, 3, 7], "x": [-1.5, None, 0.25, 3.0]})
    frame = an.from_pandas(engine, {"bob": plain}, bounds={"n": 5, "x": 3}).share()
    asked = {f"{name}{power}": (lambda f, name=name, power=power: f[name] ** power)
             for name in "nx" for power in (1, 2, 3)}  # fmt: skip
    hold(frame, {key: ask(frame) for key, ask in asked.items()}, {key: ask(plain) for key, ask in asked.items()})
    with pytest.raises(ColumnError, match=r"\*\* 0.5 is not computed on shares"):
        (frame["x"] ** 0.5).sum().reveal()


REFUSED = {
    "of a zone": (ColumnError, "wall time in Europe/Berlin", lambda f: f["z"].dt.year.max()),
    "a date in a zone": (ColumnError, r"tz_convert\('UTC'\)", lambda f: f["z"].dt.date.max()),
    "rounded up": (ColumnError, r"dt.ceil\(...\)\).share\(\)", lambda f: f["t"].dt.ceil("D").max()),
    "days of long years": (BoundError, r"572 years: declare narrower bounds", lambda f: f["t"].dt.day_of_year.max()),
    "by a column": (ColumnError, "by a public one", lambda f: (f["n"] % f["n"]).sum()),
    "by nothing": (ColumnError, "% by 0", lambda f: (f["n"] % 0).sum()),
    "a fraction": (ColumnError, "whole numbers by a public one", lambda f: (f["x"] // 2).sum()),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_derived_before(engine, name):
    rows = pd.DataFrame(
        {"t": TIMES, "z": TIMES.dt.tz_localize("Europe/Berlin", nonexistent="shift_forward"), "n": 1, "x": 1.5}
    )
    shared = an.from_pandas(engine, {"bob": rows}).share()
    error, says, ask = REFUSED[name]
    before = len(engine.jobs)
    with pytest.raises(error, match=says):
        ask(shared).reveal()
    assert len(engine.jobs) == before
    if name == "of a zone":  # what it says to do instead
        assert shared["z"].dt.tz_convert("UTC").dt.year.max().reveal() == rows["z"].dt.tz_convert("UTC").dt.year.max()
    assert np.isnan(shared[shared["n"] > 1]["t"].dt.year.mean().reveal())
