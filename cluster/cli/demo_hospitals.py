"""The first half of the demonstration: joint statistics of two hospitals."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from icm_ray.runtime.driver.engine import Totals

__all__ = ["Hospitals", "Statistics", "histogram_bars", "statistics_table"]

_COLUMNS = ("mean radius", "mean texture", "mean smoothness", "worst area")
_SHOWN = "mean radius"
_RANGE = (6.0, 30.0)
_BINS = 12


@dataclass
class Statistics:
    """Secure results beside plain ones: (what, secure, plain, tolerance), the histogram, and what each query took."""

    explanation: str
    rows: list[tuple[str, float, float, float, Totals]] = field(default_factory=list)
    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    plain_counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    edges: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))

    def check(self) -> None:
        """Raise where a secure result is not the plain one."""
        for what, secure, plain, tolerance, _ in self.rows:
            if abs(secure - plain) > tolerance:
                raise RuntimeError(f"{what}: {secure} where plaintext gives {plain}")
        if not np.array_equal(self.counts, self.plain_counts):
            raise RuntimeError("the histogram differs from the plain one")


@dataclass(frozen=True)
class Hospitals:
    """Two files, and the pooled table that only this demonstration has, to compare with."""

    files: dict[str, str]
    pooled: dict[str, NDArray[np.float64]]

    @classmethod
    def write(cls, folder: Path) -> Hospitals:
        """scikit-learn's breast-cancer table, 300 rows for the north and 269 for the south, as Parquet."""
        from sklearn.datasets import load_breast_cancer

        frame: Any = load_breast_cancer(as_frame=True).frame[list(_COLUMNS)]
        parts = {"alice": frame.iloc[:300], "bob": frame.iloc[300:]}
        files = {owner: str(folder / f"{owner}.parquet") for owner in parts}
        for owner, part in parts.items():
            part.to_parquet(files[owner])
        return cls(files, {name: frame[name].to_numpy() for name in _COLUMNS})

    def compute(self, session: Any) -> Statistics:
        """Counts, means, standard deviations and a histogram of all rows."""
        import analytics as an

        patients = an.read_parquet(session, dict(self.files))
        statistics = Statistics(patients[_SHOWN].std().explain(to="alice"))
        queries: list[tuple[str, Any, float]] = [
            ("patients", patients[_SHOWN].count(), float(len(self.pooled[_SHOWN])))
        ]
        for name in _COLUMNS:
            values = self.pooled[name]
            queries.append((f"{name}: mean", patients[name].mean(), float(values.mean())))
            queries.append((f"{name}: std", patients[name].std(), float(values.std(ddof=1))))
        for what, query, plain in queries:
            before = session.totals
            secure = float(query.reveal(to="alice"))
            statistics.rows.append((what, secure, plain, 1e-9 * max(1.0, abs(plain)), session.totals.since(before)))
        statistics.counts, statistics.edges = patients[_SHOWN].histogram(bins=_BINS, range=_RANGE).reveal(to="alice")
        statistics.plain_counts = np.histogram(self.pooled[_SHOWN], _BINS, _RANGE)[0]
        return statistics


def statistics_table(statistics: Statistics) -> Table:
    """Every secure result beside the plain one."""
    table = Table(title="all patients of both hospitals")
    for head in ("statistic", "secure", "plain", "rounds", "bytes", "dealt", "ms"):
        table.add_column(head, justify="left" if head == "statistic" else "right", no_wrap=True)
    for what, secure, plain, _, took in statistics.rows:
        cells = (f"{secure:.6g}", f"{plain:.6g}", str(took.rounds), str(took.sent_bytes), str(took.dealt_bytes))
        table.add_row(what, *cells, f"{1000 * took.seconds:.0f}")
    return table


def histogram_bars(statistics: Statistics) -> Table:
    """The joint histogram, drawn."""
    table = Table(title=f"{_SHOWN}: joint histogram", box=None)
    for head in ("bin", "secure", "plain", ""):
        table.add_column(head, justify="left" if head in {"bin", ""} else "right")
    top = max(int(statistics.counts.max()), 1)
    for index, count in enumerate(statistics.counts):
        span = f"{statistics.edges[index]:5.1f} to {statistics.edges[index + 1]:5.1f}"
        bar = "█" * round(40 * int(count) / top)
        table.add_row(span, str(count), str(statistics.plain_counts[index]), f"[cyan]{bar}[/]")
    return table
