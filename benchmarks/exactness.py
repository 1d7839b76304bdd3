"""How far statistics are from exact ones: of rows that stay with their owners, and of shared ones.

    python benchmarks/exactness.py [--rows 1000] [--page]

--rows: of each of two owners. --page: write the table into docs/exactness.md. What is exact is computed in fractions.
"""

from __future__ import annotations

import argparse
from fractions import Fraction
from math import sqrt
from pathlib import Path

import numpy as np
import pandas as pd

import analytics as an
from icm_ray.runtime.carriers.threads import ThreadEngine

PAGE = Path(__file__).resolve().parents[1] / "docs" / "exactness.md"
STATISTICS = ("sum", "mean", "std", "median")


def exact(values: np.ndarray) -> dict[str, Fraction | float]:
    """By name; the root alone is rounded to a double."""
    terms = sorted(Fraction(float(value)) for value in values)
    total = sum(terms, Fraction(0))
    mean = total / len(terms)
    squares = sum(((term - mean) ** 2 for term in terms), Fraction(0))
    return {
        "sum": total,
        "mean": mean,
        "std": sqrt(squares / (len(terms) - 1)),
        "median": (terms[(len(terms) - 1) // 2] + terms[len(terms) // 2]) / 2,
    }


def measured(engine, rows: int) -> list[tuple[str, ...]]:
    """A row for each statistic: its value, then what held and shared rows are off by and what is stated."""
    draws = np.random.default_rng(1)
    parts = {party: pd.DataFrame({"cost": draws.gamma(2, 100, rows)}) for party in ("alice", "bob")}
    wanted = exact(pd.concat(parts)["cost"].to_numpy())
    held = an.from_pandas(engine, parts)
    found = []
    for name in STATISTICS:
        cells = [f"`{name}()`", f"{float(wanted[name]):.6g}"]
        for frame in (held, held.share()):
            query = getattr(frame["cost"], name)()
            answer = query.reveal()
            off, stated = abs(float(Fraction(float(answer)) - Fraction(wanted[name]))), query.error.at(answer)
            if off > stated:
                raise RuntimeError(f"{name} is off by {off}, and {stated} is stated")
            cells += [f"{off:.1e}" if off else "0", f"{stated:.1e}"]
        found.append(tuple(cells))
    return found


def table(rows: list[tuple[str, ...]]) -> str:
    """As Markdown."""
    head = ("of `cost`", "exact", "with their owners: off by", "stated", "shared: off by", "stated")
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--page", action="store_true")
    given = parser.parse_args()
    with ThreadEngine(("alice", "bob")) as engine:
        text = table(measured(engine, given.rows))
    print(text, end="")
    if given.page:
        before, begin, rest = PAGE.read_text().partition("<!-- statistics -->\n")
        _, end, after = rest.partition("<!-- /statistics -->\n")
        PAGE.write_text(before + begin + text + end + after)


if __name__ == "__main__":
    main()
