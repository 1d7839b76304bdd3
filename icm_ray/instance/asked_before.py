"""What an owner sees before deciding on a request: what was asked of the same data before, by whom, and what is left.

It is read from the own ledgers, the own log and the own requests; nothing that the asker says has a part in it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from time import time
from typing import Final

import msgspec
from msgspec.structs import replace

from icm_ray.errors import IcmError
from icm_ray.instance.audit import AuditLog
from icm_ray.instance.audit import Entry as Logged
from icm_ray.instance.models import ModelShelf
from icm_ray.instance.prediction_form import PredictionForm
from icm_ray.instance.request import Request
from icm_ray.instance.requests import Requests
from icm_ray.query.question import Asked, DatasetFacts
from icm_ray.query.told_rows import asked_of_facts, limited_sets
from icm_ray.runtime.worker.answer_ledger import Entry, read_entries

__all__ = ["Before", "History", "asked_before"]

_LATEST: Final = 3
_SHOWN: Final = 6
"""Row sets, of each kind."""


class Before(msgspec.Struct, frozen=True):
    """Of one dataset, model or pictures. asked: how often questions about it were answered, or on how many images it
    was predicted. by: the same of each asker. latest: the last of these questions. again: filters and groups of this
    request that were asked for before; new: those that were not. taken, most: of what a limit allows, and with this
    request; most = 0: there is no such limit. of: what that is about.
    """

    name: str
    asked: int
    by: dict[str, int]
    latest: tuple[str, ...] = ()
    again: tuple[str, ...] = ()
    new: tuple[str, ...] = ()
    taken: int = 0
    most: int = 0
    of: str = "questions"

    @property
    def lines(self) -> list[str]:
        """For people."""
        told = ", ".join(f"{name} {count}" for name, count in self.by.items())
        count = f"{self.asked} {self.of if self.asked != 1 else self.of.removesuffix('s')} before ({told})"
        made = [f"{self.name}: {count if self.asked else f'no {self.of} before'}"]
        made += [f"  {one}" for one in self.latest]
        for what, sets in (("asked for before", self.again), ("new", self.new)):
            if sets:
                more = f"; and {len(sets) - _SHOWN} more" if len(sets) > _SHOWN else ""
                made.append(f"  rows that it tells of, {what}: {'; '.join(sets[:_SHOWN])}{more}")
        if self.most:
            left = max(0, self.most - self.taken)
            what = "filters, groupings and histograms" if self.of == "questions" else "of its quota of images"
            made.append(f"  {self.taken} of {self.most} {what} are taken, {left} are left")
        return made


class History(msgspec.Struct, frozen=True):
    """Of each dataset, model or pictures that a request is about; decided: of other requests, in words. fault: why it
    cannot be told, "" where it is.
    """

    sources: tuple[Before, ...] = ()
    decided: tuple[str, ...] = ()
    fault: str = ""

    @property
    def lines(self) -> list[str]:
        """For people."""
        told = [line for one in self.sources for line in one.lines]
        return [*told, *self.decided, *([f"what was asked before cannot be told: {self.fault}"] if self.fault else [])]


def asked_before(folder: Path, me: str, request: Request, others: Iterable[Request]) -> History:
    """What is known here of the data of `me` that a request is about. folder: the instance's. others: requests."""
    try:
        return History(_sources(folder, me, request), _decided(Requests(folder), request, others))
    except IcmError as error:
        return History(fault=f"{error.message} [{error.code}]")


def _sources(folder: Path, me: str, request: Request) -> tuple[Before, ...]:
    found = request.canonical
    log = _of_whom(AuditLog(folder).entries())
    if isinstance(found, PredictionForm):
        return (_predicted(folder, found, log),)
    started = ((entry.facts["session"], entry.who) for entry in reversed(log) if entry.what == "worker")
    asker_of = dict(started).get  # who named a session first: another peer may name it again
    own = sorted(found.facts_of(me).items())
    return tuple(_answered(folder / "ledger", me, name, found.asked, facts, asker_of) for name, facts in own)


def _of_whom(log: Sequence[Logged]) -> list[Logged]:
    """A name that was revoked may be another's since: entries of before say so."""
    revoked = {entry.facts.get("peer", ""): entry.number for entry in log if entry.what == "revoked"}
    return [
        replace(entry, who=f"{entry.who} before it was revoked") if entry.number < revoked.get(entry.who, 0) else entry
        for entry in log
    ]


def _answered(
    ledgers: Path, me: str, name: str, asked: Asked, facts: DatasetFacts, asker_of: Callable[[str], str | None]
) -> Before:
    policy = facts.policy
    path = ledgers / (policy.name if policy is not None else "") / f"{me}.jsonl"
    entries = read_entries(path)[0] if policy is not None and path.exists() else []
    answered = [entry for entry in entries if entry.question is not None]
    by = Counter(asker_of(entry.session) or "an asker of before" for entry in answered)
    known = tuple(dict.fromkeys(told.of_before for entry in entries for told in entry.sets))
    sets = asked_of_facts(asked, facts)
    return Before(
        name,
        len(answered),
        dict(by.most_common()),
        tuple(_in_words(entry, asker_of) for entry in answered[: -_LATEST - 1 : -1]),
        tuple(told.in_words() for told in sets if told in known),
        tuple(told.in_words() for told in sets if told not in known),
        len(limited_sets(policy, known)) if policy is not None else 0,
        policy.row_sets if policy is not None else 0,
    )


def _in_words(entry: Entry, asker_of: Callable[[str], str | None]) -> str:
    told = "; ".join(dict.fromkeys(entry.titles))
    sets = "; ".join(one.in_words() for one in entry.sets)
    asker = asker_of(entry.session)
    who = f"{asker}, for {entry.recipient}" if asker not in (None, entry.recipient) else entry.recipient
    return f"{entry.time[:19].replace('T', ' ')} {who}: {told}{f' ({sets})' if sets else ''}"


def _predicted(folder: Path, form: PredictionForm, log: Sequence[Logged]) -> Before:
    ((name, _),) = form.versions
    what, key = ("predicted", "model") if form.part == "model" else ("shared", "pictures")
    by: Counter[str] = Counter()
    for entry in log:
        if entry.what == what and entry.facts.get(key) == name:
            by[entry.who] += int(entry.facts["images"])
    held = ModelShelf(folder).models.get(name) if form.part == "model" else None
    most = held.quotas.get(form.images_owner, 0) if held is not None else 0
    taken = ModelShelf(folder).used(name).get(form.images_owner, 0) if most else 0
    return Before(name, by.total(), dict(by.most_common()), taken=taken, most=most, of="images")


def _decided(kept: Requests, request: Request, others: Iterable[Request]) -> tuple[str, ...]:
    """What was decided of the same question, and of all others by the same asker's name: those of another one who had
    it before are asleep.
    """
    now = time()
    rest = [(one, kept.condition(one, now)) for one in others if one.number != request.number]
    same = [(one, state) for one, state in rest if one.digest == request.digest]
    told = [f"the same question, request {one.number} of {one.asker}'s: {state}{_uses(one)}" for one, state in same]
    own = Counter(state for one, state in rest if one.asker == request.asker)
    if own:
        states = ", ".join(f"{count} {state}" for state, count in own.items())
        told.append(f"other requests of {request.asker}'s here: {states}")
    return tuple(told)


def _uses(request: Request) -> str:
    return f", {request.used} of {request.times} uses are taken" if request.times else ""
