"""Questions about rows that owners hold, beside pandas on the pooled file, in the same run.

    python benchmarks/owner_rows.py [--rows 10000000] [--repeats 3] [--folder DIR] [--json FILE] [question ...]

Two owners' Parquet files, each read by its owner's own process on this machine, TLS between the workers; pandas reads
the columns that a question needs of one file with all rows, and computes. Both are timed from files that were just
opened, so reading is inside, and results are compared. allowed: twice pandas' time and a second.
"""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from beside_pandas import arguments, asked, same, timed, written

import analytics as an
import icm_ray as icm
from icm_ray.runtime.carriers.processes import ProcessEngine

GROUPS = 1000
Q = [0.25, 0.75, 0.95]


def columns(rows):
    """A cost with two decimals, an age, a key of 1,000 groups."""
    random = np.random.default_rng(1)
    return {
        "cost": np.round(random.gamma(2.0, 150.0, rows), 2),
        "age": random.integers(0, 100, rows),
        "site": random.integers(0, GROUPS, rows),
    }


def write(folder, rows):
    """One owner's half, the other's, and all rows."""
    table = pa.table(columns(rows))
    for name, part in (("alice", table[: rows // 2]), ("bob", table[rows // 2 :]), ("all", table)):
        pq.write_table(part, folder / f"{name}.parquet")


def grouped(frame):
    """Of older patients, by site."""
    chosen = frame[frame["age"] >= 65]
    named = {"n": ("cost", "count"), "total": ("cost", "sum"), "mean": ("cost", "mean")}
    if isinstance(frame, pd.DataFrame):
        return chosen.groupby("site").agg(**named)
    return chosen.groupby("site", domain={"site": range(GROUPS)}).agg(**named)


# by name: the columns that it reads, the question, and pandas' answer
QUESTIONS = {
    "sum": (["cost"], lambda frame: [frame["cost"].sum()], None),
    "mean": (["cost"], lambda frame: [frame["cost"].mean()], None),
    "std": (["cost"], lambda frame: [frame["cost"].std()], None),
    "histogram": (
        ["cost"],
        lambda frame: [frame["cost"].histogram(32, (0, 3200))],
        lambda frame: [np.histogram(frame["cost"], 32, (0, 3200))],
    ),
    "group-by": (["cost", "age", "site"], lambda frame: [grouped(frame)], None),
    "median": (["cost"], lambda frame: [frame["cost"].median()], None),
    "quantiles": (["cost"], lambda frame: [frame["cost"].quantile(Q)], None),
    "together": (
        ["cost", "age"],
        lambda frame: [frame["cost"].sum(), frame["cost"].std(), frame["cost"].median(), frame["age"].mean()],
        None,
    ),
}


def once(engine, folder, name):
    """Our seconds for one question, and pandas'; the answers are the same."""
    needed, ask, plain = QUESTIONS[name]
    frame = an.read_parquet(engine, {who: str(folder / f"{who}.parquet") for who in ("alice", "bob")})
    found, ours = timed(lambda: icm.reveal(*ask(frame)))
    wanted, theirs = timed(lambda: (plain or ask)(pd.read_parquet(folder / "all.parquet", columns=needed)))
    for one, other in zip(found, wanted, strict=True):
        same(one, other, 1e-12)  # pandas rounds on its way
    frame.forget()
    return ours, theirs


def main():
    """Write the files, ask, print a table."""
    parser = arguments(QUESTIONS, rows=10_000_000)
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = given.folder or Path(made)
        if not (folder / "all.parquet").exists():
            write(folder, given.rows)
        with ProcessEngine(("alice", "bob")) as engine:
            records = asked(given.questions, given.repeats, partial(once, engine, folder))
    for record in records:
        record["allowed"] = 2 * record["pandas"] + 1
    late = [record["question"] for record in records if record["seconds"] > record["allowed"]]
    print(f"above twice pandas' time and a second: {', '.join(late) or 'none'}")
    written(given.json, records, rows=given.rows)


if __name__ == "__main__":
    main()
