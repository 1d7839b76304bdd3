"""`icm audit`: what an instance was asked and did, or what was answered about a dataset; `icm audit verify` holds the
chains of logs and of ledgers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import chain
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console

from cluster.cli.health import serving_link, tell
from cluster.cli.options import HOME, Home, Json
from cluster.cli.tables import Cell, table
from icm_ray.errors import InputError

if TYPE_CHECKING:
    from icm_ray.instance.finding import Finding

__all__ = ["audit"]

_VERIFY: Final = "verify"
_LEDGER: Final = "ledger"
_HEADS: Final = ("time (UTC)", "ledgers", "to", "rows", "what", "new row sets", "digest")


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

    `icm audit verify` holds the chains of the instance's log and of its datasets' ledgers; for each peer that can be
    reached, that its log is still the one whose heads it has shown, and that the own log is the one that it has seen.
    Status 1 where one is not.

    With --ledger: the ledgers of the parties of one cluster. A question is one line, with the parties in whose ledgers
    it is; a ledger whose chain is broken is an error that names file and line.

    Example: icm audit verify
    """
    if forget and (ledger is not None or dataset != _VERIFY):
        raise InputError("--forget is of icm audit verify, which asks peers")
    if ledger is not None:
        _audit_ledgers(dataset, ledger, json)
    elif dataset == _VERIFY:
        _verify_instance(home.expanduser(), forget, json)
    elif dataset:
        _audit_own(dataset, home.expanduser(), json)
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
    from icm_ray.instance.roster import Roster
    from icm_ray.instance.settings import read_settings

    settings = read_settings(folder)
    if forget:
        heads, known = Heads(folder), Roster(folder).peers
        if forget not in known and not heads.of(forget):
            there = ", ".join(known) or "nobody yet"
            raise InputError(f"--forget {forget}: nobody of that name is in the roster (it has {there})")
        heads.forget(forget)
    with serving_link(folder) as link:

        def ask(peer: str, call: AskLog) -> object:
            if link is None:
                raise InstanceError("the own instance does not serve, so nobody is asked: icm serve")
            return link.call(Forward(peer, call))

        found = chain(_ledgers(folder / _LEDGER), verify(settings.name, folder, ask))
        tell(f"ledgers and logs of {settings.name}, and logs of its peers", found, json)


def _ledgers(folder: Path) -> Iterator[Finding]:
    """Whether the chains of an instance's ledgers hold."""
    from icm_ray.errors import SessionError
    from icm_ray.instance.finding import ok, unread
    from icm_ray.runtime.worker.answer_ledger import read_entries

    for path in sorted(folder.glob("*/*.jsonl")):
        what = f"ledger of {path.parent.name}"
        try:
            yield ok(what, f"{_entries(len(read_entries(path)[0]))}, the chain holds")
        except SessionError as error:
            yield unread(what, error, "it was changed after it was written: compare with a backup")


def _entries(count: int) -> str:
    return f"{count} {'entry' if count == 1 else 'entries'}"


def _audit_own(dataset: str, folder: Path, json: bool) -> None:
    """A dataset of an instance, whose ledgers are under its own name, too: visits is bob.visits at Bob's."""
    from icm_ray.instance.settings import read_settings

    full, ledger = f"{read_settings(folder).name}.{dataset}", folder / _LEDGER
    _audit_ledgers(full if (ledger / full).is_dir() else dataset, ledger, json)


def _audit_ledgers(dataset: str, ledger: Path, json: bool) -> None:
    if not dataset:
        raise InputError("icm audit --ledger: which dataset? its name follows, or 'verify'")
    if not ledger.is_dir():
        raise InputError(f"{ledger}: there is no such folder, so nothing was asked under a policy", path=str(ledger))
    files = sorted(ledger.glob("*/*.jsonl"))
    if dataset == _VERIFY:
        if not files:
            raise InputError(f"{ledger}: there is no ledger", path=str(ledger))
        _verify(files, ledger, json)
        return
    there = sorted({path.parent.name for path in files})
    if dataset not in there:
        known = f"there are those of {', '.join(there)}" if there else "there are none"
        raise InputError(f"{ledger}: there is no ledger of {dataset!r}; {known}", path=str(ledger))
    found = _questions([path for path in files if path.parent.name == dataset])
    table(f"what was asked of {dataset}", _HEADS, found, json)


def _verify(files: list[Path], folder: Path, json: bool) -> None:
    """Say of each ledger whether its chain holds. Raises the `SessionError` of the first that does not, at the end."""
    from icm_ray.errors import SessionError
    from icm_ray.runtime.worker.answer_ledger import read_entries

    console = Console()
    broken: SessionError | None = None
    held: list[dict[str, str]] = []
    for path in files:
        try:
            said = f"{_entries(len(read_entries(path)[0]))}, the chain holds"
        except SessionError as error:
            broken = broken or error
            said = "of a newer icm-ray" if error.where.get("newer") else "the chain is broken"
        held.append({"ledger": str(path.relative_to(folder)), "said": said})
        if not json:
            console.print(f"{held[-1]['ledger']}: {said}", soft_wrap=True, markup=False)
    if json:
        typer.echo(dumps(held))
    if broken is not None:
        raise broken


def _questions(files: list[Path]) -> list[tuple[Cell, ...]]:
    """A row for each question, in the order of time. Errors: `SessionError` for a broken ledger."""
    from icm_ray.runtime.worker.answer_ledger import Entry, read_entries

    asked: dict[tuple[str, str, int], dict[str, Entry]] = {}
    for path in files:
        times: Counter[tuple[str, str]] = Counter()
        for entry in read_entries(path)[0]:
            if entry.question is not None:
                key = entry.session, entry.digest
                times[key] += 1
                asked.setdefault((*key, times[key]), {})[path.stem] = entry
    rows: list[tuple[Cell, ...]] = []
    for found in sorted(asked.values(), key=lambda one: min(entry.time for entry in one.values())):
        entry = min(found.values(), key=lambda one: one.time)
        texts = entry.question.texts if entry.question is not None else ()
        rows.append(
            (
                entry.time[:19].replace("T", " "),
                sorted(found),
                entry.recipient,
                entry.rows,
                [*texts, *entry.titles],
                [told.in_words() for told in entry.sets],
                entry.digest[:8],
            )
        )
    return rows
