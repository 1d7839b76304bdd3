"""Questions about rows that are shares, beside pandas on the pooled rows, in the same run.

    python benchmarks/shared_rows.py [--rows 1000000] [--repeats 3] [--json FILE] [question ...]

Two owners' rows are shared before the clock starts; parties and dealer are processes of this machine, TLS between
them. A question was asked once before the clock starts; all that is dealt for it is inside. Results are
compared with those of pandas.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
from beside_pandas import arguments, asked, same, timed, written

import analytics as an
import icm_ray as icm
from icm_ray.runtime.carriers.processes import ProcessEngine

GROUPS, CUSTOMERS = 100, 50_000
SITES = tuple(f"s{number:02}" for number in range(GROUPS))
DOMAINS = {"key": range(GROUPS), "site": SITES}
YEARS = ("2015-01-01", "2025-01-01")
BOUNDS = {"time": YEARS}
"""As an owner declares them."""
VERBS = ["sum", "mean", "count"]


def columns(rows):
    """A cost of multiples of 2^-16, an age, a key of 100 groups as a number and as text, one of 50,000 numbers, and a
    time of ten years, to the second.
    """
    random = np.random.default_rng(1)
    key = random.integers(0, GROUPS, rows)
    return pd.DataFrame(
        {
            "cost": np.round(random.gamma(2.0, 150.0, rows) * 2**16) / 2**16,
            "age": random.integers(0, 100, rows),
            "key": key,
            "site": np.array(SITES, dtype=object)[key],
            "customer": random.integers(0, CUSTOMERS, rows),
            "time": np.datetime64(YEARS[0], "s") + random.integers(0, 3652 * 86_400, rows).astype("timedelta64[s]"),
        }
    )


def by_month(frame):
    """Of the times of five years, by public months."""
    later = frame[frame["time"] >= "2020-01-01"]
    return later.groupby(later["time"].dt.month)["cost"].agg(VERBS)


def grouped(frame, by, verbs=VERBS):
    """Of one column by public values."""
    if isinstance(frame, pd.DataFrame):
        return frame.groupby(by)["cost"].agg(verbs)
    domain = {by: DOMAINS[by]} if by in DOMAINS else None
    return frame.groupby(by, domain=domain)["cost"].agg(verbs)


QUESTIONS = {
    "filter, mean": lambda frame: frame[frame["age"] >= 65]["cost"].mean(),
    "group-by, numbers": lambda frame: grouped(frame, "key"),
    "group-by, text": lambda frame: grouped(frame, "site"),
    "filter, group-by": lambda frame: grouped(frame[frame["age"] >= 65], "key"),
    "group-by, std": lambda frame: grouped(frame, "site", ["std"]),
    "group-by, private keys": lambda frame: grouped(frame, "customer"),
    "median": lambda frame: frame["cost"].median(),
    "filter, median": lambda frame: frame[frame["age"] >= 65]["cost"].median(),
    "quantiles": lambda frame: frame["cost"].quantile([0.25, 0.75, 0.95]),
    "times, by month": by_month,
    "median of times": lambda frame: frame["time"].median(),
    "histogram": lambda frame: frame["cost"].histogram(32, (0, 3200)),
}


def plain(ask, frame):
    """What pandas, or numpy, has."""
    try:
        return ask(frame)
    except AttributeError:
        return np.histogram(frame["cost"], 32, (0, 3200))


def once(shared, pooled, name):
    """Our seconds for one question, and pandas'; the answers are the same."""
    ask = QUESTIONS[name]
    (found,), ours = timed(lambda: icm.reveal(ask(shared)))
    wanted, theirs = timed(lambda: plain(ask, pooled))
    same(found, wanted, 1e-9, check_dtype=False)  # values have 16 fractional bits, pandas rounds
    return ours, theirs


def main():
    """Share, ask, print a table."""
    given = arguments(QUESTIONS, rows=1_000_000).parse_args()
    pooled = columns(given.rows)
    half = given.rows // 2
    with ProcessEngine(("alice", "bob")) as engine:
        parts = {"alice": pooled[:half], "bob": pooled[half:].reset_index(drop=True)}
        shared = an.from_pandas(engine, parts, bounds=BOUNDS).share(domain={"site": SITES})
        records = asked(given.questions, given.repeats, partial(once, shared, pooled))
    written(given.json, records, rows=given.rows)


if __name__ == "__main__":
    main()
