"""The ledgers of a party's worker: one for each dataset with a policy; every question is held against them.

Rows that are read twice are two datasets: where their policies have one name, they have one ledger.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from icm_ray.config import EngineConfig
from icm_ray.errors import PolicyError, ProgramError
from icm_ray.policy import Policy
from icm_ray.query.question import Asked, DatasetFacts, Question
from icm_ray.query.row_set import RowSet
from icm_ray.query.told_rows import asked_of, earlier
from icm_ray.ring.prg import fresh_secret
from icm_ray.runtime.orders.lane_plan import LanePlan
from icm_ray.runtime.worker.answer_ledger import AnswerLedger

__all__ = ["Ledgers"]


class Ledgers:
    """Of the member `name`, in files below `config.ledger` where that is set, else in memory."""

    def __init__(self, name: str, lane: LanePlan, config: EngineConfig) -> None:
        self._name, self._lane, self._session = name, lane.lane, lane.session
        self._folder = None if config.ledger is None else Path(config.ledger)
        self._ledgers: dict[str, AnswerLedger] = {}
        self._named: dict[str, AnswerLedger] = {}
        self._secrets: dict[str, bytes] = {}
        self._asked: Asked | None = None
        self._recorded = b""  # the digest of what was recorded last: it may have several programs

    def open(self, dataset: str, policy: Policy, sets: Iterable[RowSet]) -> tuple[RowSet, ...]:
        """The row sets that this worker knows of, once it has taken over others. Errors: `SessionError`."""
        if dataset not in self._ledgers:
            self._ledgers[dataset] = self._named.get(policy.name) or self._opened(dataset, policy)
            if policy.name:
                self._named[policy.name] = self._ledgers[dataset]
        self._ledgers[dataset].take_over(sets)
        return self._ledgers[dataset].sets

    def _opened(self, dataset: str, policy: Policy) -> AnswerLedger:
        folder = None if self._folder is None else self._folder / (policy.name or f"{self._session}.{dataset}")
        return AnswerLedger(policy.name or dataset, folder, self._name, f"{self._name}.{self._lane}")

    def secret(self, dataset: str) -> bytes:
        """What this party's noise for a dataset is drawn from, as long as its ledger lasts.

        Errors: `ProgramError` (the dataset has no policy here), `SessionError`.
        """
        if dataset not in self._ledgers:
            raise ProgramError(f"{self._name} refuses: it keeps no policy of {dataset!r} that asks for noise")
        return self._ledgers[dataset].secret

    def secret_of_rows(self, policy: str) -> bytes:
        """What keys of this owner's rows are drawn from, by the policy's name: as long as the ledger lasts, or, where
        it keeps none, as it lives. Errors: `SessionError`.
        """
        if policy in self._named:
            return self._named[policy].secret
        return self._secrets.setdefault(policy, fresh_secret())

    def keep(self, datasets: Collection[str]) -> None:
        """Drop ledgers of datasets that have no policy any more; files stay, and so do those with a name."""
        for dataset in set(self._ledgers) - set(datasets):
            del self._ledgers[dataset]

    def check(self, asked: Asked, policies: Mapping[str, Policy]) -> None:
        """Raise `PolicyError` where the question says otherwise than the ledgers what was asked before."""
        self._asked = asked
        for facts, ledger in self._of(asked):
            said, known, own = earlier(asked, facts.source), ledger.sets, asked_of(asked, facts.source)
            new = tuple(told for told in own if told not in said)
            if own and known not in {said, (*said, *new)}:
                reason = "the question says otherwise than this party's ledger what was asked of the dataset before"
                raise PolicyError(f"{self._name} refuses: {reason}", party=self._name, dataset=facts.source)

    def commit(self) -> None:
        """What was checked last is about to be answered. Errors: `SessionError` where that cannot be written down."""
        asked, self._asked = self._asked, None
        if asked is None or not isinstance(asked.what, Question) or asked.digest == self._recorded:
            return
        for facts, ledger in self._of(asked):
            ledger.record(asked.digest, asked.what, facts.count, asked_of(asked, facts.source))
        self._recorded = asked.digest

    def _of(self, asked: Asked) -> list[tuple[DatasetFacts, AnswerLedger]]:
        """Ledgers of the datasets that this lane has rows of, with facts of each."""
        found = {
            facts.source: facts for facts in asked.facts if facts.source in self._ledgers and self._lane in facts.lanes
        }
        return [(facts, self._ledgers[source]) for source, facts in found.items()]
