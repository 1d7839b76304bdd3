"""What an instance answers to its own workers, to peers and to its own users. Nothing that is said is believed beyond
what the roster, the catalogue and the workers that run here bear out.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from time import time
from typing import Final

from msgspec.structs import replace

from icm_ray.errors import InstanceError, PolicyError
from icm_ray.instance.audit import Head
from icm_ray.instance.canonical import Canonical, canonical, logged_as, recipient
from icm_ray.instance.catalogue import Catalogue, HeldDataset, PublicDataset
from icm_ray.instance.decisions import approval_facts
from icm_ray.instance.granting import Granting
from icm_ray.instance.halves import Halves
from icm_ray.instance.heads import Heads, signed_head
from icm_ray.instance.jobs import AskRequest, Decided, Outbox, RequestApproval
from icm_ray.instance.keys import InstanceKey
from icm_ray.instance.messages import (
    VERSION,
    Answer,
    AskJob,
    Call,
    Datasets,
    Done,
    EndWorker,
    Forward,
    HasEnded,
    JoinLane,
    ListDatasets,
    ListOffers,
    ListPeers,
    Offers,
    Peers,
    Ping,
    Pong,
    Remember,
    Started,
    StartWorker,
    SubmitJob,
    VouchForDriver,
)
from icm_ray.instance.model_answers import ModelAnswers
from icm_ray.instance.peers_log import PeersLog
from icm_ray.instance.proving import DIGESTS, AskLog, LogPart
from icm_ray.instance.remembered import Memory
from icm_ray.instance.request import MOST_LETTERS, Request
from icm_ray.instance.requests import Requests
from icm_ray.instance.results import Results
from icm_ray.instance.roster import Roster
from icm_ray.instance.settings import Settings
from icm_ray.instance.usage import DayCount, QuestionRate
from icm_ray.instance.vouchers import Voucher, check_voucher, vouched
from icm_ray.names import DEALER, DRIVER
from icm_ray.policy import Policy, is_ledger_name
from icm_ray.query.owner_rows import OwnerRows
from icm_ray.query.question import DatasetFacts
from icm_ray.runtime.orders.house import (
    Allowed,
    ExpectResult,
    Held,
    HouseAnswer,
    HouseCall,
    IsLedger,
    IsOwn,
    ListensAt,
    MayRun,
    OpenHeld,
    OpenPictures,
    OpenWeights,
    Own,
    Refused,
    Taken,
    TakeResult,
    UseModel,
    UsePictures,
)
from icm_ray.runtime.orders.lane_plan import LanePlan

__all__ = ["Answers"]

_WORKING: Final = 120.0
"""Seconds that a peer's instance may take for what a user forwards to it."""
Ask = Callable[[str, Call, float], Answer]
_OF_ROWS: Final = OpenHeld | OpenPictures | OpenWeights | MayRun
"""What rows, or files, may refuse afterwards: how often they do so is bounded."""
_LOGGED: Final = _OF_ROWS | UseModel | UsePictures | ExpectResult | TakeResult
"""What the log has an entry of: where that has no room for it, nothing else is done."""


