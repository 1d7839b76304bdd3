"""Questions about merged rows of two owners, beside pandas on both tables, in the same run.

    python benchmarks/merged_rows.py [--left 200000] [--right 100000] [--repeats 3] [--json FILE] [question ...]

One owner's orders, another's customers, a key of 64 bits that half of the orders share with a customer, Parquet files
that each owner's own process reads on this machine, TLS between the workers. Both are timed from files that were just
opened, so reading is inside, and results are compared.
"""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from beside_pandas import arguments, asked, same, timed, written

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


def plain(folder, ask):
    """What pandas answers."""
    tables = [pd.read_parquet(folder / f"{name}.parquet") for name in ("orders", "customers")]
    return ask(tables[0].merge(tables[1], on="id"))


def once(engine, folder, name):
    """Our seconds for one question, and pandas'; the answers are the same."""
    orders = an.read_parquet(engine, {"alice": str(folder / "orders.parquet")})
    customers = an.read_parquet(engine, {"bob": str(folder / "customers.parquet")})
    merged = an.merge(orders, customers, on="id")
    (found,), ours = timed(lambda: icm.reveal(QUESTIONS[name](merged)))
    wanted, theirs = timed(lambda: plain(folder, QUESTIONS[name]))
    same(found, wanted, 1e-12)
    orders.forget()
    customers.forget()
    return ours, theirs


def main():
    """Write the files, ask, print a table."""
    given = arguments(QUESTIONS, left=200_000, right=100_000).parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        write(folder, given.left, given.right)
        with ProcessEngine(("alice", "bob")) as engine:
            records = asked(given.questions, given.repeats, partial(once, engine, folder))
    written(given.json, records, left=given.left, right=given.right)


if __name__ == "__main__":
    main()
