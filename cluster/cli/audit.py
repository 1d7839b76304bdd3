"""`icm audit`: what was answered about a dataset, from the parties' ledgers; `icm audit verify` holds their chains."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

from cluster.cli.terminal import shown
from icm_ray.errors import InputError

__all__ = ["audit"]

_VERIFY: Final = "verify"
_WIDTHS: Final = {"time (UTC)": 10, "digest": 8, "rows": 4, "to": 6}


def audit(
    dataset: Annotated[str, typer.Argument(help="the dataset's name in its policy; 'verify': check all ledgers")],
    ledger: Annotated[Path, typer.Option(envvar="ICM_LEDGER", help="the folder that sessions were given")],
) -> None:
    """Show every question that was answered about a dataset, or check that no ledger was changed.

    Each party keeps a ledger of its own: a question is one line, with the parties in whose ledgers it is. A ledger
    whose chain is broken is an error that names file and line.
    """
    if not ledger.is_dir():
        raise InputError(f"{ledger}: there is no such folder", path=str(ledger))
    files = sorted(ledger.glob("*/*.jsonl"))
    if dataset == _VERIFY:
        if not files:
            raise InputError(f"{ledger}: there is no ledger", path=str(ledger))
        _verify(files, ledger)
        return
    there = sorted({path.parent.name for path in files})
    if dataset not in there:
        known = f"there are those of {', '.join(there)}" if there else "there are none"
        raise InputError(f"{ledger}: there is no ledger of {dataset!r}; {known}", path=str(ledger))
    Console().print(_table(dataset, [path for path in files if path.parent.name == dataset]))


def _verify(files: list[Path], folder: Path) -> None:
    """Say of each ledger whether its chain holds. Raises the `SessionError` of the first that does not, at the end."""
    from icm_ray.errors import SessionError
    from icm_ray.runtime.worker.answer_ledger import read_entries

    console = Console()
    broken: SessionError | None = None
    for path in files:
        try:
            count = len(read_entries(path)[0])
            said = f"{count} {'entry' if count == 1 else 'entries'}, the chain holds"
        except SessionError as error:
            broken, said = broken or error, "the chain is broken"
        console.print(f"{path.relative_to(folder)}: {said}", soft_wrap=True, markup=False)
    if broken is not None:
        raise broken


def _table(dataset: str, files: list[Path]) -> Table:
    """A line for each question, in the order of time. Errors: `SessionError` for a broken ledger."""
    from icm_ray.runtime.worker.answer_ledger import Entry, read_entries

    asked: dict[tuple[str, str, int], dict[str, Entry]] = {}
    for path in files:
        times: Counter[tuple[str, str]] = Counter()
        for entry in read_entries(path)[0]:
            if entry.question is not None:
                key = entry.session, entry.digest
                times[key] += 1
                asked.setdefault((*key, times[key]), {})[path.stem] = entry
    table = Table(title=shown(f"what was asked of {dataset}"))
    for head in ("time (UTC)", "ledgers", "to", "rows", "what", "new row sets", "digest"):
        table.add_column(head, justify="right" if head == "rows" else "left", min_width=_WIDTHS.get(head))
    for found in sorted(asked.values(), key=lambda one: min(entry.time for entry in one.values())):
        entry = min(found.values(), key=lambda one: one.time)
        texts = entry.question.texts if entry.question is not None else ()
        cells = (
            entry.time[:19].replace("T", " "),
            ", ".join(sorted(found)),
            entry.recipient,
            str(entry.rows),
            ", ".join((*texts, *entry.titles)),
            "; ".join(told.in_words() for told in entry.sets),
            entry.digest[:8],
        )
        table.add_row(*map(shown, cells))
    return table
