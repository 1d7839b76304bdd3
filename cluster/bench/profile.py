"""Where the time of a workload goes: what a party and the dealer spend it on, and what the driver's orders take."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from time import perf_counter

import msgspec

from icm_ray.names import DEALER
from icm_ray.profile import Part
from icm_ray.runtime.driver.engine import Execution

__all__ = ["HEADS", "Profile", "markdown", "profile", "rows"]

HEADS = ("workload", "member", "ms", *(str(part) for part in Part), "orders")
"""What the columns of `rows` say. orders: what the driver's run takes beyond the slower party's part of it."""

_PARTY = "party"


class Profile(msgspec.Struct, frozen=True):
    """Of one run. seconds: as the driver sees it. spent: by member ("party": the slower one; "dealer"), by part."""

    seconds: float
    spent: dict[str, dict[str, float]]

    def orders(self) -> float:
        """Seconds that no party's run accounts for: orders and answers between driver and workers."""
        return max(0.0, self.seconds - sum(self.spent[_PARTY].values()))


def profile(run: Callable[[], Execution], repeats: int) -> Profile:
    """Measure `repeats` profiled runs; returns the one of median length (of two such, the shorter)."""
    found: list[Profile] = []
    for _ in range(repeats):
        started = perf_counter()
        execution = run()
        found.append(Profile(perf_counter() - started, _by_kind(execution.spent)))
    return sorted(found, key=lambda one: one.seconds)[(repeats - 1) // 2]


def _by_kind(spent: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, float]]:
    parties = [parts for name, parts in spent.items() if name != DEALER]
    slower = max(parties, key=lambda parts: sum(parts.values()))
    return {_PARTY: dict(slower), DEALER: dict(spent[DEALER])}


def rows(profiles: Mapping[str, Profile]) -> list[tuple[str, ...]]:
    """A row for each member of each workload, under `HEADS`: milliseconds and, in brackets, per cent of the total.

    The total of a party is the driver's (with orders), that of the dealer its own.
    """
    lines: list[tuple[str, ...]] = []
    for name, one in profiles.items():
        for member, parts in one.spent.items():
            total = one.seconds if member == _PARTY else sum(parts.values())
            cells = [_cell(parts.get(part, 0.0), total) for part in Part]
            orders = _cell(one.orders(), total) if member == _PARTY else ""
            lines.append((name, member, f"{1e3 * total:.2f}", *cells, orders))
    return lines


def _cell(seconds: float, total: float) -> str:
    return f"{1e3 * seconds:.2f} ({seconds / total:.0%})" if total else ""


def markdown(profiles: Mapping[str, Profile]) -> str:
    """`rows` as a table in markdown; ends with a line feed."""
    return "".join(_line(row) for row in (HEADS, ("---", "---", *["--:"] * (len(HEADS) - 2)), *rows(profiles)))


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |\n"
