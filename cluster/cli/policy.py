"""`icm policy check`: what a policy file says, in words; what is wrong with it, by line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Policies: what may be revealed of a dataset.")


@app.callback()
def policy() -> None:
    """Policies: what may be revealed of a dataset."""


@app.command("check")
def check(file: Annotated[Path, typer.Argument(help="a policy as TOML")]) -> None:
    """Say in words what a policy file asks for; where it has a fault, name the line and what is allowed.

    Example: icm policy check visits.toml
    """
    from icm_ray.policy import Policy

    found = Policy.from_toml(file)
    table = Table(title=escape(f"{file.name}: {found.name or 'a dataset without a name'}"), show_header=False)
    for rule in found.in_words():
        table.add_row(rule)
    Console().print(table)
