"""Questions about rows that are shares, beside pandas on the pooled rows, in the same run.

    python benchmarks/shared_rows.py [--rows 1000000] [--repeats 3] [--json FILE] [question ...]

Two owners' rows are shared before the clock starts; parties and dealer are processes of this machine, TLS between
them. A question was asked once before the clock starts; all that is dealt for it is inside. Results
are compared with those of pandas.
"""

from __future__ import annotations

import argparse
import json
import resource
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np
import pandas as pd

import analytics as an
import icm_ray as icm
from icm_ray.runtime.carriers.processes import ProcessEngine

GROUPS = 100
SITES = tuple(f"s{number:02}" for number in range(GROUPS))
DOMAINS = {"key": range(GROUPS), "site": SITES}
VERBS = ["sum", "mean", "count"]


def columns(rows):
    """A cost of multiples of 2^-16, an age, and a key of 100 groups as a number and as text."""
    random = np.random.default_rng(1)
    key = random.integers(0, GROUPS, rows)
    return pd.DataFrame(
        {
            "cost": np.round(random.gamma(2.0, 150.0, rows) * 2**16) / 2**16,
            "age": random.integers(0, 100, rows),
            "key": key,
            "site": np.array(SITES, dtype=object)[key],
        }
    )


def grouped(frame, by, verbs=VERBS):
    """Of one column by public values."""
    if isinstance(frame, pd.DataFrame):
        return frame.groupby(by)["cost"].agg(verbs)
    return frame.groupby(by, domain={by: DOMAINS[by]})["cost"].agg(verbs)


QUESTIONS = {
    "filter, mean": lambda frame: frame[frame["age"] >= 65]["cost"].mean(),
    "group-by, numbers": lambda frame: grouped(frame, "key"),
    "group-by, text": lambda frame: grouped(frame, "site"),
    "filter, group-by": lambda frame: grouped(frame[frame["age"] >= 65], "key"),
    "group-by, std": lambda frame: grouped(frame, "site", ["std"]),
    "median": lambda frame: frame["cost"].median(),
    "quantiles": lambda frame: frame["cost"].quantile([0.25, 0.75, 0.95]),
    "histogram": lambda frame: frame["cost"].histogram(32, (0, 3200)),
}


def plain(ask, frame):
    """What pandas, or numpy, has."""
    try:
        return ask(frame)
    except AttributeError:
        return np.histogram(frame["cost"], 32, (0, 3200))


def same(found, wanted):
    """Assert that two results are equal, doubles to 9 digits: values have 16 fractional bits, pandas rounds."""
    if isinstance(wanted, pd.DataFrame):
        pd.testing.assert_frame_equal(found, wanted, rtol=1e-9, check_index_type=False, check_dtype=False)
    elif isinstance(wanted, tuple):
        assert np.array_equal(found[0], wanted[0])
    else:
        np.testing.assert_allclose(np.asarray(found), np.asarray(wanted), rtol=1e-9)


def timed(ask):
    """(result, seconds)."""
    started = perf_counter()
    result = ask()
    return result, perf_counter() - started


def measured(shared, pooled, name, repeats):
    """One record."""
    ask, ours, theirs = QUESTIONS[name], [], []
    for _ in range(repeats + 1):
        (found,), seconds = timed(lambda: icm.reveal(ask(shared)))
        ours.append(seconds)
        wanted, seconds = timed(lambda: plain(ask, pooled))
        theirs.append(seconds)
        same(found, wanted)
    ours, theirs = median(ours[1:]), median(theirs[1:])  # the first warms up
    return {"question": name, "seconds": ours, "pandas": theirs, "ratio": ours / theirs}


def main():
    """Share, ask, print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("questions", nargs="*", default=list(QUESTIONS))
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    pooled = columns(given.rows)
    half = given.rows // 2
    records = []
    print(f"{'question':18} {'seconds':>8} {'pandas':>8} {'ratio':>7}")
    with ProcessEngine(("alice", "bob")) as engine:
        parts = {"alice": pooled[:half], "bob": pooled[half:].reset_index(drop=True)}
        shared = an.from_pandas(engine, parts).share(domain={"site": SITES})
        for name in given.questions:
            record = measured(shared, pooled, name, given.repeats)
            records.append(record)
            print(f"{name:18} {record['seconds']:8.3f} {record['pandas']:8.3f} {record['ratio']:7.1f}", flush=True)
    worker = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    print(f"the largest worker held {worker / 1024:.0f} MiB")
    if given.json:
        given.json.write_text(json.dumps({"rows": given.rows, "questions": records, "worker_kib": worker}, indent=1))


if __name__ == "__main__":
    main()
