"""What analysts write every day: the result is pandas', or an error that says what to write instead."""

from __future__ import annotations

import contextlib

import numpy as np
import pandas as pd
import pytest

import analytics as an
import icm_ray as icm
from icm_ray.errors import ColumnError, InputError, PolicyError, UnsupportedError

TABLE = pd.DataFrame(
    {
        "age": [34, 61, 47, 70, 29, 61],
        "cost": [120.5, None, 310.25, 3.0, 120.5, -0.0],
        "ill": [True, False, True, True, False, False],
        "ward": ["A", "B", "A", None, "B", "A"],
    }
)


@pytest.fixture(scope="module")
def pair_of_frames(pair):
    return an.from_pandas(pair, {"alice": TABLE[:4], "bob": TABLE[4:]}), TABLE


FRAMES = {
    "isna().sum()": lambda frame: frame.isna().sum(),
    "isnull().mean()": lambda frame: frame.isnull().mean(),
    "notna().all columns": lambda frame: frame.notna()[["age", "cost"]].min(),
    "fillna of one": lambda frame: frame.fillna({"cost": 1.0})[["age", "cost"]].mean(),
    "astype": lambda frame: frame.astype({"age": float, "ill": "int"})[["age", "ill"]].sum(),
    "round": lambda frame: frame[["age", "cost"]].round(-1).sum(),
    "abs, clip": lambda frame: frame[["age", "cost"]].abs().clip(10, 100).sum(),
    "nunique": lambda frame: frame.nunique(),
    "mean of numbers": lambda frame: frame.mean(numeric_only=True),
    "skew": lambda frame: frame.skew(numeric_only=True),
    "sem": lambda frame: frame.sem(numeric_only=True),
    "kurt": lambda frame: frame[["age", "cost"]].kurt(),
    "largest rows": lambda frame: frame[frame["cost"].notna()][["age", "cost"]].nlargest(2, "age"),
    "skipped": lambda frame: frame[["age", "cost"]].mean(skipna=True),
    "skipped in groups": lambda frame: frame.groupby("ill")[["age", "cost"]].max(skipna=True),
    "arithmetic": lambda frame: (-((frame[["age", "cost"]] + 1) * 2 - np.float64(3)) / 2 // 1 % 7**1).sum(),
    "reflected": lambda frame: abs(np.int64(3) - 2 / (1 + frame[["age", "ill"]])).sum(),
    "dropped": lambda frame: frame.drop("ward", axis=1).max(),
    "corr": lambda frame: frame.corr(method="pearson", numeric_only=True),
    "agg of several": lambda frame: frame[["age", "cost"]].agg(["min", "max", "mean"]),
    "column of a condition": lambda frame: frame[["cost"]][frame["age"] > 40].sum(),
    "groups as columns": lambda frame: frame.groupby("ill", as_index=False)["cost"].mean(),
    "sizes as columns": lambda frame: frame.groupby("ill", as_index=False).size(),
    "several as columns": lambda frame: frame.groupby(["ill"], as_index=False).agg({"age": "sum", "cost": "max"}),
    "private groups as columns": lambda frame: frame.groupby("ward", as_index=False)["age"].sum(),
    "mean of groups of numbers": lambda frame: frame.groupby("ill").mean(numeric_only=True),
    "quantiles of groups": lambda frame: frame.groupby("ill")[["age", "cost"]].quantile([0.1, 0.9]),
    "values of groups": lambda frame: frame.groupby("ill")[["age", "ward"]].nunique(),
    "loc": lambda frame: frame.loc[frame["ill"], ["age", "cost"]].loc[:, ["cost", "age"]].loc[:].sum(),
    "column of groups as attribute": lambda frame: frame.groupby("ill").age.sum(),
}
COLUMNS = {
    "chosen": lambda frame: frame["cost"][frame["ill"] & (frame["age"] < 60)].agg(["sum", "count"]),
    "counts with missing": lambda frame: frame["ill"].value_counts(dropna=False),
    "private counts with missing": lambda frame: frame["ward"].value_counts(dropna=False),
    "beside scalars of numpy": lambda frame: (frame["age"] - 1)[np.float64(40.5) < frame["age"]].agg(["sum", "count"]),
    "loc": lambda frame: frame.loc[frame["ill"], "cost"].loc[frame["age"] < 60].agg(["sum", "count"]),
    "some, or missing": lambda frame: frame["age"][frame["ward"].isin(["A", None])].agg(["sum", "count"]),
    "some numbers, or missing": lambda frame: frame["age"][frame["cost"].isin([3, np.nan])].agg(["sum", "count"]),
    "none, where none is missing": lambda frame: frame["age"][frame["age"].isin([pd.NaT])].agg(["sum", "count"]),
    "shares with missing": lambda frame: frame["ward"].value_counts(normalize=True, dropna=False),
}


def test_of_frames(pair_of_frames):
    held, plain = pair_of_frames
    found = icm.reveal(*(ask(held) for ask in FRAMES.values()))
    for name, result, ask in zip(FRAMES, found, FRAMES.values(), strict=True):
        expected = ask(plain).reset_index(drop=True) if name == "largest rows" else ask(plain)
        check = pd.testing.assert_frame_equal if isinstance(expected, pd.DataFrame) else pd.testing.assert_series_equal
        try:
            check(result, expected, check_dtype=False, check_index_type=False)
        except AssertionError as error:
            raise AssertionError(f"{name}\n{result}\n{expected}") from error


def named(series):
    return {"missing" if pd.isna(key) else str(key): value for key, value in series.items()}


def test_of_columns(pair_of_frames):
    held, plain = pair_of_frames
    for name, ask in COLUMNS.items():
        found, expected = ask(held).reveal(), ask(plain)
        assert named(found) == pytest.approx(named(expected)), name
        assert found.name == expected.name
    assert icm.reveal(held["cost"].nunique(), held[held["ill"]]["cost"].nunique()) == (4, 3)


REFUSED = {
    "rolling": (lambda frame: frame["cost"].rolling(3), "have no order"),
    "pct_change": (lambda frame: frame.pct_change(), "have no order"),
    "rank": (lambda frame: frame["cost"].rank(), "have no order"),
    "drop_duplicates": (lambda frame: frame.drop_duplicates(), "have no order"),
    "resample": (lambda frame: frame.resample("D"), "dt.month"),
    "pivot_table": (lambda frame: frame.pivot_table(index="ward"), "unstack"),
    "merge": (lambda frame: frame.merge(frame, on="age"), "an.merge"),
    "hist": (lambda frame: frame.hist(), "plot()"),
    "frame value_counts": (lambda frame: frame.value_counts(), "groupby"),
    "frame mode": (lambda frame: frame.mode(), "mode(domain="),
    "head": (lambda frame: frame.head(), "stay with their owners"),
    "iterrows": (lambda frame: [*frame.iterrows()], "stay with their owners"),
    "apply": (lambda frame: frame.apply(lambda row: row), "assign"),
    "groups apply": (lambda frame: frame.groupby("ill").apply(len), "assign"),
    "groups first": (lambda frame: frame.groupby("ill").first(), "have no order"),
    "result of a query": (lambda frame: frame.groupby("ill")["age"].mean().unstack(), "query.reveal().unstack"),
    "sum of a column": (lambda frame: sum(frame["age"]), "column.sum()"),
    "rows by name": (lambda frame: frame.drop(3), "frame[condition]"),
    "isin of a frame": (lambda frame: frame.isin(["A"]), "one column"),
    "extreme of text": (lambda frame: frame["ward"].min(), "sort_values().head(1)"),
    "set": (lambda frame: frame.__setitem__("new", 1), "frame.assign(new=...)"),
    "delete": (lambda frame: frame.__delitem__("age"), "frame.drop"),
    "spearman": (lambda frame: frame.corr(method="spearman"), "ranks of rows"),
    "text in a mean": (lambda frame: frame.mean(numeric_only=False), "ward: no numbers"),
    "order of groups": (lambda frame: frame.groupby("ward", sort=False), "no order"),
    "missing keys": (lambda frame: frame.groupby("ward", dropna=False), "fillna"),
    "minus a condition": (lambda frame: -frame["ill"], "~ says where"),
    "categories without rows": (lambda frame: frame.groupby("ward", observed=False), "reindex"),
    "loc of labels": (lambda frame: frame.loc[3], "takes a condition"),
    "loc of places": (lambda frame: frame["cost"].loc[1:3], "takes a condition"),
    "loc of a column's columns": (lambda frame: frame["cost"].loc[:, "age"], "names of columns"),
    "loc set": (lambda frame: frame.loc.__setitem__((frame["ill"], "cost"), 1), "frame.assign(cost="),
    "no session": (lambda _: an.from_pandas(None, {"alice": TABLE}), "of a session"),
    "groups one by one": (lambda frame: [*frame.groupby("ill")], "agg(...)"),
    "number of groups": (lambda frame: len(frame.groupby("ill")), "size()"),
    "groups of a number": (lambda frame: frame.groupby("ill")[3], "name or a list"),
    "room that is none": (lambda frame: frame.groupby("ward", max_groups="x"), "max_groups must be"),
    "values of text without names": (lambda frame: frame.share(domain=["A"]), "by the column's name"),
    "text in SQL without names": (lambda frame: an.sql("SELECT COUNT(*) FROM f", f=frame, domain=["A"]), "key's name"),
    "no SQL": (lambda frame: an.sql(3, f=frame), "line 1, column 1"),
    "text replaced": (lambda frame: frame["ward"].str.replace("A", "B"), "before they are opened"),
    "letters of text": (lambda frame: frame["ward"].str[0], "before they are opened"),
    "operators by name": (lambda frame: frame["age"].add(1), "write the operator"),
    "reveal of a column": (lambda frame: frame["age"].reveal(), "column.mean().reveal()"),
    "place of a column": (lambda frame: frame["age"][0], r"column[condition]"),
    "missing values": (lambda frame: frame["cost"].sum(skipna=False), "column.isna().any()"),
    "missing values of a frame": (lambda frame: frame.max(skipna=False), "column.isna().any()"),
    "missing values of groups": (lambda frame: frame.groupby("ill").mean(skipna=False), "column.isna().any()"),
    "missing values or not": (lambda frame: frame["cost"].sum(skipna=3), "True or False"),
    "frames added": (lambda frame: frame + frame, "assign(a=frame['a'] + frame['b'])"),
    "a column added to a frame": (lambda frame: frame + frame["age"], "single values"),
    "text and numbers": (lambda frame: frame + 1, "ward + 1: + takes numbers"),
    "numpy's mean": (lambda frame: np.mean(frame["age"]), "ask it, .mean()"),
    "numpy's mean of a frame": (np.mean, "ask it, .mean()"),
    "numpy's root": (lambda frame: np.sqrt(frame["age"]), "numpy.sqrt takes values"),
    "an array": (lambda frame: np.asarray(frame["age"]), "methods"),
    "an array beside": (lambda frame: np.arange(6) + frame["age"], "numpy.add takes values"),
    "an array of groups": (lambda frame: np.asarray(frame.groupby("ill")), "methods"),
    "pandas' frame": (pd.DataFrame, "SecureFrame are not here"),
    "an array of merged rows": (lambda frame: np.asarray(an.merge(frame, frame, on="age")), "MergedFrame are not here"),
    "a merged column": (lambda frame: pd.isna(an.merge(frame, frame, on="age")["ward_x"]), "MergedColumn are not here"),
    "pandas' column": (lambda frame: pd.Series(frame["age"]), "SecureColumn are not here"),
    "pandas' isna": (lambda frame: pd.isna(frame["age"]), "SecureColumn are not here"),
    "pandas' crosstab": (lambda frame: pd.crosstab(frame["ill"], frame["ward"]), "an.crosstab"),
    "function as aggregate": (lambda frame: frame.groupby("ill").agg(lambda column: 1), "by name"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_says_what_to_write(pair_of_frames, pair, name):
    held, _ = pair_of_frames
    ask, says = REFUSED[name]
    pair.jobs.clear()
    with pytest.raises((InputError, ColumnError, UnsupportedError)) as raised:
        ask(held)
    assert says in str(raised.value)
    assert not pair.jobs


def offered(made, like):
    """Public names of pandas' that are there; the others are refused by a typed error, and those of nobody are not."""
    names = [name for name in dir(like) if not name.startswith("_")]
    there = {name for name in names if hasattr(made, name)}
    for name in set(names) - there:
        with pytest.raises(UnsupportedError, match=f"^{name} "):
            getattr(made, name)
    with pytest.raises(AttributeError):
        _ = made.nosuchname
    assert not hasattr(made, "nosuchname")
    return there


def test_each_name_of_pandas_is_there_or_refused(pair_of_frames, pair):
    held, plain = pair_of_frames
    came = pd.Series(pd.to_datetime(["2024-01-01"]), name="came")
    times = an.from_pandas(pair, {"alice": came})["came"]
    assert {"mean", "dropna", "groupby"} < offered(held, plain)
    assert {"mean", "dropna", "isnull"} < offered(held["cost"], plain["cost"])
    assert {"agg", "median"} < offered(held.groupby("ill"), plain.groupby("ill"))
    assert offered(held["ward"].str, plain["ward"].str) >= {"startswith", "len"}
    assert offered(times.dt, came.dt) >= {"year", "floor"}


def test_pandas_named_aggregates(pair_of_frames):
    held, plain = pair_of_frames
    named = pd.NamedAgg("cost", "mean")
    expected = plain.groupby("ill").agg(m=named)
    pd.testing.assert_frame_equal(held.groupby("ill", observed=True).agg(m=named).reveal(), expected)
    assert held["cost"].dropna().count().reveal() == 5


NO_ARGUMENTS = [3, -1, "x", None, [], {}, (), 1.5, True, np.nan, b"x", [[1]], ("one", "two", "three"), object()]
ARGUMENTS = {
    "std": lambda frame, given: frame["cost"].std(ddof=given),
    "quantile": lambda frame, given: frame.groupby("ill")["cost"].quantile(given),
    "describe": lambda frame, given: frame.describe(percentiles=given, include=given),
    "sort_values": lambda frame, given: frame.sort_values(given),
    "nlargest": lambda frame, given: frame.nlargest(2, given),
    "ascending": lambda frame, given: frame.sort_values("age", ascending=given, na_position=given),
    "head": lambda frame, given: frame["age"].sort_values().head(given),
    "agg": lambda frame, given: frame["age"].agg(given),
    "aggregates of groups": lambda frame, given: frame.groupby("ill").agg(given),
    "named": lambda frame, given: frame.groupby("ill").agg(a=given),
    "named aggregate": lambda frame, given: frame.groupby("ill").agg(a=("age", given)),
    "named column": lambda frame, given: frame.groupby("ill").agg(a=(given, "sum")),
    "columns": lambda frame, given: frame[given],
    "rows of a column": lambda frame, given: frame["age"][given],
    "columns of groups": lambda frame, given: frame.groupby("ill")[given],
    "loc": lambda frame, given: frame.loc[given],
    "columns by loc": lambda frame, given: frame.loc[:, given],
    "rename": lambda frame, given: frame.rename(columns={"age": given}),
    "drop": lambda frame, given: frame.drop(columns=given),
    "dropna": lambda frame, given: frame.dropna(how=given, subset=given),
    "fillna": lambda frame, given: frame["cost"].fillna(given),
    "astype": lambda frame, given: frame["age"].astype(given),
    "where": lambda frame, given: frame["cost"].where(given, given),
    "clip": lambda frame, given: frame["cost"].clip(given),
    "between": lambda frame, given: frame["cost"].between(1, 3, inclusive=given),
    "isin": lambda frame, given: frame["cost"].isin(given),
    "compared": lambda frame, given: frame["cost"] < given,
    "startswith": lambda frame, given: frame["ward"].str.startswith(given),
    "histogram": lambda frame, given: frame["age"].histogram(given, range=given),
    "cut": lambda frame, given: an.cut(frame["age"], given),
    "labels": lambda frame, given: an.cut(frame["age"], [0, 1, 2], labels=given),
    "crosstab": lambda frame, given: an.crosstab(frame["ill"], frame["ward"], domain=given, normalize=given),
    "value_counts": lambda frame, given: frame["age"].value_counts(range=given),
    "nunique": lambda frame, given: frame["ward"].nunique(max_groups=given, max_bytes=given),
    "corr": lambda frame, given: frame["age"].corr(given, method=given),
    "groupby": lambda frame, given: frame.groupby(given),
    "domain": lambda frame, given: frame.groupby("ward", domain={"ward": given}),
    "how": lambda frame, given: an.merge(frame, frame, on="age", how=given),
    "validate": lambda frame, given: an.merge(frame, frame, on="age", validate=given),
    "suffixes": lambda frame, given: an.merge(frame, frame, on="age", suffixes=given),
    "keys": lambda frame, given: an.merge(frame, frame, on=given),
    "concat": lambda frame, given: an.concat([frame, given]),
    "to_datetime": lambda frame, given: an.to_datetime(frame["ward"], format=given, errors=given),
    "share": lambda frame, given: frame[["ward"]].share(domain={"ward": given}),
    "query": lambda frame, given: frame.query(given, local_dict=given),
    "assign": lambda frame, given: frame.assign(x=given),
    "to": lambda frame, given: frame["age"].sum().explain(to=given),
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_arguments_are_taken_or_refused_by_a_typed_error(pair_of_frames, name):
    held, _ = pair_of_frames
    for given in NO_ARGUMENTS:
        with contextlib.suppress(icm.IcmError):
            ARGUMENTS[name](held, given)


def test_queries_are_no_numbers(pair_of_frames):
    held, _ = pair_of_frames
    mean = held["age"].mean()
    as_number = (lambda: f"{mean:.2f}", lambda: int(mean), lambda: mean**2)
    assert f"{mean}" == str(mean)
    for made in (lambda: mean / 2, lambda: 1 - mean, lambda: abs(mean), *as_number):
        with pytest.raises(TypeError, match="before"):
            made()


def test_withheld_numbers_are_no_numbers():
    withheld = icm.Withheld("too few")
    assert f"{withheld}" == "<withheld: too few>"
    for made in (lambda: f"{withheld:.2f}", lambda: withheld**2, lambda: withheld // 2, lambda: 7 % withheld):
        with pytest.raises(PolicyError, match="too few"):
            made()


def test_columns_of_these_names_are_columns(fresh):
    held = an.from_pandas(fresh, {"alice": pd.DataFrame({"rank": [1, 2], "first": [3, 4], "k": [True, False]})})
    assert icm.reveal(held.rank.sum(), held.groupby("k").first.sum())[0] == 3
    assert held.groupby("k").first.sum().reveal().tolist() == [4, 3]
