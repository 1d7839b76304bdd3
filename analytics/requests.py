"""Questions that other organisations' people approve first: a handle that waits for them, and asks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from threading import Event
from time import monotonic, time
from typing import Any, Final

from msgspec.structs import replace

from analytics.dataset import Dataset, pool_of
from analytics.execute import Part, bare, check, heard_by, run
from analytics.receipt import Receipt
from analytics.sharing import lowered_of, sharings
from icm_ray.errors import IcmError, InputError, InstanceError, PolicyError, ProgramError
from icm_ray.instance.away_engine import AwayEngine
from icm_ray.instance.engine import OrganisationEngine
from icm_ray.instance.jobs import Job
from icm_ray.instance.messages import AskJob, SubmitJob
from icm_ray.instance.request import MOST_LETTERS
from icm_ray.instance.user_link import UserLink
from icm_ray.query.owner_rows import OwnerRows
from icm_ray.query.question import Question, Sharing, decode_asked, encode_asked
from icm_ray.runtime.driver.engine import Engine

__all__ = ["Requested", "again", "request", "submitted"]

_POLL: Final = 0.25


class Requested:
    """A requested question waits for the owners' approvals, in the instances: the process may end, and come back.

    `Query.request` makes it, and `Connection.job` finds it again.

    Attributes:
        id (str): The job's name in the own instance: `icm jobs`.
        status (str): "queued" (an owner is away), "waiting", "approved" or "denied"; of an approval that is good no
            more "used up" or "expired".
    """

    def __init__(self, link: UserLink, job: Job, ask: Callable[[], Any]) -> None:
        self._link, self._job, self._ask = link, job, ask

    @property
    def id(self) -> str:
        """The job's name in the own instance."""
        return self._job.id

    @property
    def status(self) -> str:
        """What the owners have said so far, a second ago at most: each is asked that can be reached."""
        return self._look().condition(time())

    def _look(self, anew: bool = False) -> Job:
        found = self._link.call(AskJob(self.id, anew))
        if isinstance(found, Job):
            self._job = found
        return self._job

    def result(self, timeout: float = 60.0) -> Any:
        """Wait until all owners have approved, and ask. Each call asks anew, and takes a use of the approvals.

        Args:
            timeout: Seconds to wait for approvals.

        Returns:
            What the query's `reveal` returns: a receipt where it is another organisation's.

        Raises:
            PolicyError: An owner denied it, with its reason; or the approval has expired, or was used up.
            InstanceError: Not all have approved within that time. The request stays.
            IcmError: Whatever `reveal` raises.

        Examples:
            >>> bob["visits"]["cost"].mean().request(reason="cost study").result(timeout=3600)  # doctest: +SKIP
            203.3
        """
        deadline = monotonic() + timeout
        while (job := self._look()).state != "approved":
            if job.state == "denied":
                one = next(one for one in job.owners if one.state == "denied")
                said = f": {one.said}" if one.said else ""
                raise PolicyError(f"{one.owner} denied the request{said}", party=one.owner)
            if (left := deadline - monotonic()) <= 0:
                slow = ", ".join(one.owner for one in job.owners if one.state != "approved")
                raise InstanceError(f"not approved yet by {slow}; job {self.id} stays: icm jobs")
            Event().wait(min(_POLL, left))
        found = self._ask()
        with suppress(IcmError):  # what is left of the approvals, for icm jobs; of whoever is away it is not waited for
            self._look(anew=True)
        return found

    def __repr__(self) -> str:
        return f"<request {self.id}: {self._job.title}, {self._job.condition(time())}>"


