"""Every verb of columns, frames and groups on merged rows: pandas' answer on these, or what to ask instead."""

import numpy as np
import pandas as pd
import pytest

import analytics as an
import icm_ray as icm
from analytics.column import SecureColumn
from analytics.frame import SecureFrame
from analytics.groupby import SecureGroupBy
from analytics.query import Query
from icm_ray.runtime.carriers.threads import ThreadEngine
from tests.analytics.derived_once import derive_once

SUMS = "merged rows have count, sum, mean, var, std, sem, min and max.*share both frames before the merge"
RIGHT_KEYS = "are of the right frame; swap the frames, or state these"
ONE_GROUP = r"filter for one group at a time, frame\[frame\[key\] == value\]"
BEFORE = r"do that before .share\(\)"
LEFT = pd.DataFrame(
    {
        "k": [0, 1, 2, 3] * 4,
        "x": np.arange(16) * 1.25 - 4,
        "n": np.arange(16) // 2,
        "b": np.arange(16) % 3 == 0,
        "t": [*"abcb"] * 4,
    }
)
RIGHT = pd.DataFrame({"k": [0, 1, 3, 8], "y": [1, 2, 2, 8], "u": [*"pqqs"]})
TEXTS = ({"t": ["a", "b", "c"]}, {"u": ["p", "q", "s"]})


def both(ask, want=None, held="", shared=""):
    """What is asked of a merged frame; of pandas' (None: the same); in what words it is refused of either kind."""
    return ask, want or ask, {"held": held, "shared": shared}


def plain(name, column="y", **refused):
    return both(lambda f: getattr(f[column], name)(), **refused)


def of_frame(name, **refused):
    return both(lambda f: getattr(f[["x", "n", "y"]], name)(), **refused)


def of_groups(name, **refused):
    return both(lambda f: getattr(f.groupby("b")["x"], name)(), **refused)


