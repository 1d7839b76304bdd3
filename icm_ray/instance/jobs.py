"""What this organisation requested of others, on disk: an outbox. Peers who are away are told when they are back."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from time import monotonic, time
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec.structs import replace

from icm_ray.errors import FaultError, IcmError, InstanceError, PolicyError
from icm_ray.instance.canonical import LARGEST
from icm_ray.instance.files import changing, read, write
from icm_ray.instance.request import Reason
from icm_ray.payload import Name, Natural
from icm_ray.runtime.orders.house import Origin

__all__ = ["AskRequest", "Decided", "Job", "Jobs", "Outbox", "OwnerState", "RequestApproval"]

_WHAT: Final = "job"
_MOST: Final = 1000
_EVERY: Final = 5.0
"""Seconds between two looks at what is not decided yet."""
_FRESH: Final = 1.0
_PATIENCE: Final = 10.0
JobId = Annotated[str, msgspec.Meta(min_length=16, max_length=16)]
State = Literal["queued", "waiting", "approved", "denied"]
Bytes = Annotated[bytes, msgspec.Meta(max_length=LARGEST)]


class RequestApproval(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """A question that the caller would ask. job: the caller's name for it. names: by the name of a dataset in it, that
    of the catalogue. parties: whose workers would take part. follows: what it would ask then, in the groups that this
    opens. shared: the sharings that make the shares that it is about. The same job again is the same request.

    kind: of a prediction the question is an `icm_ray.instance.prediction_form.AskedPrediction`, with the names of what
    is the catalogue's: "model", "pictures".
    """

    job: JobId
    question: Bytes
    names: dict[Name, Name]
    parties: tuple[Name, ...]
    reason: Reason
    follows: Bytes = b""
    kind: Origin = "question"
    shared: tuple[Bytes, ...] = ()


class AskRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """What became of a request of the caller's. number: that it has there."""

    job: JobId
    number: Natural