def request(
    session: Engine,
    parts: Sequence[Part],
    title: str,
    reason: str,
    ask: Callable[[], Any],
    whole: bool,
    to: str | None = None,
    then: Sequence[Part] = (),
) -> Requested:
    """Request what parts ask. ask: reveals it. whole: whether its result is that of the only part. to: whom it is for.
    then: what is asked in the groups that these open.

    Errors: `InputError` (no organisation's session, several questions, a reason too long), those of `check`.
    """
    if session.mock:
        raise InputError(f"{title} is asked of mock rows: ask the same of the frame that mock() was taken of")
    parts, then = heard_by(parts, to), heard_by(then, to)
    session = parts[0].dataset.engine if parts else session
    engine = _organisations(session, reason)
    _, asked = check(parts, to)
    lowered_of(session, asked)  # refuses what nobody could be shown
    bases = {base.facts.name: base for part in parts for dataset in part.datasets for base in dataset.bases}
    made_by = [base.made_by for base in bases.values() if base.made_by is not None]
    datasets = {
        facts.name: (owner, public.name)
        for one in (asked, *made_by)
        for facts in one.facts
        if isinstance(facts, OwnerRows)
        for table in facts.tables
        for owner, public in [engine.held[table.name]]
    }
    first, follows = encode_asked(bare(asked)), encode_asked(bare(check(then, to)[1])) if then else b""
    shared = tuple(sharings(asked, bases).values())
    title = title[:MOST_LETTERS]
    job = Job("0" * 16, title, first, datasets, session.parties, reason, whole, follows=follows, shared=shared)
    return submitted(session, job, ask)


def submitted(session: Engine, job: Job, ask: Callable[[], Any]) -> Requested:
    """Hand a job to the own instance. ask: reveals it. Errors: `InputError` (no organisation's session, a reason too
    long), those of asking the instance.
    """
    link = _organisations(session, job.reason).link
    found = link.call(SubmitJob(job))
    if not isinstance(found, Job):
        raise ProgramError("the own instance answers something else than a job")
    return Requested(link, found, ask)


def _organisations(session: Engine, reason: str) -> OrganisationEngine | AwayEngine:
    if not isinstance(session, OrganisationEngine | AwayEngine):
        raise InputError("only other organisations are requested: icm.connect(); reveal() asks at once")
    if len(reason) > MOST_LETTERS:
        raise InputError(f"a reason of {len(reason)} letters; {MOST_LETTERS} at most")
    return session


def _parts_of(job: Job, datasets: Mapping[str, Dataset]) -> list[Part]:
    """The parts of a job's question, asked of the same datasets in another session. datasets: by the name in it.

    Errors: `ProgramError` for a damaged job.
    """
    asked = decode_asked(job.question)
    if not isinstance(what := asked.what, Question):
        raise ProgramError(f"job {job.id} is no question")
    known = {**datasets, **_shares_of(job, datasets)}
    for pool in what.pools:
        known[pool.name] = pool_of([known[name] for name in pool.datasets])
    selections = {one.name: one for one in what.selections}
    merges = {one.name: one for one in what.merges}
    found = []
    for statistic in what.statistics:
        name = statistic.dataset
        if name in merges:
            left, right = (known[side.dataset] for side in (merges[name].left, merges[name].right))
            found.append(Part(left, statistic, None, (merges[name], right)).named())
        elif name in selections:
            found.append(Part(known[selections[name].dataset], statistic, selections[name]).named())
        else:
            found.append(Part(known[name], statistic).named())
    return found


def _shares_of(job: Job, datasets: Mapping[str, Dataset]) -> dict[str, Dataset]:
    """By the names that shares have in a job's question, those that wait for it to be asked. datasets: whose rows they
    are made of, by name. Errors: `ProgramError` for a damaged job, those of `secret_rows`.
    """
    made_by = [what for one in job.shared if isinstance(what := decode_asked(one).what, Sharing)]
    found: dict[str, Dataset] = {}
    for what in made_by:
        source = datasets[what.dataset]
        alike = [datasets[one.dataset].facts for one in made_by if one.most == what.most]
        counts = [n for facts in alike if isinstance(facts, OwnerRows) for table in facts.tables for n in table.rows]
        most = max(counts, default=0) if what.most else 0
        into = source.engine.new_name("shares")
        sharing = replace(what, dataset=source.facts.name, into=into, most=most)
        found[what.into] = source.made(sharing, waits=True)
    return found


def again(job: Job, datasets: Mapping[str, Dataset]) -> Any:
    """Ask a job's question in another session: the result, or one for each statistic where it is made of several."""
    what = decode_asked(job.question).what
    results = run(_parts_of(job, datasets), what.to if isinstance(what, Question) else None)
    return results[0] if job.whole or isinstance(results[0], Receipt) else tuple(results)