class Answers:
    """ask: says something to a peer's instance. release: of this icm-ray."""

    def __init__(
        self,
        settings: Settings,
        key: InstanceKey,
        roster: Roster,
        catalogue: Catalogue,
        audit: PeersLog,
        halves: Halves,
        ask: Ask,
        release: str,
        requests: Requests,
        outbox: Outbox,
        models: ModelAnswers,
        heads: Heads,
        results: Results,
        memory: Memory,
    ) -> None:
        self._settings, self._key, self._roster, self._catalogue = settings, key, roster, catalogue
        self._audit, self._halves, self._ask, self._release = audit, halves, ask, release
        self._requests, self._outbox = requests, outbox
        self._granting, self._heads = Granting(settings.name, requests), heads
        self.rate, self.refusals = QuestionRate(settings.limits.questions), DayCount(settings.limits.refusals)
        self._proving = threading.Semaphore()
        self._models, self._results, self._memory, self.name = models, results, memory, settings.name

    def logged(self, asker: str) -> int:
        """Entries of the log that a peer has filled today."""
        return self._audit.counts.count(asker)

    # --- peers ----------------------------------------------------------------------------------------------------

    def to_peer(self, asker: str, call: Call) -> Answer:
        """What a peer's instance asks. Errors: `InstanceError`."""
        try:
            self._roster.approved(asker)  # may have been revoked since it came
            return self._log_part(asker, call.head) if isinstance(call, AskLog) else self._common(asker, call)
        except InstanceError as error:
            if "path" not in error.where:
                raise
        raise InstanceError(f"{self.name} cannot answer: its own files are at fault", party=self.name)

    def _common(self, asker: str, call: Call) -> Answer:
        match call:
            case Ping(version, padding):
                if version > VERSION:
                    raise InstanceError(f"{self.name} runs an older icm-ray ({self._release}): update it there")
                return Pong(self.name, VERSION, self._release, time(), padding)
            case ListDatasets() | ListOffers():
                return Offers(self._models.models(asker)) if isinstance(call, ListOffers) else self._offers(asker)
            case StartWorker(session, lane):
                note = partial(self._audit.add, asker, "worker", session=session, lane=str(lane))
                member = self._halves.start(asker, session, lane, note)
                return Started(vouched(self._key, (session, lane), member, time(), self._audit.head()))
            case JoinLane(plan, vouchers):
                self._check_plan(asker, plan, vouchers)
                self._halves.join(asker, plan, frozenset(voucher.organisation for voucher in vouchers))
                return Done()
            case HasEnded(session, lane):
                return Done(self._halves.lost(asker, session, lane))
            case EndWorker(session, lane):
                self._halves.end(asker, session, lane)
                return Done()
            case RequestApproval():
                return self._requested(asker, call)
            case AskRequest(job, number):
                found = self._requests.find(number)
                if found is None or (found.asker, found.job) != (asker, job) or self._requests.sleeps(found):
                    raise InstanceError(f"{self.name} has no such request", party=self.name)
                return self._by_rules(found)
        raise InstanceError(f"{self.name} answers that to its own users alone")

    def _offers(self, asker: str) -> Datasets:
        offered = tuple(
            replace(self._public(item), waits=asker not in (self.name, *item.standing)) for item in self._offered(asker)
        )
        return Datasets(offered, self._models.pictures(asker))

    def _offered(self, asker: str) -> list[HeldDataset]:
        held = self._catalogue.datasets.values()
        return [item for item in held if asker == self.name or asker in item.standing or asker in item.requests]

    def _requested(self, asker: str, call: RequestApproval) -> Decided:
        """Keep a request, unless what it would open stands open. Errors: `PolicyError`, `InstanceError` (another time,
        it may be kept).
        """
        if filled := self._audit.filled(asker):
            raise InstanceError(f"{self.name} takes no request: {filled}", party=self.name)
        approved = {peer.name for peer in self._roster.peers.values() if peer.state == "approved"}
        if set(call.parties) - approved - {self.name}:  # whoever decides is shown these names: none is the asker's text
            raise InstanceError(f"{self.name} has not approved all who would take part", party=self.name)
        question = self._models.requested(asker, call) if call.kind == "prediction" else self._form(asker, call)
        if question is None:
            return Decided(0, "approved", left=-1)
        found = self._requests.add(asker, call.job, question, call.reason)
        self._audit.add(asker, "requested", number=str(found.number), digest=found.digest)
        return self._by_rules(found)

    def _by_rules(self, found: Request) -> Decided:
        """What became of a request, which a rule may approve now."""
        ruled = self._requests.settle(found.number) if found.state == "waiting" else None
        if ruled is not None:
            self._audit.add(self.name, "approved request", **approval_facts(ruled))
        return _decided(ruled or found)

    def _form(self, asker: str, call: RequestApproval) -> Canonical | None:
        held = {name: self._opens(asker, name) for name in sorted(set(call.names.values()))}
        if not held:
            raise PolicyError(f"{self.name} refuses: no dataset of it is asked for", party=self.name)
        if all(_stands(one, asker, recipient(call.question, self.name), self.name) for one in held.values()):
            return None
        versions = {name: one.as_offered for name, one in held.items()}
        what = call.parties, versions, call.follows, call.shared
        question = canonical(call.question, self.name, call.names, *what)
        if asker not in call.parties or self.name not in call.parties:
            raise PolicyError(f"{self.name} refuses: {asker} and {self.name} both take part", party=self.name)
        stated = question.facts_of(self.name)
        for name, one in held.items():
            facts, public = stated.get(name), self._public(one)
            if facts is None or not _as_it_is(facts, public):
                raise PolicyError(
                    f"{self.name} refuses: {name!r} is described otherwise than it is: what was heard of it before has "
                    f"changed; take it from {self.name} again, and request that",
                    party=self.name,
                )
        return question

    def _log_part(self, asker: str, head: Head) -> LogPart:
        """Errors: `InstanceError` where another proof is being made: each reads all of the log."""
        if not self._proving.acquire(blocking=False):
            raise InstanceError(f"{self.name} is showing its log to another; ask again", party=self.name)
        try:
            shown = signed_head(self._key, self._audit.head(), time())
            digests = self._audit.since(head, DIGESTS)  # after that: it may have come further, and not less far
        finally:
            self._proving.release()
        return LogPart(digests or b"", digests is not None, shown, self._heads.of(asker))

    def _public(self, item: HeldDataset) -> PublicDataset:
        return replace(item.public, policy=_named(self.name, item))

    def _check_plan(self, asker: str, plan: LanePlan, vouchers: tuple[Voucher, ...]) -> None:
        """Raise `InstanceError` unless every member of a lane is a worker that its organisation vouches for."""
        own = self._halves.of(asker, plan.session, plan.lane)
        names = [member[0] for member in plan.members]
        if sorted(names) != sorted((*plan.parties, *plan.owners, DEALER)) or len(set(names)) < len(names):
            raise InstanceError("the members of the lane are not its parties, owners and dealer")
        if plan.owners:  # whoever is no party brings its rows to parties that may be one another's friends
            raise InstanceError(f"in a lane between organisations all compute: {plan.owners[0]} is no party of it")
        if own.member not in plan.members:
            raise InstanceError(f"{self.name}'s own worker is not in the plan of the lane")
        by_member = {voucher.member[0]: voucher for voucher in vouchers}
        for member in (*plan.members, plan.driver):
            voucher = by_member.get(member[0])
            if voucher is None:
                raise InstanceError(f"nobody vouches for the member {member[0]} of the lane")
            self._check_place(voucher.organisation, member[0], asker)
            certificate = self._certificate(voucher.organisation)
            check_voucher(voucher, certificate, plan.session, plan.lane, member, time())
        for name in (*names, DRIVER):
            shown = by_member[name].log
            if (organisation := by_member[name].organisation) != self.name:
                self._heads.keep(organisation, shown, self._certificate(organisation))

    def _check_place(self, organisation: str, member: str, asker: str) -> None:
        """Raise `InstanceError` where an organisation has no business in that place of a lane."""
        mine = organisation == self.name
        kind = self._settings.kind if mine else self._roster.approved(organisation).kind
        if member == DEALER:
            if kind != "dealer":
                raise InstanceError(f"{organisation} is no dealer: whoever owns data must not deal")
        elif member == DRIVER:
            if organisation != asker:
                raise InstanceError(f"the driver is {organisation}'s, and {asker} asks")
        elif member != organisation or kind == "dealer":
            raise InstanceError(f"{organisation} vouches for {member}, which is not its worker")

    def _certificate(self, organisation: str) -> bytes:
        mine = organisation == self.name
        return self._key.certificate if mine else self._roster.approved(organisation).certificate

    # --- the own users --------------------------------------------------------------------------------------------

    def to_user(self, call: Call) -> Answer:
        """What a user of this organisation asks. Errors: `InstanceError`, what a peer refuses with."""
        match call:
            case ListPeers():
                known = [peer for peer in self._roster.peers.values() if peer.state == "approved"]
                dealers = [peer.name for peer in known if peer.kind == "dealer"]
                others = tuple(peer.name for peer in known if peer.kind != "dealer")
                return Peers(self.name, others, dealers[0] if dealers else "")
            case VouchForDriver(session, lane, member):
                if member[0] != DRIVER:
                    raise InstanceError("a user's process is a driver, and no member of a lane")
                return Started(vouched(self._key, (session, lane), member, time(), self._audit.head()))
            case SubmitJob(job):
                return self._outbox.look(self._outbox.jobs.add(job, self.name).id)
            case AskJob(job, anew):
                return self._outbox.look(job, anew)
            case Forward(peer, inner):
                return self._common(self.name, inner) if peer == self.name else self._asked(peer, inner)
            case Remember(peer):
                return self._memory.of(self._roster.approved(peer))
        return self._common(self.name, call)

    def _asked(self, name: str, call: Call) -> Answer:
        """What a peer answers; what it offers is remembered, where that can be."""
        answer = self._ask(name, call, _WORKING)
        if isinstance(answer, Datasets | Offers):
            with suppress(InstanceError):
                self._memory.keep(self._roster.approved(name), answer)
        return answer

    # --- the own workers ------------------------------------------------------------------------------------------

    def to_worker(self, asker: str, call: HouseCall) -> HouseAnswer:
        """What a worker of this instance's asks, that works for `asker`. Errors: `InstanceError`, `PolicyError`."""
        if not getattr(call, "back", False):
            if isinstance(call, _LOGGED):
                self._audit.check(asker)
            if isinstance(call, _OF_ROWS):
                self._check_refusals(asker)
        match call:
            case OpenPictures() | OpenWeights() | UseModel() | UsePictures():
                return self._models.to_worker(asker, call)
            case OpenHeld(dataset):
                held = self._opens(asker, dataset)
                self._audit.add(asker, "opened", dataset=dataset)
                return Held(held.source, _named(self.name, held), held.as_offered)
            case MayRun(back=True):
                self._granting.give_back(asker, call)
            case MayRun(kind=kind, asked=asked, datasets=datasets):
                read = {name: self._opens(asker, name) for name in datasets}
                self._check_opened(call, read)
                digest, logged = hashlib.sha256(asked).hexdigest(), logged_as(kind, asked)
                if asker == self.name or all(_stands(one, asker, call.to, self.name) for one in read.values()):
                    self._count(asker, call)
                    self._audit.add(asker, logged, digest=digest, datasets=", ".join(datasets))
                    return Allowed()
                taken = self._granting.grant(asker, call, {name: one.as_offered for name, one in read.items()})
                if taken is not None:
                    facts = {"digest": digest, "datasets": ", ".join(datasets), "request": str(taken.request.number)}
                    facts |= {"values": taken.values} if taken.values else {}
                    facts |= {"rule": taken.request.rule} if taken.request.rule else {}
                    self._audit.add(asker, logged, **facts, use=f"{taken.request.used} of {taken.request.times}")
                return Allowed(counted=True)
            case ExpectResult() | TakeResult():
                return self._received(asker, call)
            case ListensAt(session, lane, inside):
                self._halves.of(asker, session, lane).inside = inside
            case IsOwn(session, lane, member):
                half = self._halves.found(session, lane)
                if half is None or half.member != member or half.asker != asker:
                    raise InstanceError(f"{self.name} has no such worker", party=self.name)
                return Own(half.inside)
            case IsLedger(name):
                return Allowed(any(_named(self.name, held).name == name for held in self._catalogue.datasets.values()))
            case Refused(kind):
                self.refusals.add(asker)
                self._audit.add(asker, "refused by rows", kind=kind)
        return Allowed()

    def _check_opened(self, call: MayRun, read: Mapping[str, HeldDataset]) -> None:
        """Errors: `PolicyError` where a worker has opened a dataset that is offered otherwise by now: what is approved,
        standing or not, and what guards the rows, are of what is offered.
        """
        for name, version in call.opened.items():
            if name not in read or read[name].as_offered != version:
                raise PolicyError(
                    f"{self.name} refuses: its dataset {name!r} was offered anew since this was taken: take it from "
                    f"{self.name} again",
                    party=self.name,
                )

    def _check_refusals(self, asker: str) -> None:
        """Errors: `PolicyError` where rows have refused this peer too often today."""
        if asker != self.name and self.refusals.spent(asker):
            often = f"its rows have refused what {asker} asked {self.refusals.most} times today, which is its limit"
            raise PolicyError(f"{self.name} refuses: {often}", party=self.name)

    def _count(self, asker: str, call: MayRun) -> None:
        """One question more of a peer, that no person decides on; predictions have quotas. Errors: `PolicyError`."""
        if asker == self.name or call.kind != "question":
            return
        if not self.rate.take(asker, call.session.encode() + hashlib.sha256(call.asked).digest()):
            most = self._settings.limits.questions
            raise PolicyError(
                f"{self.name} refuses: {asker} has asked {most} questions in this hour, which is its limit",
                party=self.name,
            )

    def _received(self, asker: str, call: ExpectResult | TakeResult) -> HouseAnswer:
        """A result that a peer's question has for this organisation."""
        if asker == self.name:
            raise PolicyError(f"{self.name} refuses: what its own users ask, they hear themselves", party=self.name)
        self._roster.approved(asker)
        if isinstance(call, ExpectResult):
            self._results.expect(self.name, asker, call.size, call.id)
            return Allowed()
        kept = self._results.add(self.name, asker, call)
        self._audit.add(asker, "delivered", result=str(kept.number))
        return Taken(kept.number)

    def _opens(self, asker: str, dataset: str) -> HeldDataset:
        """A dataset that an asker may open: what it may ask of it, standing or other approvals say. Errors:
        `PolicyError`, the same where there is none.
        """
        held = self._catalogue.datasets.get(dataset)
        if held is None or asker not in (self.name, *held.standing, *held.requests):
            raise PolicyError(f"{self.name} refuses: it offers {asker} no dataset {dataset!r}", party=self.name)
        return held


def _stands(held: HeldDataset, asker: str, to: str, me: str) -> bool:
    """Whether a dataset stands open for questions of an asker whose results are for `to`; "": for the asker. me: the
    owner, whom nobody has to let hear of its own rows.
    """
    return asker in held.standing and to in ("", asker, me, *held.standing)


def _as_it_is(facts: DatasetFacts, public: PublicDataset) -> bool:
    """Whether a question says of a dataset what the catalogue does."""
    kinds = {info.name: info.kind for info in facts.columns} if isinstance(facts, OwnerRows) else None
    there = {info.name: info.kind for info in public.columns}
    return kinds in (None, there) and (facts.policy, facts.count) == (public.policy, public.rows)


def _decided(found: Request) -> Decided:
    said = found.left_open[:MOST_LETTERS] or found.said
    return Decided(found.number, found.state, said, found.left(time()), found.until)


def _named(owner: str, held: HeldDataset) -> Policy:
    """The policy under whose name the ledger is: the owner's and the dataset's. Two owners may have each a "visits"."""
    policy = held.public.policy
    name = f"{owner}.{policy.name or held.public.name}"
    if not is_ledger_name(name):
        name = hashlib.sha256(name.encode()).hexdigest()
    return replace(policy, name=name)
