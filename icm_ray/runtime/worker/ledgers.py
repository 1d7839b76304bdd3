"""The ledgers of a party: one for each dataset with a policy, kept by its workers of all lanes together; every question
is held against them.

Rows that are read twice are two datasets: where their policies have one name, they have one ledger.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Final

from icm_ray.config import EngineConfig
from icm_ray.errors import ProgramError, SessionError
from icm_ray.policy import Policy
from icm_ray.private_folder import SharedFolder, in_memory
from icm_ray.query.question import Asked, DatasetFacts, Question
from icm_ray.query.row_set import RowSet
from icm_ray.query.told_rows import asked_of, earlier
from icm_ray.runtime.orders.lane_plan import LanePlan
from icm_ray.runtime.worker.answer_ledger import AnswerLedger, kept_secret

__all__ = ["Ledgers"]

_PREFIX: Final = "icm-ledger-"


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
        if dataset not in self._ledgers:
            self._ledgers[dataset] = self._named.get(policy.name) or self._opened(dataset, policy)
            if policy.name:
                self._named[policy.name] = self._ledgers[dataset]
        self._ledgers[dataset].take_over(sets)
        return self._ledgers[dataset].sets

    def _opened(self, dataset: str, policy: Policy) -> AnswerLedger:
        folder = self._root() / (policy.name or f"{self._session}.{dataset}")
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
