"""`icm audit`: what was answered about a dataset, from the parties' ledgers; `icm audit verify` holds their chains."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from icm_ray.errors import InputError

__all__ = ["audit"]

_VERIFY = "verify"


def audit(
    dataset: Annotated[str, typer.Argument(help="the dataset's name in its policy; 'verify': check all ledgers")],
    ledger: Annotated[Path, typer.Option(envvar="ICM_LEDGER", help="the folder that sessions were given")],
) -> None:
    """Show every question that was answered about a dataset, or check that no ledger was changed.

    Each party keeps a ledger of its own, so that a question stands in several. A ledger whose chain is broken is an
    error that names file and line.
    """
    from icm_ray.runtime.worker.answer_ledger import read_entries

    console = Console()
    folder = ledger if dataset == _VERIFY else ledger / dataset
    files = sorted(folder.glob("*/*.jsonl" if dataset == _VERIFY else "*.jsonl"))
    if not files:
        raise InputError(f"{folder}: there is no ledger", path=str(folder))
    found = {path: read_entries(path)[0] for path in files}
    if dataset == _VERIFY:
        for path, entries in found.items():
            console.print(
                f"{path.relative_to(ledger)}: {len(entries)} entries, the chain holds", soft_wrap=True, markup=False
            )
        return
    table = Table(title=escape(f"what was asked of {dataset}"))
    for head in ("time (UTC)", "ledger", "to", "rows", "what", "new row sets", "digest"):
        table.add_column(head, justify="right" if head == "rows" else "left")
    asked = [(entry, path) for path, entries in found.items() for entry in entries if entry.question is not None]
    for entry, path in sorted(asked, key=lambda item: item[0].time):
        sets = "; ".join(told.in_words() for told in entry.sets)
        texts = entry.question.texts if entry.question is not None else ()
        what = ", ".join((*texts, *entry.titles))
        cells = entry.time[:19], path.stem, entry.recipient, str(entry.rows), what, sets, entry.digest[:8]
        table.add_row(*map(escape, cells))
    console.print(table)
