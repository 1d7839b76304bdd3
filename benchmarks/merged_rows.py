"""Questions about merged rows of two owners, beside pandas on both tables, in the same run.

    python benchmarks/merged_rows.py [--left 200000] [--right 100000] [--repeats 3] [--json FILE] [question ...]

One owner's orders, another's customers, a key of 64 bits that half of the orders share with a customer, Parquet files
that each owner's own process reads on this machine, TLS between the workers. Both are timed from files that were just
opened, so reading is inside, and results are compared.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np
import pandas as pd

import analytics as an
import icm_ray as icm
from icm_ray.runtime.carriers.processes import ProcessEngine

SEGMENTS, REGIONS = tuple("abcdefgh"), tuple(range(100))


def write(folder, left, right):
    """Orders and customers."""
    random = np.random.default_rng(1)
    ids = random.choice(1 << 62, 2 * right, replace=False).astype(np.int64)
    customers = pd.DataFrame(
        {
            "id": ids[:right],
            "segment": random.choice(list(SEGMENTS), right),
            "region": random.choice(REGIONS, right),
            "age": random.integers(18, 90, right),
        }
    )
    orders = pd.DataFrame({"id": random.choice(ids, left), "amount": np.round(random.gamma(2.0, 50.0, left), 2)})
    for name, table in (("orders", orders), ("customers", customers)):
        table.to_parquet(folder / f"{name}.parquet", index=False)


def grouped(merged, by, domain):
    """The amounts of each group, summed."""
    if isinstance(merged, pd.DataFrame):
        return merged.groupby(by)["amount"].sum()
    return merged.groupby(by, domain=domain)["amount"].sum()


# by name what is asked of the merged rows, of pandas' or of ours
QUESTIONS = {
    "sum": lambda merged: merged["amount"].sum(),
    "mean of older": lambda merged: merged[(merged["age"] > 60) & (merged["amount"] > 20)]["amount"].mean(),
    "sum by 8": lambda merged: grouped(merged, "segment", SEGMENTS),
    "sum by 100": lambda merged: grouped(merged, "region", REGIONS),
    "largest": lambda merged: merged["amount"].max(),
}


def timed(ask):
    """(result, seconds)."""
    started = perf_counter()
    result = ask()
    return result, perf_counter() - started


def plain(folder, ask):
    """What pandas answers."""
    tables = [pd.read_parquet(folder / f"{name}.parquet") for name in ("orders", "customers")]
    return ask(tables[0].merge(tables[1], on="id"))


def measured(engine, folder, name, repeats):
    """One record."""
    ask, ours, theirs = QUESTIONS[name], [], []
    for _ in range(repeats + 1):
        orders = an.read_parquet(engine, {"alice": str(folder / "orders.parquet")})
        customers = an.read_parquet(engine, {"bob": str(folder / "customers.parquet")})
        merged = an.merge(orders, customers, on="id")
        (found,), seconds = timed(lambda merged=merged: icm.reveal(ask(merged)))
        ours.append(seconds)
        wanted, seconds = timed(lambda: plain(folder, ask))
        theirs.append(seconds)
        np.testing.assert_allclose(np.asarray(found), np.asarray(wanted), rtol=1e-12)
        orders.forget()
        customers.forget()
    ours, theirs = median(ours[1:]), median(theirs[1:])  # the first warms up
    return {"question": name, "seconds": ours, "pandas": theirs, "ratio": ours / theirs}


def main():
    """Write the files, ask, print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("questions", nargs="*", default=list(QUESTIONS))
    parser.add_argument("--left", type=int, default=200_000)
    parser.add_argument("--right", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        write(Path(made), given.left, given.right)
        records = []
        print(f"{'question':14} {'seconds':>8} {'pandas':>8} {'ratio':>7}")
        with ProcessEngine(("alice", "bob")) as engine:
            for name in given.questions:
                record = measured(engine, Path(made), name, given.repeats)
                records.append(record)
                print(f"{name:14} {record['seconds']:8.3f} {record['pandas']:8.3f} {record['ratio']:7.1f}", flush=True)
    if given.json:
        given.json.write_text(json.dumps({"left": given.left, "right": given.right, "questions": records}, indent=1))


if __name__ == "__main__":
    main()