class Decided(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """number: of the request, there. said: why it was denied, or what is left open. left: how often it may still be
    asked, until then (seconds since 1970); -1, 0: as often as the asker likes, under a standing approval.
    """

    number: Natural
    state: State
    said: Reason = ""
    left: int = 0
    until: float = 0.0


class OwnerState(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of one owner. number, said: of the request, there."""

    owner: Name
    state: State = "queued"
    number: Natural = 0
    said: Reason = ""
    left: int = 0
    until: float = 0.0

    def condition(self, now: float) -> str:
        """In a word or two: as `state`, or what has become of an approval: used up, expired."""
        if self.state != "approved" or self.left < 0:
            return self.state
        return "expired" if now >= self.until else "approved" if self.left else "used up"


class Job(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """id: 16 hexadecimal digits. title: what is asked, in words. question, parties, follows, kind, shared: as in
    `RequestApproval`.
    datasets: by the name of a dataset in it, owner and name in the owner's catalogue. whole: whether the result is that
    of its only statistic.
    """

    id: JobId
    title: str
    question: Bytes
    datasets: dict[Name, tuple[Name, Name]]
    parties: tuple[Name, ...]
    reason: Reason
    whole: bool
    since: float = 0.0
    owners: tuple[OwnerState, ...] = ()
    follows: Bytes = b""
    kind: Origin = "question"
    shared: tuple[Bytes, ...] = ()

    @property
    def state(self) -> State:
        """Of all owners: denied by one is denied, approved by all is approved."""
        states = {one.state for one in self.owners}
        for state in ("denied", "queued", "waiting"):
            if state in states:
                return state
        return "approved"

    def condition(self, now: float) -> str:
        """In a word or two: as `state`; of all owners' approvals what has become of one that is good no more."""
        ended = (one.condition(now) for one in self.owners)
        return self.state if self.state != "approved" else next((one for one in ended if one != "approved"), "approved")


class Jobs:
    """In an instance's folder. For any thread and process of this user."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "jobs"

    def _path(self, job: str) -> Path:
        if len(job) != 16 or not set(job) <= set("0123456789abcdef"):
            raise InstanceError(f"{job!r} is no job: icm jobs")
        return self._folder / f"{job}.json"

    @property
    def all(self) -> list[Job]:
        """By their age. Errors: `InstanceError`."""
        found = (read(path, Job, _WHAT) for path in self._folder.glob("[0-9a-f]*.json"))
        return sorted((one for one in found if one is not None), key=lambda one: one.since)

    def of(self, job: str) -> Job:
        """Errors: `InstanceError` where there is none of that name."""
        found = read(self._path(job), Job, _WHAT)
        if found is None:
            raise InstanceError(f"there is no job {job} here: icm jobs")
        return found

    def add(self, job: Job, me: str) -> Job:
        """Keep what a user requests, under an id of its own. me: the own organisation, which need not be asked."""
        with changing(self._folder / "all"):
            held = self.all
            if len(held) >= _MOST:
                self._path(held[0].id).unlink(missing_ok=True)
            owners = dict.fromkeys(owner for owner, _ in job.datasets.values() if owner != me)
            states = tuple(OwnerState(owner) for owner in owners)
            kept = replace(job, id=secrets.token_hex(8), since=time(), owners=states)
            write(self._path(kept.id), kept, _WHAT)
            return kept

    def tell(self, job: str, state: OwnerState) -> Job:
        """Write down what an owner says."""
        with changing(self._folder / "all"):
            found = self.of(job)
            owners = tuple(state if one.owner == state.owner else one for one in found.owners)
            if owners != found.owners:
                found = replace(found, owners=owners)
                write(self._path(job), found, _WHAT)
            return found


class Outbox:
    """Delivers jobs and hears what became of them. ask: says something to a peer's instance. fresh: for so many seconds
    owners are not asked again.
    """

    def __init__(
        self, jobs: Jobs, ask: Callable[[str, Any, float], Any], stopping: threading.Event, fresh: float = _FRESH
    ) -> None:
        self.jobs, self._ask, self._stopping, self._fresh = jobs, ask, stopping, fresh
        self._one = threading.Lock()
        self._looked: dict[str, float] = {}

    def keep(self) -> None:
        """Until the instance stops: those that are not decided."""
        while not self._stopping.wait(_EVERY):
            with suppress(IcmError):
                for job in self.jobs.all:
                    if job.state in {"queued", "waiting"}:
                        self.look(job.id)

    def look(self, job: str, anew: bool = False) -> Job:
        """Ask each owner that has not denied it, once in a while. anew: now, too. Errors: `InstanceError` of the own
        files.
        """
        with self._one:
            found, now = self.jobs.of(job), monotonic()
            if not anew and now - self._looked.get(job, -self._fresh) < self._fresh:
                return found
            self._looked = {one: at for one, at in self._looked.items() if now - at < self._fresh} | {job: now}
            for one in found.owners:
                if one.state != "denied":
                    with suppress(FaultError):  # away: it stays as it is, and is asked again
                        found = self.jobs.tell(job, self._heard(found, one))
            return found

    def _heard(self, job: Job, one: OwnerState) -> OwnerState:
        names = {name: dataset for name, (owner, dataset) in job.datasets.items() if owner == one.owner}
        call: RequestApproval | AskRequest = AskRequest(job.id, one.number)
        if one.state == "queued" or one.left < 0:  # what stands open has no number
            what = job.parties, job.reason, job.follows, job.kind, job.shared
            call = RequestApproval(job.id, job.question, names, *what)
        try:
            found = self._ask(one.owner, call, _PATIENCE)
        except FaultError:
            raise
        except PolicyError as error:
            return replace(one, state="denied", said=error.message[:200])
        except IcmError as error:  # too much at a time, say: it is asked again
            return replace(one, said=error.message[:200])
        if not isinstance(found, Decided):
            return one
        return OwnerState(one.owner, found.state, found.number, found.said, found.left, found.until)
