"""Rows on a terminal, or as JSON for machines."""

from __future__ import annotations

import re
from collections.abc import Sequence
from json import dumps
from typing import Final

import typer
from rich.console import Console
from rich.table import Table

from cluster.cli.terminal import say, shown

__all__ = ["Cell", "table"]

Cell = str | int | list[str]
_WHOLE: Final = ("id", "digest", "rows", "number")
"""Columns whose cells are copied, or read at a glance: never broken over lines."""
_COPIED: Final = re.compile(r"[0-9a-f]{16,}")
"""Ids and digests in other columns: neither are they."""
_READABLE: Final = 6
"""Letters of a line of any other cell, at least."""
_BORDER: Final = 3


def table(
    title: str, heads: tuple[str, ...], found: Sequence[tuple[Cell, ...]], json: bool = False, none: str = ""
) -> None:
    """Rows as a table, or as JSON by their heads. none: what an empty list is in words."""
    if json:
        names = [head.removesuffix(" (UTC)").replace(" ", "_") for head in heads]
        typer.echo(dumps([dict(zip(names, row, strict=True)) for row in found]))
        return
    console, drawn = Console(), Table(title=shown(title))
    rows = [[", ".join(cell) or none if isinstance(cell, list) else str(cell) for cell in row] for row in found]
    needed = 1
    for place, head in enumerate(heads):
        cells = [row[place] for row in rows]
        whole = cells if head in _WHOLE else [part for cell in cells for part in _COPIED.findall(cell)]
        least = max(map(len, whole), default=0)
        needed += max(least, min(_READABLE, max(map(len, (head, *cells))))) + _BORDER
        drawn.add_column(head, overflow="fold", no_wrap=head in _WHOLE, min_width=least or None)
    if needed > console.width:
        _listed(title, heads, rows)
        return
    for row in rows:
        drawn.add_row(*map(shown, row))
    console.print(drawn)


def _listed(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Each row as lines, where the terminal is too narrow for a table of whole ids and digests."""
    say(title)
    for row in rows:
        say("")
        for head, cell in zip(heads, row, strict=True):
            say(f"{head}: {cell}")
