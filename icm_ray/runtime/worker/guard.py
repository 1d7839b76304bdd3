"""What a worker of an organisation's instance holds every order against, beyond what each worker checks: whoever asks
is of another organisation, and is believed in nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

from icm_ray.errors import PolicyError, ProgramError
from icm_ray.policy import Policy
from icm_ray.program.program import Program
from icm_ray.query.held import HeldImageSource
from icm_ray.query.owner_rows import OwnerRows
from icm_ray.query.question import Asked, DatasetFacts, Question, Sharing, decode_asked
from icm_ray.query.tasks import Given, HeldSource, InputTask, PushedSource, Source, TableInfo
from icm_ray.runtime.orders.jobs import Job
from icm_ray.runtime.orders.lane_plan import Member
from icm_ray.runtime.orders.origins import FromPrediction, FromQuestion
from icm_ray.runtime.worker.delivery import Delivery
from icm_ray.runtime.worker.house import House
from icm_ray.runtime.worker.model_guard import ModelGuard

__all__ = ["Guard"]


class _Opened(NamedTuple):
    """A dataset of the catalogue as a worker has opened it: its name, what guards it, and how it was offered then."""

    dataset: str
    policy: Policy
    version: str


class Guard:
    """Of the member `name`, beside its link with its instance."""

    def __init__(self, name: str, house: House) -> None:
        self._name, self._house = name, house
        self.models, self.results = ModelGuard(name, house), Delivery(name, house)
        self._held: dict[str, _Opened] = {}  # by table
        self._sources: dict[str, _Opened] = {}  # by dataset of the session

    # --- rows -----------------------------------------------------------------------------------------------------

    def source(self, table: str, asked: Source) -> Source:
        """Where the rows of a table lie that the driver asks for by name; rows that it brings are this organisation's.

        Errors: `PolicyError` for a path, or rows that somebody else brings; what the instance refuses with.
        """
        if isinstance(asked, HeldSource):
            source, policy, version = self._house.open(asked.dataset)
            self._held[table] = _Opened(asked.dataset, policy, version)
            return source
        if isinstance(asked, HeldImageSource):
            return self.models.open(table, asked)
        if isinstance(asked, PushedSource) and self._house.mine:
            return asked
        raise self._refusal("rows are asked for by their name in the catalogue")

    def public(self, table: str, info: TableInfo) -> TableInfo:
        """The facts of a table that the asker's driver hears: nothing of files, nor of what is in them."""
        if self.models.has(table):
            return TableInfo((), info.rows, (), info.ids if self._house.mine else ())
        if table not in self._held:
            return info
        dataset = self._held[table].dataset
        columns = tuple(
            msgspec.structs.replace(
                column, origin="", fault=f"{self._name} says that it cannot be used" if column.fault else ""
            )
            for column in info.columns
        )
        files = tuple(
            msgspec.structs.replace(file, path=f"{dataset}[{number}]", size=0, modified=0)
            for number, file in enumerate(info.files)
        )
        return TableInfo(columns, info.rows, files)

    def check_policy(self, dataset: str, policy: Policy, tables: Iterable[str]) -> None:
        """A policy that the driver states for a dataset of the session: that of the catalogue, where rows of this
        member's are in it, which are those of one dataset there, and stay so. So they have one ledger, whichever
        session asks; and no other rows have it, whose noise would tell that of these.

        Errors: `PolicyError`.
        """
        own, known = self._own(tables), self._sources.get(dataset)
        if len(own) > 1:
            raise self._refusal("rows of two datasets of its catalogue are two datasets: concat joins them")
        if any(one.policy != policy for one in own):
            raise self._refusal("the policy that is stated is another than the one that guards its rows")
        if known is not None and (known.policy != policy or any(one != known for one in own)):
            raise self._refusal(f"{dataset} stands for another dataset of its catalogue, or for another policy")
        if known is None and not own and not self._house.mine and self._house.keeps_ledger(policy.name):
            raise self._refusal("the policy that is stated has the name of one that guards its rows")

    def belong(self, dataset: str, tables: Iterable[str]) -> None:
        """The policy that was checked last was accepted."""
        for one in self._own(tables):
            self._sources[dataset] = one

    def _own(self, tables: Iterable[str]) -> list[_Opened]:
        """The datasets of the catalogue that tables are of, each once; one that is offered anew meanwhile is two."""
        held = [self._held[table] for table in tables if table in self._held]
        return [one for number, one in enumerate(held) if one not in held[:number]]

    def catalogued(self, dataset: str) -> str:
        """The dataset of the catalogue that one of the session is, and how it was offered; "": none."""
        found = self._sources.get(dataset)
        return "" if found is None else f"{found.dataset} {found.version}"

    def forget(self, keys: Iterable[str]) -> None:
        """Tables that are dropped."""
        for key in keys:
            self._held.pop(key, None)
            self.models.forget(key)

    # --- jobs -----------------------------------------------------------------------------------------------------

    def check(
        self,
        job: Job,
        program: Program,
        tasks: Mapping[str, InputTask],
        asked: Asked | None,
        policies: Mapping[str, Policy],
    ) -> None:
        """Raise `PolicyError`, or what the instance refuses with, for a job that this member has no part in. asked:
        what it follows from, where that is a question about tables.
        """
        if not isinstance(job.origin, FromPrediction):  # of that, once it was derived
            self.results.check(asked, program)
        if not self._house.mine and any(isinstance(task, Given) for task in tasks.values()):
            raise self._refusal("what it brings is its own, and not the asker's to state")
        if isinstance(job.origin, FromQuestion) and asked is not None:
            origin = job.origin
            purpose, meant = self._meant(origin, asked, policies)
            to = purpose.what.to if isinstance(purpose.what, Question) else ""
            names, opened = {name: one.dataset for name, one in meant.items()}, self._as_opened(meant)
            self._house.may("question", origin.asked, names, origin.stage, to, origin.shared, origin.purpose, opened)
        elif isinstance(job.origin, FromPrediction):
            self._house.may("prediction", job.origin.asked, {})  # `models` checks what it takes of this member
        else:
            raise self._refusal("a program follows from a question, or from a model")

    def commit(self) -> None:
        """What was checked last begins."""
        self._house.begin()
        self.models.commit()

    def drop(self) -> None:
        """What was checked last does not begin, where it has not: some member refused, or a ledger was too late."""
        self._house.give_back()
        self.models.drop()

    def _as_opened(self, meant: Mapping[str, _Opened]) -> dict[str, str]:
        """How each dataset of the catalogue was offered. Errors: `PolicyError` for one in two ways."""
        opened: dict[str, str] = {}
        for one in meant.values():
            if opened.setdefault(one.dataset, one.version) != one.version:
                raise self._refusal(f"its dataset {one.dataset!r} was offered anew in between: take it anew")
        return opened

    def _datasets(self, asked: Asked, policies: Mapping[str, Policy]) -> dict[str, _Opened]:
        """By the name of a dataset in the question, that of the catalogue whose rows it would have from this member.
        Errors: `PolicyError` for rows of which the driver has stated no policy, or among which there are others': those
        would count beside this member's, and whoever asks can take them away again.
        """
        found: dict[str, _Opened] = {}
        for facts in asked.facts:
            source, held = self._sources.get(facts.source), self._catalogue_of(facts)
            if held and len(facts.owners) > 1:
                raise self._refusal("its rows and others' are two datasets: concat joins them")
            if held and (source is None or policies.get(facts.source) != source.policy or held != [source]):
                raise self._refusal("its rows are guarded by a policy, which the asker has not stated")
            if source is not None:
                found[facts.name] = source
        return found

    def _catalogue_of(self, facts: DatasetFacts) -> list[_Opened | None]:
        """The datasets of the catalogue that rows of this member's are of; None for what this worker has not opened: in
        another lane it may have. Nothing where its own driver brought them.
        """
        if self._name not in facts.owners:
            return []
        if isinstance(facts, OwnerRows):  # one table for each owner
            opened = [self._held.get(table.name) for table in facts.tables if table.owner == self._name]
        else:
            opened = [self._sources.get(facts.source)]
        return [one for one in opened if one is not None or not self._house.mine]

    def _meant(
        self, origin: FromQuestion, asked: Asked, policies: Mapping[str, Policy]
    ) -> tuple[Asked, dict[str, _Opened]]:
        """The question that a job is for, and the datasets that it, the job and the sharings of what it is about read.

        What is asked is derived here. Purpose and sharings are the asker's words: they change neither who hears what is
        asked, nor which rows it reads. Errors: `PolicyError`, `ProgramError`.
        """
        purpose = asked
        if origin.purpose:
            if not isinstance(asked.what, Sharing) or origin.asked not in origin.shared:
                raise self._refusal("rows that are shared alone are for another question, of which they are a part")
            purpose = decode_asked(origin.purpose)
        names = self._datasets(asked, policies)
        for one in (purpose, *map(decode_asked, origin.shared)):
            for name, held in self._datasets(one, policies).items():
                if names.setdefault(name, held) != held:
                    raise self._refusal("one name stands for two datasets of its catalogue")
        return purpose, names

    def own(self, lane: int, member: Member) -> Member:
        """Where the worker of another lane is reached. Raises where shares would be moved to a worker that is not this
        organisation's own.
        """
        if member[0] != self._name:
            raise ProgramError(f"{self._name} refuses: a party's link between lanes leads to its own worker")
        return self._house.own(lane, member)

    def _refusal(self, reason: str) -> PolicyError:
        return PolicyError(f"{self._name} refuses: {reason}", party=self._name)
