"""Makes docs/from-pandas.md: what of pandas works on frames, found by trying; a test holds the page to it.

usage: python docs/verbs.py           rewrite the page
       python docs/verbs.py --check   exit 1 where it is not that of the code
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "from-pandas.md"

VERBS = {
    "Rows and columns": [
        'frame["age"]',
        "frame.age",
        'frame[["age", "cost"]]',
        'frame[frame["age"] >= 65]',
        'frame[(frame["age"] >= 65) & ~frame["ill"]]',
        """frame.query("age >= 65 and ward == 'a'")""",
        'frame["cost"][frame["age"] >= 65]',
        'frame.loc[frame["age"] >= 65, "cost"]',
        'frame.dropna(subset=["cost"])',
        'frame.fillna({"cost": 0})',
        'frame.astype({"age": "float"})',
        "frame.isna().sum()",
        'frame.assign(twice=frame["age"] * 2)',
        'frame.rename(columns={"age": "years"})',
        'frame.drop(columns=["cost"])',
        'an.concat([frame[["age"]], other[["age"]]])',
        'an.merge(frame, other, on=["age"])',
        'an.merge(frame, other, on="age", how="left")',
        'an.merge(frame, other, on="age").query("cost > 100 or more > 0")',
        'an.merge(frame, other, on="age").groupby("ill")["cost"].sum()',
        'an.merge(frame, other, on="age").groupby("ill")["cost"].max()',
        'an.merge(frame, other, on="age").groupby("code")["cost"].sum()',
        'an.merge(frame, other, left_on="age", right_on="code")["cost"].sum()',
        'an.merge(frame, other, on="age")["cost"].median()',
        "frame.sort_values('age')[['age', 'cost']].head(2)",
        "frame.sort_values('cost', ascending=False)['age'].tail(2)",
        "frame.sort_values('ward')[['ward', 'age']].head(2)",
        "frame.head()",
        "frame.iloc[0]",
        "frame.apply(len)",
        "frame.rolling(3)",
        "frame.merge(other)",
        "frame.pivot_table(index='ward')",
        "frame.resample('D')",
    ],
    "Columns computed from columns": [
        'frame["age"] + frame["cost"]',
        '2 * frame["age"] - 1',
        'frame["cost"] / frame["age"]',
        'frame["age"] // 10',
        'frame["age"] % 10',
        'frame["age"] ** 2',
        'abs(frame["cost"])',
        'frame[["age", "cost"]] * 2 - 1',
        'np.sqrt(frame["cost"])',
        'frame["cost"].round(1)',
        'frame["cost"].clip(0, 100)',
        'frame["age"].between(18, 65)',
        'frame["age"].isin([34, 61])',
        'frame["cost"].isna()',
        'frame["cost"].fillna(0)',
        'frame["cost"].where(frame["age"] > 40, 0)',
        'frame["cost"].fillna(0).astype("int")',
        'frame["ward"] == "a"',
        'frame["ward"].str.startswith("a")',
        'frame["ward"].str.len()',
        'frame["day"] >= "2024-02-01"',
        'frame["day"].between("2024-01-31", "2024-02-29")',
        'frame["day"].fillna("2024-01-01") - pd.Timedelta("1D")',
        'frame["day"] - pd.Timestamp("2024-01-01")',
        '(frame["day"] - pd.Timestamp("2024-01-01")).dt.days',
        'frame["day"].dt.year',
        'frame["day"].dt.month',
        'frame["day"].dt.day_of_week',
        'frame["day"].dt.day_of_year',
        'frame["day"].dt.hour',
        'frame["day"].dt.date',
        'frame["day"].dt.floor("h")',
        'frame["day"].dt.ceil("h")',
        'frame["day"].dt.is_month_end',
        'frame["day"].dt.tz_localize("Europe/Berlin").dt.tz_convert("UTC")',
        'frame["price"] * 2 - Decimal("0.05")',
    ],
    "One number": [
        'frame["cost"].count()',
        'frame["cost"].sum()',
        'frame["cost"].mean()',
        'frame["cost"].mean(skipna=False)',
        'np.mean(frame["cost"])',
        'frame["cost"].var()',
        'frame["cost"].std()',
        'frame["cost"].sem()',
        'frame["cost"].skew()',
        'frame["cost"].kurt()',
        'frame["cost"].min()',
        'frame["cost"].max()',
        'frame["cost"].median()',
        'frame["cost"].quantile(0.9)',
        'frame["day"].min()',
        'frame["day"].mean()',
        'frame["day"].median()',
        'frame["day"].std()',
        'frame["day"].nunique()',
        'frame["day"].sum()',
        'frame["price"].sum()',
        'frame["price"].median()',
        'frame["price"].sem()',
        'frame["age"].nunique()',
        'frame["cost"].nunique()',
        'frame["ward"].nunique(domain=["a", "b"])',
        '(frame["age"] >= 65).any()',
        'frame["ill"].all()',
        'frame["age"].corr(frame["cost"])',
        'frame["age"].corr(frame["cost"], method="spearman")',
        'frame["age"].cov(frame["cost"])',
    ],
    "Tables": [
        'frame["cost"].describe()',
        'frame["day"].describe()',
        'frame["ward"].describe()',
        "frame.describe()",
        "frame.mean(numeric_only=True)",
        "frame.nunique()",
        "frame.quantile([0.25, 0.75])",
        "frame.corr()",
        'frame["ill"].value_counts()',
        'frame["ward"].value_counts(domain=["a", "b"])',
        'frame["ward"].value_counts(dropna=False)',
        'frame["ward"].mode()',
        'frame["cost"].histogram(4, range=(0, 400))',
        'frame["cost"].nlargest(3)',
        'frame["day"].nlargest(2)',
        'frame["day"].mode()',
        'frame["day"].value_counts(domain=["2024-01-05", "2024-02-17"])',
        'frame["price"].describe()',
        'frame.groupby("ill")["cost"].mean()',
        'frame.groupby("ward", domain={"ward": ["a", "b"]})["cost"].agg(["count", "mean"])',
        'frame.groupby("ward", domain={"ward": ["a", "b"]}).agg(most=("cost", "max"))',
        'frame.groupby("ward", domain={"ward": ["a", "b"]})["cost"].quantile(0.9)',
        'frame.groupby(["ill", "ward"], domain={"ward": ["a", "b"]}).size()',
        'frame.groupby("ill", as_index=False)["cost"].mean()',
        'frame.groupby("ill")["cost"].describe()',
        'frame.groupby("age")["cost"].sum()',
        'frame.groupby("ward")["cost"].median()',
        'frame.groupby("day")["cost"].sum()',
        'frame.groupby("price")["cost"].median()',
        'frame.groupby(frame["day"].dt.month)["cost"].sum()',
        'frame.groupby(frame["day"].dt.year)["cost"].sum()',
        'frame.groupby("ill").agg(first=("day", "min"), middle=("day", "median"), bill=("price", "sum"))',
        'frame.groupby("age")["cost"].min()',
        'frame.groupby("age")["cost"].median()',
        'frame.groupby("ill")["cost"].quantile([0.25, 0.75])',
        'frame.groupby("ill")[["age", "cost"]].median()',
        'frame.groupby("ill").agg({"cost": ["median", "max"], "age": "nunique"})',
        'frame.groupby("age")["ill"].nunique()',
        'frame.groupby("ill")["cost"].nunique()',
        'frame.groupby("ill")["cost"].skew()',
        'frame.groupby("ill")["cost"].first()',
        'an.merge(frame, other, on="age").groupby("code")["cost"].max()',
        'an.merge(frame, other, on="age").groupby("code")["cost"].median()',
        'an.crosstab(frame["ill"], frame["ward"], domain={"ward": ["a", "b"]})',
        'pd.crosstab(frame["ill"], frame["ward"])',
        "pd.DataFrame(frame)",
    ],
}
"""What a user of pandas writes, by what it gives."""
BOUNDS = {"age": 130, "day": ("2020-01-01", "2030-01-01")}
_HEAD = f"""# From pandas to SecureFrame