NUMBERS = ("count", "sum", "mean", "var", "std", "sem", "min", "max")
COLUMN = {name: plain(name) for name in NUMBERS} | {
    "abs": both(lambda f: f["x"].abs().sum()),
    "agg": both(lambda f: f["x"].agg(["sum", "max"])),
    "all": plain("all", "b"),
    "any": plain("any", "b"),
    "astype": both(lambda f: f["n"].astype("float").sum()),
    "between": both(lambda f: f["x"].between(0, 9).sum()),
    "clip": both(lambda f: f["x"].clip(0, 5).sum()),
    "corr": both(lambda f: f["x"].corr(f["y"]), held=SUMS),
    "cov": both(lambda f: f["x"].cov(f["n"]), held=SUMS),
    "describe": both(lambda f: f["x"].describe([]), lambda f: f["x"].describe([])),
    "dropna": both(lambda f: f["y"].dropna().sum()),
    "dt": both(lambda f: f["x"].dt.year, held="float", shared="float"),
    "fillna": both(lambda f: f["n"].fillna(0).sum()),
    "histogram": both(lambda f: f["x"].histogram(3, (-6, 15)), lambda f: np.histogram(f["x"], 3, (-6, 15))),
    "isin": both(lambda f: f["y"].isin([2]).sum()),
    "isna": both(lambda f: f["y"].isna().sum()),
    "isnull": both(lambda f: f["y"].isnull().sum()),
    "kind": both(lambda f: f["x"].kind, lambda f: "float"),
    "kurt": plain("kurt", "x", held=SUMS),
    "loc": both(lambda f: f["x"].loc[f["n"] > 3].sum()),
    "mask": both(lambda f: f["x"].mask(f["n"] > 3, 0).sum()),
    "meant": both(lambda f: f["x"].meant is None, lambda f: False),
    "median": plain("median", held=SUMS),
    "mode": both(lambda f: f["y"].mode(domain=[1, 2, 3]), lambda f: f["y"].mode()),
    "name": both(lambda f: f["x"].name),
    "nlargest": both(lambda f: f["x"].nlargest(3), lambda f: by_place(f["x"].nlargest(3)), held=SUMS),
    "notna": both(lambda f: f["y"].notna().sum()),
    "notnull": both(lambda f: f["y"].notnull().sum()),
    "nsmallest": both(lambda f: f["x"].nsmallest(3), lambda f: by_place(f["x"].nsmallest(3)), held=SUMS),
    "nunique": plain("nunique", "n", held=RIGHT_KEYS),
    "of": both(lambda f: f["x"].of, lambda f: "x"),
    "quantile": both(lambda f: f["y"].quantile([0.25, 0.5]), held=SUMS),
    "round": both(lambda f: f["x"].round(1).sum(), shared=BEFORE),
    "skew": plain("skew", "x", held=SUMS),
    "sort_values": both(
        lambda f: f["x"].sort_values().head(2), lambda f: by_place(f["x"].sort_values().head(2)), held=SUMS
    ),
    "str": both(lambda f: f["t"].str.upper().isin(["A"]).sum(), shared=BEFORE),
    "value_counts": plain("value_counts", "u"),
    "where": both(lambda f: f["x"].where(f["n"] > 3, 0).sum()),
}
FRAME = {name: of_frame(name) for name in NUMBERS} | {
    "abs": both(lambda f: f[["x"]].abs().sum()),
    "agg": both(lambda f: f[["x", "n"]].agg(["sum", "max"])),
    "assign": both(lambda f: f.assign(w=f["x"] * 2)["w"].sum()),
    "astype": both(lambda f: f.astype({"n": "float"})["n"].sum()),
    "clip": both(lambda f: f[["x", "y"]].clip(0, 5).sum()),
    "columns": both(lambda f: tuple(f.columns)),
    "corr": of_frame("corr", held=SUMS),
    "count_rows": both(lambda f: f.count_rows(), len),
    "cov": of_frame("cov", held=SUMS),
    "describe": both(lambda f: f.describe(percentiles=[]), lambda f: f[["k", "x", "n", "y"]].describe([])),
    "drop": both(lambda f: f.drop(columns=["t", "u", "b"]).sum()),
    "dropna": both(lambda f: f.dropna()["x"].sum()),
    "dtypes": both(lambda f: f[["x", "n"]].dtypes, lambda f: {"x": "float", "n": "int"}),
    "fillna": both(lambda f: f.fillna({"n": 0})["n"].sum()),
    "forget": both(lambda f: f.forget(), held="forget the frames", shared="forget the frames"),
    "mock": both(lambda f: f.mock(), held="mock\\(\\) of both frames", shared="mock\\(\\) of both frames"),
    "groupby": both(lambda f: f.groupby("u")["x"].sum()),
    "isna": both(lambda f: f[["x", "y"]].isna().sum()),
    "isnull": both(lambda f: f[["x", "y"]].isnull().sum()),
    "kurt": of_frame("kurt", held=SUMS),
    "loc": both(lambda f: f.loc[f["n"] > 3, ["x", "y"]].sum()),
    "meant": both(lambda f: f.meant is None, lambda f: False),
    "median": of_frame("median", held=SUMS),
    "nlargest": both(lambda f: f[["n"]].nlargest(3, "n"), lambda f: by_place(f[["n"]].nlargest(3, "n")), held=SUMS),
    "notna": both(lambda f: f[["x", "y"]].notna().sum()),
    "notnull": both(lambda f: f[["x", "y"]].notnull().sum()),
    "nsmallest": both(lambda f: f[["n"]].nsmallest(3, "n"), lambda f: by_place(f[["n"]].nsmallest(3, "n")), held=SUMS),
    "nunique": both(lambda f: f[["n", "y"]].nunique(), held=RIGHT_KEYS),
    "owners": both(lambda f: f.owners, held="of the frames that are merged", shared="of the frames that are merged"),
    "quantile": both(lambda f: f[["x", "y"]].quantile([0.25, 0.5]), held=SUMS),
    "query": both(lambda f: f.query("x > 1 or y == 2")["n"].sum()),
    "rename": both(lambda f: f.rename(columns={"x": "w"})["w"].sum()),
    "round": both(lambda f: f[["x"]].round(1).sum(), shared=BEFORE),
    "shape": both(lambda f: f.shape, held=r"ask count_rows\(\)", shared=r"ask count_rows\(\)"),
    "share": both(lambda f: f.share()["x"].sum(), lambda f: f["x"].sum(), held="share both frames, and merge these"),
    "shared": both(lambda f: f.shared in {False, True}, lambda f: True),
    "skew": of_frame("skew", held=SUMS),
    "sort_values": both(
        lambda f: f[["n"]].sort_values("n").head(2), lambda f: by_place(f[["n"]].sort_values("n").head(2)), held=SUMS
    ),
}
GROUPS = {name: of_groups(name) for name in (*NUMBERS, "size")} | {
    "agg": both(lambda f: f.groupby("b").agg(a=("x", "mean"), c=("y", "max"))),
    "describe": both(
        lambda f: f.groupby("b")["x"].describe(percentiles=[]),
        lambda f: f.groupby("b")["x"].describe([]),
    ),
    "kurt": of_groups("kurt", held=f"{SUMS}; {ONE_GROUP}", shared=ONE_GROUP),
    "median": of_groups("median", held=SUMS),
    "nunique": of_groups(
        "nunique",
        held=r"count the groups: groupby\(\[key, column\], domain=\{...\}\).size\(\)",
        shared=r"count the groups: groupby\(\[key, column\]\).size\(\)",
    ),
    "quantile": both(lambda f: f.groupby("b")["x"].quantile([0.25, 0.5]), held=SUMS),
    "skew": of_groups("skew", held=f"{SUMS}; {ONE_GROUP}", shared=ONE_GROUP),
}
VERBS = {SecureColumn: COLUMN, SecureFrame: FRAME, SecureGroupBy: GROUPS}


