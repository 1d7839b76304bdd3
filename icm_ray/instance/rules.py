"""Rules that approve requests by themselves: for whom, which question, what is left open of it, how often, until when.

A rule is what a person can approve of a request, and nothing else: the question of one that was here is kept beside
the rules, under its digest, and what comes has to equal it to the byte but for values within the rule's ranges.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import replace

from icm_ray.errors import IcmError, InputError, InstanceError
from icm_ray.instance.canonical import heard_by, in_one_line, in_words
from icm_ray.instance.files import changing, read, write
from icm_ray.instance.moments import moment
from icm_ray.instance.parameters import filled, parameters
from icm_ray.instance.prediction_form import PredictionForm
from icm_ray.instance.ranges import Range, ranges_of
from icm_ray.instance.request import Form, Request
from icm_ray.instance.roster import Roster
from icm_ray.instance.rule_file import RuleTable, add_rule_table, read_rule_tables
from icm_ray.payload import Natural
from icm_ray.query.question import Asked, Question

__all__ = ["Rule", "Rules"]

_FORM: Final = "question of a rule"
_USED: Final = "count of uses of rules"
_PEERS: Final = "list of peers of rules"


@dataclass(frozen=True, slots=True)
class Rule:
    """kept: the request whose question it approves. until: seconds since 1970."""

    table: RuleTable
    kept: Request
    ranges: tuple[Range, ...]
    until: float

    @property
    def name(self) -> str:
        """Its uses are counted under that."""
        return self.table.name

    @property
    def terms(self) -> str:
        """Which questions it approves: with others, it is none that approved what it did before."""
        return hashlib.sha256(msgspec.msgpack.encode((self.table.question, self.ranges))).hexdigest()

    @property
    def in_words(self) -> str:
        """What it approves and who hears it, in one line. Errors: `InstanceError`."""
        form = self.kept.canonical
        to = heard_by(form)
        own = to == self.kept.asker and self.table.peers != (to,)
        return f"{in_one_line(form)}; to: {'each of its peers what that asks' if own else f'{to} alone'}"

    def covers(self, asker: str, question: Form) -> bool:
        """Whether this is its question, whole, of a peer that it is for, with values within its ranges. Errors:
        `InstanceError`.
        """
        if asker not in self.table.peers:
            return False
        own = _of_asker(self.kept.canonical, self.kept.asker, asker)
        if isinstance(own, PredictionForm) and isinstance(question, PredictionForm):
            return own.digest == question.digest and question.images <= own.images
        if isinstance(own, PredictionForm) or isinstance(question, PredictionForm):
            return False
        found = filled(question, own, [one.name for one in self.ranges])
        if found is None or found[0].digest != question.digest:
            return False
        return all(one.holds(found[1][one.name]) for one in self.ranges)


def _differ(one: Request, other: Request) -> bool:
    """Whether requests of one digest would approve different things: it is of neither the asker nor the images."""
    return (one.asker, one.question) != (other.asker, other.question)


def _of_asker(form: Form, asker: str, other: str) -> Form:
    """The same question as another peer asks it: with its worker, and for it."""
    if asker == other:
        return form
    parties = tuple(other if one == asker else one for one in form.parties)
    if isinstance(form, PredictionForm):
        return replace(form, to=other if form.to == asker else form.to, parties=parties)

    def to_other(asked: Asked) -> Asked:
        what = asked.what
        if isinstance(what, Question) and what.to == asker:
            return replace(asked, what=replace(what, to=other))
        return asked

    follows = None if form.follows is None else to_other(form.follows)
    return replace(form, parties=parties, asked=to_other(form.asked), follows=follows)


def _owns_of(form: Form, asker: str) -> bool:
    """Whether a question is about what its asker has itself."""
    if isinstance(form, PredictionForm):
        return asker in (form.model_owner, form.images_owner)
    return any(asker in facts.owners for facts in form.asked.facts)


class _Used(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """By rule."""

    times: dict[str, Natural] = {}


class _Peers(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """By rule, by the names of its peers: whose these were when it was written, or first read."""

    identities: dict[str, dict[str, str]] = {}


class Rules:
    """In an instance's folder. For any thread and process of this user. clock: seconds since 1970. Errors:
    `InstanceError` for files that are damaged, and for rules that cannot be, naming file, rule and what is wrong.
    """

    def __init__(self, folder: Path, clock: Callable[[], float]) -> None:
        self._folder, self._clock = folder, clock
        self.path, self._counts = folder / "rules.toml", folder / "rules_used.json"
        self._peers, self._roster = folder / "rules_peers.json", Roster(folder)
        self._known: tuple[tuple[int, int, int], tuple[Rule, ...]] | None = None

    @property
    def all(self) -> tuple[Rule, ...]:
        """As the file has them."""
        try:
            status = self.path.stat()
        except OSError:
            return ()
        stamp = status.st_ino, status.st_mtime_ns, status.st_size
        known = self._known
        if known is None or known[0] != stamp:
            known = self._known = stamp, tuple(self._rule(table) for table in read_rule_tables(self.path))
        return known[1]

    def find(self, name: str) -> Rule | None:
        """None where there is none of that name."""
        return next((rule for rule in self.all if rule.name == name), None)

    def covering(self, asker: str, question: Form) -> Rule | None:
        """A rule that approves a request now; None: a person has to."""
        names = {name for name, _ in question.versions}
        about = [one for one in self.all if names == set(one.table.datasets)]
        usable = (one for one in about if self.left(one) and one.covers(asker, question))
        return next((one for one in usable if not self.sleeps(one, asker)), None)

    def sleeps(self, rule: Rule, peer: str) -> bool:
        """Whether a rule is not for whoever has a peer's name now: for another one, or `bind` has not seen it yet."""
        return self._identities.get(rule.name, {}).get(peer, "") != self._roster.identity(peer)

    def for_another(self, rule: Rule, peer: str) -> bool:
        """Whether whoever has a peer's name now is another one than when the rule was written."""
        return self.sleeps(rule, peer) and peer in self._identities.get(rule.name, {})

    @property
    def _identities(self) -> dict[str, dict[str, str]]:
        return (read(self._peers, _Peers, _PEERS) or _Peers()).identities

    def bind(self) -> None:
        """Take the names in rules that were written by hand as those of whoever has them now. What was taken once
        stays, also of rules and peers that the file does not have now: it may have them again.
        """
        if self._all_bound() == self._identities:
            return
        with changing(self._peers):
            write(self._peers, _Peers(self._all_bound()), _PEERS)

    def _all_bound(self) -> dict[str, dict[str, str]]:
        known = self._identities
        return {**known, **{rule.name: self._bound(rule.table.peers, known.get(rule.name, {})) for rule in self.all}}

    def _bound(self, peers: Sequence[str], known: Mapping[str, str]) -> dict[str, str]:
        now = {peer: identity for peer in peers if (identity := self._roster.identity(peer))}
        return {**now, **known}

    def left(self, rule: Rule) -> int:
        """How often its question may still be asked."""
        return max(0, rule.table.times - self.used(rule.name)) if self._clock() < rule.until else 0

    def condition(self, rule: Rule) -> str:
        """In a word or two."""
        if self._clock() >= rule.until:
            return "expired"
        return "approves" if self.left(rule) else "used up"

    def seen(self, request: Request) -> Request:
        """A request that a rule approved, as that rule says it now; one that waits again where the rule is gone, is
        for other peers or for another question.
        """
        rule = self.find(request.rule)
        if rule is None or request.asker not in rule.table.peers or request.terms != rule.terms:
            return replace(request, state="waiting", rule="", terms="")
        facts = {"times": rule.table.times, "used": self.used(rule.name), "until": rule.until, "ranges": rule.ranges}
        return replace(request, **facts)

    # --- what was used ------------------------------------------------------------------------------------------------

    def used(self, name: str) -> int:
        """How often the question of a rule was asked, by all of its peers."""
        return (read(self._counts, _Used, _USED) or _Used()).times.get(name, 0)

    def take(self, name: str) -> None:
        """Count one use: on the disk when this returns."""
        with changing(self._counts):
            self._count(name, self.used(name) + 1)

    def _count(self, name: str, used: int) -> None:
        known = read(self._counts, _Used, _USED) or _Used()
        write(self._counts, _Used({**known.times, name: used}), _USED)

    # --- the file -----------------------------------------------------------------------------------------------------

    def add(self, name: str, request: Request, times: int, until: float, params: Sequence[str]) -> Rule:
        """Write a rule for the question of a request, and for its asker; its uses are counted from 0. Errors:
        `InputError` for what it cannot be, and a name that is there.
        """
        with changing(self.path):
            if self.find(name) is not None:
                raise InputError(f"--rule {name}: there is one of that name in {self.path}: change it there")
            form = request.canonical
            ranges_of(params, parameters(form))
            datasets = tuple(dict.fromkeys(request.datasets))
            facts = {"name": name, "peers": (request.asker,), "datasets": datasets, "question": request.digest}
            try:
                table = msgspec.convert({**facts, "times": times, "until": "-", "params": tuple(params)}, RuleTable)
            except msgspec.ValidationError as error:
                raise InputError(f"--rule {name}: {error}") from None
            self._check_form(request)
            self._keep(request)
            with changing(self._counts):
                self._count(name, 0)
            with changing(self._peers):
                known = self._identities
                write(self._peers, _Peers({**known, name: self._bound((request.asker,), {})}), _PEERS)
            told = [f"Request {request.number} of {request.asker}:", *in_words(form).splitlines()]
            add_rule_table(self.path, table, until, told)
        found = self.find(name)
        if found is None:
            raise InstanceError(f"{self.path}: somebody else changed it just now", path=str(self.path))
        return found

    def _rule(self, table: RuleTable) -> Rule:
        try:
            return self._checked(table)
        except IcmError as error:
            raise InstanceError(f"{self.path}: rule {table.name!r}: {error.message}", path=str(self.path)) from None

    def _checked(self, table: RuleTable) -> Rule:
        """Errors: any of this package's."""
        kept = self._kept(table.question)
        if set(table.datasets) != set(kept.datasets):
            raise InputError(f"its question reads {', '.join(kept.datasets)}, and not {', '.join(table.datasets)}")
        others = [peer for peer in table.peers if peer != kept.asker]
        if others and _owns_of(kept.canonical, kept.asker):
            raise InputError(
                f"its question is about what {kept.asker} has itself, and cannot be {others[0]}'s: write a rule from a "
                f"request of {others[0]}"
            )
        return Rule(table, kept, ranges_of(table.params, parameters(kept.canonical)), moment(table.until))

    def _kept(self, digest: str) -> Request:
        """The request with the question of a digest. Errors: `InstanceError` where none is known."""
        path = self._folder / "rules" / f"{digest}.json"
        found = read(path, Request, _FORM)
        if found is None:
            here = (read(one, Request, "request") for one in (self._folder / "requests").glob("[0-9]*.json"))
            alike = [one for one in here if one is not None and one.digest == digest]
            if not alike:
                raise InstanceError("no request of that question is known here: icm show NUMBER has the digest of each")
            found = alike[0]
            if any(_differ(one, found) for one in alike):
                raise InstanceError(
                    "requests of that digest are of several peers, or for other numbers of images: icm approve NUMBER "
                    "--rule NAME says which one is meant"
                )
            self._keep(found)
        if found.canonical.digest != digest:
            raise InstanceError(f"{path}: it is not as it was written: remove the rule, and write it anew")
        return found

    def _check_form(self, request: Request) -> None:
        """Errors: `InputError` where a rule is about a question of the same digest that is of another peer, or for
        another number of images: one form is kept of both.
        """
        for rule in self.all:
            if rule.table.question == request.digest and _differ(rule.kept, request):
                raise InputError(
                    f"rule {rule.name!r} is about the same question of {rule.kept.asker}, or for another number of "
                    "images: remove it first, or change its times and params"
                )

    def _keep(self, request: Request) -> None:
        """Requests go, in time; what a rule is about stays."""
        blank = Request(
            request.number,
            request.asker,
            request.job,
            request.question,
            request.digest,
            "",
            request.since,
            request.datasets,
            kind=request.kind,
        )
        write(self._folder / "rules" / f"{request.digest}.json", blank, _FORM)
