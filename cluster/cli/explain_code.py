"""`icm help E305`: what an error's code means, and what to do."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cluster.cli.options import Json

__all__ = ["explain_code"]


def explain_code(
    code: Annotated[str, typer.Argument(help="such as E305; left out: list them")] = "",
    json: Json = False,
) -> None:
    """Say what an error's code means, who sees it, what it mostly comes from, and what to do, with an example message.

    Example: icm help E305
    """
    import msgspec

    from icm_ray.error_codes import CODES, code_of

    found = [code_of(code)] if code else list(CODES)
    if json:
        rows = [msgspec.structs.asdict(item) | {"kind": item.kind.__name__} for item in found]
        typer.echo(msgspec.json.encode(rows[0] if code else rows))
        return
    console = Console()
    if code:
        (item,) = found
        console.print(f"[bold]{item.code}[/] {item.kind.__name__}", highlight=False)
        for what, text in item.paragraphs:
            console.print(escape(f"{what.lower()}: {text}"), highlight=False, soft_wrap=True)
        console.print(f"page: errors/{item.code}.html in the documentation that make docs builds", highlight=False)
        return
    table = Table(title="errors: icm help CODE says more")
    for head in ("code", "error", "what happened"):
        table.add_column(head, overflow="fold")
    for item in found:
        table.add_row(item.code, item.kind.__name__, escape(item.says))
    console.print(table)