def shares_of(frames, change):
    """Shared frames of which the left one was computed with before, merged."""
    return an.merge(*(f.share(domain=d) for f, d in zip((change(frames[0]), frames[1]), TEXTS, strict=True)), on="k")


def of_each(table):
    """How many groups of two keys each value of the first has."""
    return table.groupby(level=0).count()


INSTEAD = {
    ("SecureGroupBy", "kurt"): (lambda m: m["shared"][m["shared"]["b"]]["x"].kurt(), lambda f: f[f["b"]]["x"].kurt()),
    ("SecureGroupBy", "skew"): (lambda m: m["shared"][m["shared"]["b"]]["x"].skew(), lambda f: f[f["b"]]["x"].skew()),
    ("SecureColumn", "nunique"): (lambda m: m["held"]["n"].nunique(domain=range(9)), lambda f: f["n"].nunique()),
    ("SecureFrame", "nunique"): (lambda m: m["held"].groupby(["u", "b"], domain={"u": [*"pqs"]}).size(),
                                 lambda f: f.groupby(["u", "b"]).size()),
    ("SecureColumn", "round"): (lambda m: shares_of(m["frames"], lambda f: f.assign(x=f["x"].round(1)))["x"].sum(),
                                lambda f: f["x"].round(1).sum()),
    ("SecureFrame", "round"): (lambda m: shares_of(m["frames"], lambda f: f.assign(x=f["x"].round(1)))[["x"]].sum(),
                               lambda f: f[["x"]].round(1).sum()),
    ("SecureColumn", "str"): (
        lambda m: shares_of(m["frames"], lambda f: f.assign(a=f["t"].str.upper().isin(["A"])))["a"].sum(),
        lambda f: f["t"].str.upper().isin(["A"]).sum(),
    ),
    ("SecureFrame", "owners"): (lambda m: m["frames"][1].owners, lambda f: {"bob": 4}),
    ("SecureFrame", "shape"): (lambda m: m["held"].count_rows(), len),
    ("SecureFrame", "share"): (lambda m: m["shared"]["x"].sum(), lambda f: f["x"].sum()),
}  # fmt: skip
"""What the refusals say to ask: of merged frames by their kind, and of pandas'."""
NO_WAY = {("SecureColumn", "dt"), ("SecureFrame", "forget"), ("SecureFrame", "mock")}
"""Not of this kind at all; what is said there ends the frames, or is of other organisations' rows."""


def test_what_a_refusal_says_to_ask_is_answered(merged):
    """Whatever is refused of held frames for the sake of sharing them first, merged shares have; or it says more."""
    rows, asked = LEFT.merge(RIGHT, on="k"), {}
    for of, verbs in VERBS.items():
        for name, (_, _, refused) in verbs.items():
            place = of.__name__, name
            if any(refused.values()) and place not in NO_WAY and (refused["held"] != SUMS or refused["shared"]):
                asked[place] = INSTEAD.get(place)
    counted = [merged["held"].groupby(["b", "n"], domain={"n": range(9)}).size(),
               merged["shared"].groupby(["b", "n"]).size()]  # fmt: skip
    assert asked.pop(("SecureGroupBy", "nunique")) is None
    for table in icm.reveal(*counted):
        same(of_each(table), rows.groupby("b")["n"].nunique())
    assert asked.keys() == INSTEAD.keys()
    for instead, want in INSTEAD.values():
        found = instead(merged)
        same(found.reveal() if isinstance(found, Query) else found, want(rows))


def by_place(table):
    return table.reset_index(drop=True)


