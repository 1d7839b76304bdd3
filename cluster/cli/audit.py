"""`icm audit`: what an instance was asked and did, or what was answered about a dataset; `icm audit verify` holds the
chains of logs and of ledgers.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

from cluster.cli.health import serving_link, tell
from cluster.cli.options import HOME, Home, Json
from cluster.cli.tables import table
from cluster.cli.terminal import shown
from icm_ray.errors import InputError

__all__ = ["audit"]

_VERIFY: Final = "verify"
_WIDTHS: Final = {"time (UTC)": 10, "digest": 8, "rows": 4, "to": 6}


def audit(
    dataset: Annotated[
        str, typer.Argument(help="a dataset's name in its ledger; 'verify': check all; left out: the instance's log")
    ] = "",
    ledger: Annotated[
        Path | None, typer.Option(envvar="ICM_LEDGER", help="the folder that sessions on one cluster were given")
    ] = None,
    home: Home = HOME,
    forget: Annotated[str, typer.Option(help="with verify: a peer whose earlier heads are no evidence any more")] = "",
    json: Json = False,
) -> None:
    """Show what the instance was asked and did, or every question that was answered about a dataset; check all of it.

    `icm audit verify` holds the chain of the instance's log; for each peer that can be reached, that its log is still
    the one whose heads it has shown, and that the own log is the one that it has seen. Status 1 where one is not.

    With --ledger: the ledgers of the parties of one cluster. A question is one line, with the parties in whose ledgers
    it is; a ledger whose chain is broken is an error that names file and line.

    Example: icm audit verify
    """
    if ledger is not None:
        _audit_ledgers(dataset, ledger)
    elif dataset == _VERIFY:
        _verify_instance(home.expanduser(), forget, json)
    elif dataset:
        _audit_ledgers(dataset, home.expanduser() / "ledger")
    else:
        _show_log(home.expanduser(), json)


def _show_log(folder: Path, json: bool) -> None:
    from icm_ray.instance.audit import AuditLog
    from icm_ray.instance.settings import read_settings

    settings = read_settings(folder)
    found = [
        (
            entry.time[:19].replace("T", " "),
            entry.who,
            entry.what,
            [f"{fact} {text}" for fact, text in entry.facts.items()],
        )
        for entry in AuditLog(folder).entries()
    ]
    table(f"log of {settings.name}: the chain holds", ("time (UTC)", "who", "what", "facts"), found, json)


def _verify_instance(folder: Path, forget: str, json: bool) -> None:
    from icm_ray.errors import InstanceError
    from icm_ray.instance.heads import Heads
    from icm_ray.instance.messages import Forward
    from icm_ray.instance.proving import AskLog, verify
    from icm_ray.instance.settings import read_settings

    settings = read_settings(folder)
    if forget:
        Heads(folder).forget(forget)
    with serving_link(folder) as link:

        def ask(peer: str, call: AskLog) -> object:
            if link is None:
                raise InstanceError("the own instance does not serve, so nobody is asked: icm serve")
            return link.call(Forward(peer, call))

        tell(f"logs of {settings.name} and of its peers", verify(settings.name, folder, ask), json)


def _audit_ledgers(dataset: str, ledger: Path) -> None:
    if not dataset:
        raise InputError("icm audit --ledger: which dataset? its name follows, or 'verify'")
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
    drawn = Table(title=shown(f"what was asked of {dataset}"))
    for head in ("time (UTC)", "ledgers", "to", "rows", "what", "new row sets", "digest"):
        drawn.add_column(head, justify="right" if head == "rows" else "left", min_width=_WIDTHS.get(head))
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
        drawn.add_row(*map(shown, cells))
    return drawn
