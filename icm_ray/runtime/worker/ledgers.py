"""The ledgers of a party: one for each dataset with a policy, kept by its workers of all lanes together; every question
is held against them.

Rows that are read twice are two datasets: where their policies have one name, they have one ledger.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Final

from icm_ray.config import EngineConfig
from icm_ray.errors import ProgramError, SessionError
from icm_ray.ops.seams import Link
from icm_ray.policy import Policy, is_ledger_name
from icm_ray.private_folder import SharedFolder, in_memory
from icm_ray.query.question import Asked, DatasetFacts, Question
from icm_ray.query.row_set import RowSet
from icm_ray.query.told_rows import asked_of, earlier
from icm_ray.ring.prg import fresh_secret
from icm_ray.runtime.orders.lane_plan import LanePlan
from icm_ray.runtime.worker.answer_ledger import AnswerLedger, kept_secret

__all__ = ["FIRST_LANE", "Ledgers"]

_PREFIX: Final = "icm-ledger-"
_TOKEN: Final = 16
FIRST_LANE: Final = 0
"""Where a member keeps its ledger; workers in other lanes see the same one."""


def _unnamed(session: str, dataset: str) -> str:
    """Of the ledger of a dataset whose policy has no name. Whoever asks names session and dataset: it is no path, and
    begins as no policy's name does, so that it is no other ledger.
    """
    name = f"{session}.{dataset}"
    if "." in session or not is_ledger_name(name):
        name = hashlib.sha256(repr((session, dataset)).encode()).hexdigest()
    return f".{name}"


class Ledgers:
    """Of the member `name`, in files below `config.ledger` where that is set, else in a folder that its workers on this
    node share while they live.
    """

    def __init__(self, name: str, lane: LanePlan, config: EngineConfig) -> None:
        self._name, self._lane, self._session = name, lane.lane, lane.session
        self._folder = None if config.ledger is None else Path(config.ledger)
        self._shared: SharedFolder | None = None
        self._ledgers: dict[str, AnswerLedger] = {}
        self._named: dict[str, AnswerLedger] = {}
        self._secrets: dict[str, bytes] = {}
        self._asked: Asked | None = None
        self._one = lane.lane == FIRST_LANE

    def compare(self, link: Link, *, first: bool) -> None:
        """Find out whether this member's workers in two lanes keep one ledger: what the one in the first lane leaves in
        its folder for a moment, the other sees in its own. Both call it, with the link between them.

        Errors: `SessionError` in the other where it does not; in either where there can be no folder.
        """
        if first:
            self._leave_mark(link)
            return
        token = link.receive_message()
        self._one = len(token) == _TOKEN and self._mark(token).exists()
        link.send_message(b"")
        if token and not self._one:
            reason = f"{self._name} keeps another ledger here than in lane {FIRST_LANE}, and each misses what the other"
            raise SessionError(
                f"{reason} answers: set ledger= (ICM_LEDGER) to a folder on a file system of all its nodes",
                party=self._name,
            )

    def _leave_mark(self, link: Link) -> None:
        token = fresh_secret(_TOKEN)
        try:
            mark = self._mark(token)
            mark.touch(0o600, exist_ok=False)
        except (OSError, SessionError) as error:
            link.send_message(b"")  # it waits for one
            link.receive_message()
            if isinstance(error, SessionError):
                raise
            path = str(error.filename)
            raise SessionError(f"{path}: no ledger can be kept there: {error.strerror}", path=path) from None
        try:
            link.send_message(token)
            link.receive_message()
        finally:
            mark.unlink(missing_ok=True)

    def _mark(self, token: bytes) -> Path:
        root = self._root()
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        return root / f".{self._name}-{token.hex()}"

    def _check_one(self) -> None:
        if not self._one:
            reason = f"its ledger in lane {self._lane} was not held against that in lane {FIRST_LANE}"
            raise SessionError(f"{self._name} refuses: {reason}", party=self._name)

    def _root(self) -> Path:
        if self._folder is not None:
            return self._folder
        if self._shared is None:
            try:
                self._shared = SharedFolder(_PREFIX, f"{self._session}-{self._name}", in_memory())
            except OSError as error:
                path = str(error.filename)
                raise SessionError(f"{path}: no ledger can be kept there: {error.strerror}", path=path) from None
        return self._shared.path

    def close(self) -> None:
        """Let go of the folder, which goes with the last worker. Idempotent."""
        if self._shared is not None:
            self._shared.close()

    def open(self, dataset: str, policy: Policy, sets: Iterable[RowSet]) -> tuple[RowSet, ...]:
        """The row sets that this worker knows of, once it has taken over others. Errors: `SessionError`."""
        self._check_one()
        if dataset not in self._ledgers:
            self._ledgers[dataset] = self._named.get(policy.name) or self._opened(dataset, policy)
            if policy.name:
                self._named[policy.name] = self._ledgers[dataset]
        self._ledgers[dataset].take_over(sets)
        return self._ledgers[dataset].sets

    def _opened(self, dataset: str, policy: Policy) -> AnswerLedger:
        folder = self._root() / (policy.name or _unnamed(self._session, dataset))
        return AnswerLedger(policy.name or dataset, folder, self._name, self._session)

    def secret(self, dataset: str) -> bytes:
        """What this party's noise for a dataset is drawn from, as long as its ledger lasts.

        Errors: `ProgramError` (the dataset has no policy here), `SessionError`.
        """
        if dataset not in self._ledgers:
            raise ProgramError(f"{self._name} refuses: it keeps no policy of {dataset!r} that asks for noise")
        return self._ledgers[dataset].secret

    def secret_of_rows(self, policy: str) -> bytes:
        """What keys of this owner's rows are drawn from, by the policy's name: as long as its ledger lasts, or would if
        it kept one. Errors: `SessionError`.
        """
        self._check_one()
        if policy not in self._secrets:
            self._secrets[policy] = kept_secret(self._root() / policy / f"{self._name}.noise")
        return self._secrets[policy]

    def keep(self, datasets: Collection[str]) -> None:
        """Drop ledgers of datasets that have no policy any more; files stay, and so do those with a name."""
        for dataset in set(self._ledgers) - set(datasets):
            del self._ledgers[dataset]

    def check(self, asked: Asked) -> None:
        """Raise `PolicyError` where the question says otherwise than the ledgers what was asked before."""
        for facts, ledger in self._of(asked):
            ledger.check(earlier(asked, facts.source), asked_of(asked, facts.source))
        self._asked = asked

    def drop(self) -> None:
        """What was checked last is not answered: some member refused it."""
        self._asked = None

    def commit(self) -> None:
        """What was checked last is about to be answered. Errors: those of `check`, for what was asked in other lanes
        since; `SessionError` where it cannot be written down.
        """
        asked, self._asked = self._asked, None
        if asked is None or not isinstance(asked.what, Question):
            return
        for facts, ledger in self._of(asked):
            said, own = earlier(asked, facts.source), asked_of(asked, facts.source)
            ledger.record(asked.digest, asked.what, facts.count, own, said)

    def _of(self, asked: Asked) -> list[tuple[DatasetFacts, AnswerLedger]]:
        """Ledgers of the datasets that this lane has rows of, with facts of each."""
        found = {
            facts.source: facts for facts in asked.facts if facts.source in self._ledgers and self._lane in facts.lanes
        }
        return [(facts, self._ledgers[source]) for source, facts in found.items()]
