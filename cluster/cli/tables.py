"""Rows on a terminal, or as JSON for machines."""

from __future__ import annotations

from collections.abc import Sequence
from json import dumps
from typing import Final

import typer
from rich.console import Console
from rich.table import Table

from cluster.cli.terminal import shown

__all__ = ["Cell", "table"]

Cell = str | int | list[str]
_WHOLE: Final = ("id", "digest", "rows", "number")
"""Columns whose cells are copied, or read at a glance: never broken over lines."""


def table(
    title: str, heads: tuple[str, ...], found: Sequence[tuple[Cell, ...]], json: bool = False, none: str = ""
) -> None:
    """Rows as a table, or as JSON by their heads. none: what an empty list is in words."""
    if json:
        names = [head.removesuffix(" (UTC)").replace(" ", "_") for head in heads]
        typer.echo(dumps([dict(zip(names, row, strict=True)) for row in found]))
        return
    drawn = Table(title=shown(title))
    for head in heads:
        drawn.add_column(head, overflow="fold", no_wrap=head in _WHOLE)
    for row in found:
        drawn.add_row(*(shown(", ".join(cell) or none if isinstance(cell, list) else str(cell)) for cell in row))
    Console().print(drawn)
