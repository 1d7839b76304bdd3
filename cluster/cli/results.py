"""What peers' questions answered for this organisation: `icm results`."""

from __future__ import annotations

import math
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from cluster.cli.options import HOME, Home, Json
from cluster.cli.tables import Cell, table
from cluster.cli.terminal import say

if TYPE_CHECKING:
    from analytics.arrived import Arrived

__all__ = ["add_commands"]

_SHOWN: Final = 50
"""Rows on a terminal."""


def results(
    number: Annotated[int | None, typer.Argument(help="show this one, as icm results lists it")] = None,
    home: Home = HOME,
    out: Annotated[Path | None, typer.Option(help="write its Parquet file here")] = None,
    remove: Annotated[bool, typer.Option("--remove", help="keep it no more")] = False,
    json: Json = False,
) -> None:
    """List results that peers' questions have for this organisation, or show, write or remove one.

    Example: icm results 3 --out result.parquet
    """
    from analytics.arrived import arrived
    from icm_ray.errors import InputError, InstanceError
    from icm_ray.instance.settings import read_settings

    folder = home.expanduser()
    found = arrived(folder)
    if number is None:
        if out is not None or remove:
            raise InputError("icm results NUMBER --out FILE, or --remove: which one?")
        rows: list[tuple[Cell, ...]] = [(one.number, one.asker, one.title, _when(one), one.rows) for one in found]
        table(
            f"results for {read_settings(folder).name}", ("number", "from", "what", "since (UTC)", "rows"), rows, json
        )
        return
    one = next((one for one in found if one.number == number), None)
    if one is None:
        raise InstanceError(f"there is no result {number} here: icm results")
    if out is not None:
        _write(out, one)
    elif not remove:
        _show(one, json)
    if remove:
        _remove(folder, one)


def _when(one: Arrived) -> str:
    return one.at.isoformat(sep=" ", timespec="seconds")[:19]


def _write(path: Path, one: Arrived) -> None:
    from icm_ray.errors import InputError
    from icm_ray.instance.files import write_bytes

    if not path.absolute().parent.is_dir():
        raise InputError(f"--out {path}: there is no directory {path.absolute().parent}")
    write_bytes(path, one.parquet())
    say(f"result {one.number} of {one.asker} is in {path}")


def _remove(folder: Path, one: Arrived) -> None:
    from icm_ray.instance.audit import AuditLog
    from icm_ray.instance.results import Results
    from icm_ray.instance.settings import read_settings

    Results(folder).remove(one.number)
    AuditLog(folder).add(read_settings(folder).name, "removed result", result=str(one.number))
    say(f"result {one.number} of {one.asker} is removed")


def _show(one: Arrived, json: bool) -> None:
    frame = one.to_pandas()
    keyed = frame.reset_index() if frame.index.names != [None] else frame
    heads = tuple(str(name) for name in keyed.columns)
    rows = [tuple(_plain(value) for value in row) for row in keyed.itertuples(index=False, name=None)]
    if json:
        facts = {"number": one.number, "from": one.asker, "what": one.title, "since": _when(one)}
        told = {"withheld": list(one.withheld), "rows": [dict(zip(heads, row, strict=True)) for row in rows]}
        typer.echo(dumps({**facts, **told}))
        return
    drawn: list[tuple[Cell, ...]] = [tuple("" if cell is None else str(cell) for cell in row) for row in rows[:_SHOWN]]
    if heads:
        table(f"result {one.number} of {one.asker}, {_when(one)}: {one.title}", heads, drawn)
    else:
        say(f"result {one.number} of {one.asker}, {_when(one)}: {one.title}: nothing is shown")
    if len(rows) > _SHOWN:
        say(f"{len(rows) - _SHOWN} more rows: icm results {one.number} --out FILE, or --json")
    for reason in one.withheld:
        say(f"withheld: {reason}")


def _plain(value: Any) -> Any:
    """As JSON has it: nothing for what is missing, text for numbers beyond it."""
    plain = value.item() if hasattr(value, "item") else value
    if isinstance(plain, float):
        return plain if math.isfinite(plain) else None
    return plain if plain is None or isinstance(plain, bool | int | str) else str(plain)


def add_commands(app: typer.Typer) -> None:
    """Give the `icm` command that of results."""
    app.command("results")(results)