@pytest.fixture(scope="module")
def merged():
    """Of each kind a merged frame, and its rows in pandas."""
    with pytest.MonkeyPatch.context() as patch, ThreadEngine() as engine:
        derive_once(patch)
        one = an.from_pandas(engine, {"alice": LEFT[:6], "bob": LEFT[6:]})
        other = an.from_pandas(engine, {"bob": RIGHT})
        shared = [frame.share(domain=texts) for frame, texts in zip((one, other), TEXTS, strict=True)]
        yield {
            "held": an.merge(one, other, on="k"),
            "shared": an.merge(*shared, on="k"),
            "mixed": (one, shared[1]),
            "frames": (one, other),
            "shares": shared,
        }


def same(found, want):
    if isinstance(want, pd.Series | pd.DataFrame):
        check = pd.testing.assert_series_equal if isinstance(want, pd.Series) else pd.testing.assert_frame_equal
        check(found, want, check_dtype=False, check_index_type=False, check_names=False, rtol=1e-9, atol=1e-9)
    elif isinstance(want, tuple) and isinstance(want[0], np.ndarray):
        for got, expected in zip(found, want, strict=True):
            np.testing.assert_allclose(got, expected)
    elif isinstance(want, float):
        assert found == pytest.approx(want, rel=1e-9)
    else:
        assert found == want


@pytest.mark.parametrize("of", VERBS, ids=lambda of: of.__name__)
def test_no_verb_is_forgotten(of):
    assert {name for name in dir(of) if not name.startswith("_")} == VERBS[of].keys()


@pytest.mark.parametrize("kind", ["held", "shared"])
@pytest.mark.parametrize("of", VERBS, ids=lambda of: of.__name__)
@pytest.mark.few(3)
def test_every_verb_is_answered_or_says_what_to_ask(merged, of, kind):
    frame, rows, asked = merged[kind], LEFT.merge(RIGHT, on="k"), {}
    for name, (ask, want, refused) in VERBS[of].items():
        if refused[kind]:
            with pytest.raises((icm.IcmError, TypeError), match=refused[kind]):
                ask(frame)
        else:
            asked[name] = ask(frame), want(rows)
    queries = {name: query for name, (query, _) in asked.items() if isinstance(query, Query)}
    found = {name: query for name, (query, _) in asked.items() if name not in queries}
    found |= dict(zip(queries, icm.reveal(*queries.values()), strict=True))
    for name, (_, want) in asked.items():
        same(found[name], want)


def test_frames_of_two_kinds_and_several_right_rows_of_shares_are_refused(merged):
    with pytest.raises(icm.ColumnError, match="share both before, or none"):
        an.merge(*merged["mixed"], on="k")
    shared = merged["mixed"][1]
    with pytest.raises(icm.InputError, match=r"swap the frames, or merge before .share\(\)"):
        an.merge(shared, shared, on="k", validate="many_to_many")


@pytest.mark.parametrize("kind", ["held", "shared"])
def test_merged_rows_are_no_frame_to_merge_or_concatenate(merged, kind):
    frame = merged[kind]
    with pytest.raises(icm.UnsupportedError, match="concat the frames, and merge"):
        an.concat([frame, frame])
    with pytest.raises(icm.UnsupportedError, match="one after the other"):
        an.merge(frame, merged["mixed"][0], on="k")
    with pytest.raises(icm.UnsupportedError, match="would show rows"):
        frame.head()
    with pytest.raises(icm.UnsupportedError, match="would show rows"):
        frame["x"].tolist()


def test_the_mode_of_public_values_needs_no_domain_and_of_private_ones_says_the_way(merged):
    one, other = merged["mixed"]
    assert other["u"].mode().reveal().tolist() == RIGHT["u"].mode().tolist()
    assert merged["shared"]["u"].mode().reveal().tolist() == LEFT.merge(RIGHT, on="k")["u"].mode().tolist()
    for frame in (one, merged["held"]):
        with pytest.raises(icm.InputError, match=r"state those that may be the mode.*value_counts\(\) opens"):
            frame["t"].mode()


def test_different_floats_of_shares_are_counted_before(merged):
    for frame in (merged["shared"], merged["shares"][0]):
        with pytest.raises(icm.ColumnError, match=r"of x: different values .* not of float; ask before .share\(\)"):
            frame["x"].nunique()
    assert merged["frames"][0]["x"].nunique().reveal() == LEFT["x"].nunique()


def test_what_is_described_of_held_frames_says_what_it_lacks(merged):
    found = merged["held"]["x"].describe().reveal()
    assert found.index.tolist() == ["count", "mean", "std", "min", "25%", "50%", "75%", "max"]
    assert found.isna().sum() == 3
    assert "share both frames" in found.withheld.iloc[0]