What a user of pandas writes, tried on a frame whose rows are with their owners, and on one that is shared
(`frame.share(domain={{"ward": ["a", "b"]}})`); both are read with `bounds={BOUNDS}`.
**yes** means: it works, and the result is that of pandas on the pooled rows. Else the answer is what the error says.
Missing values are as in pandas' columns of numpy's dtypes, also where pandas has `Int64`, `boolean` or Arrow's: a
comparison with one is False, `!=` is True, and `~` of a comparison too; `& frame["age"].notna()` leaves these rows out.
This page is made by `python docs/verbs.py`, and a test holds it to what the code does.
"""


def tried(text: str, names: dict[str, Any]) -> str:
    """ "yes", what of it is missing, or what the error says."""
    from analytics import MergedFrame, Query, SecureColumn, SecureFrame

    try:
        made = eval(text, names)  # noqa: S307 - of the list above
        if isinstance(made, SecureColumn):
            made = made.max() if made.kind != "string" else made.count()
        if isinstance(made, SecureFrame | MergedFrame):
            made = made.count_rows()
        if isinstance(made, Query):
            lacking = getattr(made.reveal(), "attrs", {}).get("withheld")
            if lacking:
                return f"in part, the rest is missing: {lacking[0]}"
    except Exception as error:  # noqa: BLE001 - a typed error or none: the page says which
        said = str(error).split("\n", 1)[0].replace("|", "\\|")
        return f"no: {said}" if len(said) < 160 else f"no: {said[:150]} ..."
    return "yes"


def page() -> str:
    """The page as it is to be."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    import numpy as np
    import pandas as pd
    import pyarrow as pa

    import analytics as an
    from icm_ray.runtime.carriers.threads import ThreadEngine

    days = pd.to_datetime(["2024-01-05", "2024-02-17", "2024-03-08"])
    north = pd.DataFrame({"age": [34, 61, 47], "cost": [120.5, 80.0, 310.25], "ill": [True, False, True]})
    south = pd.DataFrame({"age": [29, 70], "cost": [95.0, None], "ill": [False, True]})
    north, south = (part.assign(ward=[*"aba"][: len(part)], day=days[: len(part)]) for part in (north, south))
    prices = pd.array(["1.10", "2.25", "0.40"], pd.ArrowDtype(pa.decimal128(9, 2)))
    north, south = (part.assign(price=prices[: len(part)]) for part in (north, south))
    modules = {"an": an, "np": np, "pd": pd}
    yield _HEAD
    with ThreadEngine(("alice", "bob")) as engine:
        held = an.from_pandas(engine, {"alice": north, "bob": south}, bounds=BOUNDS)
        other = an.from_pandas(engine, {"alice": south[["age"]].assign(more=1.0, code=[47, 34])})
        shared, shared_other = held.share(domain={"ward": ["a", "b"]}), other.share()
        for title, texts in VERBS.items():
            yield f"## {title}\n"
            yield "| pandas | rows with their owners | shared rows |"
            yield "|---|---|---|"
            for text in texts:
                places = [
                    tried(text, {**modules, "frame": frame, "other": beside, "Decimal": Decimal})
                    for frame, beside in ((held, other), (shared, shared_other))
                ]
                cell = text.replace("|", "\\|")
                yield f"| `{cell}` | {' | '.join(places)} |"
            yield ""


if __name__ == "__main__":
    sys.path.insert(0, str(PAGE.parents[1]))
    from docs.kept import keep

    keep(PAGE, page(), __file__)
