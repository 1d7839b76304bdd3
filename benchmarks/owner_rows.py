"""Questions about rows that owners hold, beside pandas on the pooled file, in the same run.

    python benchmarks/owner_rows.py [--rows 10000000] [--repeats 3] [--folder DIR] [--json FILE] [question ...]

Two owners' Parquet files, each read by its owner's own process on this machine, TLS between the workers; pandas reads
the columns that a question needs of one file with all rows, and computes. Both are timed from files that were just
opened, so reading is inside, and results are compared. allowed: twice pandas' time and a second.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

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


def same(found, wanted):
    """Assert that two results are equal, doubles to 12 digits: pandas rounds on its way."""
    if isinstance(wanted, pd.DataFrame):
        pd.testing.assert_frame_equal(found, wanted, rtol=1e-12, check_index_type=False)
    elif isinstance(wanted, tuple):
        assert np.array_equal(found[0], wanted[0])
    else:
        np.testing.assert_allclose(np.asarray(found), np.asarray(wanted), rtol=1e-12)


def timed(ask):
    """(result, seconds)."""
    started = perf_counter()
    result = ask()
    return result, perf_counter() - started


def measured(engine, folder, name, repeats):
    """One record."""
    needed, ask, plain = QUESTIONS[name]
    ours, theirs = [], []
    for _ in range(repeats + 1):
        frame = an.read_parquet(engine, {who: str(folder / f"{who}.parquet") for who in ("alice", "bob")})
        found, seconds = timed(lambda frame=frame: icm.reveal(*ask(frame)))
        ours.append(seconds)
        wanted, seconds = timed(lambda: (plain or ask)(pd.read_parquet(folder / "all.parquet", columns=needed)))
        theirs.append(seconds)
        for one, other in zip(found, wanted, strict=True):
            same(one, other)
        frame.forget()
    ours, theirs = median(ours[1:]), median(theirs[1:])  # the first warms up
    return {"question": name, "seconds": ours, "pandas": theirs, "ratio": ours / theirs, "allowed": 2 * theirs + 1}


def main():
    """Write the files, ask, print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("questions", nargs="*", default=list(QUESTIONS))
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = given.folder or Path(made)
        if not (folder / "all.parquet").exists():
            write(folder, given.rows)
        records = []
        print(f"{'question':12} {'seconds':>8} {'pandas':>8} {'ratio':>6} {'allowed':>8}")
        with ProcessEngine(("alice", "bob")) as engine:
            for name in given.questions:
                record = measured(engine, folder, name, given.repeats)
                records.append(record)
                numbers = f"{record['seconds']:8.3f} {record['pandas']:8.3f} {record['ratio']:6.2f}"
                print(f"{name:12} {numbers} {record['allowed']:8.3f}", flush=True)
        worker = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        print(f"the largest worker held {worker / 1024:.0f} MiB")
    if given.json:
        given.json.write_text(json.dumps({"rows": given.rows, "questions": records, "worker_kib": worker}, indent=1))


if __name__ == "__main__":
    main()
