"""The plan is checked, not the driver's word for it: a member that contributes derives programs and tasks by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import msgspec

from icm_ray.errors import PolicyError, ProgramError
from icm_ray.network.model import IMAGES
from icm_ray.network.programs import ModelQuestion, PredictionQuestion, decode_model_question, program_of
from icm_ray.policy import Policy
from icm_ray.program.program import Program
from icm_ray.program.program_cache import Latest
from icm_ray.query.derivations import Derivations
from icm_ray.query.held import HeldWeight
from icm_ray.query.image_tasks import ImageRows
from icm_ray.query.lane_build import Members
from icm_ray.query.question import DatasetFacts, Sharing
from icm_ray.query.secret_rows import SecretRows
from icm_ray.query.sharing import secret_rows
from icm_ray.query.tasks import Given, InputTask, TableInfo
from icm_ray.runtime.orders.jobs import Job
from icm_ray.runtime.orders.origins import FromPrediction, FromQuestion
from icm_ray.runtime.worker.guard import Guard
from icm_ray.runtime.worker.ledgers import Ledgers
from icm_ray.runtime.worker.quotas import Quotas

__all__ = ["PlanCheck"]


class PlanCheck:
    """What the member `name` holds every job of its lane against.

    Datasets are what they were when they were first spoken of: rows, owners and lanes of a name do not change, and a
    table or a share belongs to one dataset. free: whether programs are taken that follow from nothing. ledgers: of
    what was asked before. guard: of an organisation's instance, which no job passes by.
    """

    def __init__(
        self, name: str, lane: int, members: Members, free: bool, ledgers: Ledgers, guard: Guard | None = None
    ) -> None:
        self._ledgers, self._guard = ledgers, guard
        self._name, self._lane, self._free = name, lane, free
        self._members, self._derivations = members, Derivations(members)
        self._models: Latest[bytes, tuple[ModelQuestion, Program]] = Latest()
        self._quotas = Quotas(name)
        self._datasets: dict[str, DatasetFacts] = {}
        self._tables: dict[str, str] = {}
        self._said: dict[str, DatasetFacts] = {}  # in the job that is prepared
        self._asking, self._agreed = b"", b""  # the digest of what it follows from; of what was agreed on last

    def tasks(
        self,
        job: Job,
        program: Program,
        policies: Mapping[str, Policy],
        info: Callable[[str], TableInfo],
    ) -> Mapping[str, InputTask]:
        """How this member makes its inputs of a job, if the job is what it follows from.

        policies: those that this member keeps, by dataset. info: the facts of a table that it holds.
        Errors: `ProgramError` (another program, lane, partition or task than what is asked implies; facts that are not
        so), `PolicyError` (a policy or a quota forbids it; a program that follows from nothing).
        """
        self._said, self._asking = {}, b""
        self._quotas.drop()
        self._ledgers.drop()
        if self._guard is not None:
            self._guard.drop()
        if isinstance(job.origin, FromQuestion):
            return self._of_question(job, job.origin, program, policies, info)
        tasks = job.tasks.get(self._name, {})
        if self._guard is not None:
            self._guard.check(job, program, tasks, None, policies)
        if isinstance(job.origin, FromPrediction):
            asked, derived = self._of_model(job.origin.asked)
            self._same(derived, program)
            self._quotas.check(asked)
            for name, task in tasks.items():
                if not isinstance(task, Given | HeldWeight):
                    self._check_images(asked, name, task)
            if self._guard is not None:
                self._guard.results.check_prediction(asked, derived, job.origin)
                self._guard.models.check(asked, tasks)
        elif not self._free:
            reason = "no question and no model implies this program; a session for such says free_programs=True"
            raise PolicyError(f"{self._name} refuses: {reason}", party=self._name)
        return tasks

    def commit(self) -> None:
        """All members agreed on the job that `tasks` was called for: what it says of datasets is known from now on."""
        self._datasets.update(self._said)
        for facts in self._said.values():
            self._tables.update(dict.fromkeys(facts.kept, facts.name))
        self._said, self._agreed = {}, self._asking
        self._ledgers.commit()
        self._quotas.commit()
        if self._guard is not None:
            self._guard.commit()

    @property
    def datasets(self) -> frozenset[str]:
        """The datasets that tables and shares belong to which are not forgotten."""
        return frozenset(self._tables.values())

    def belong(self, tables: Iterable[str], dataset: str) -> None:
        """Tables belong to a dataset before anything is asked of it. Raises `ProgramError` where one belongs to
        another.
        """
        names = tuple(tables)
        self.check_belong(names, dataset)
        self._tables.update(dict.fromkeys(names, dataset))

    def forget(self, keys: Iterable[str]) -> None:
        """Datasets whose tables or shares are dropped need not be known any more."""
        self._agreed = b""
        for key in keys:
            self._datasets.pop(self._tables.pop(key, ""), None)

    def _of_question(
        self,
        job: Job,
        origin: FromQuestion,
        program: Program,
        policies: Mapping[str, Policy],
        info: Callable[[str], TableInfo],
    ) -> Mapping[str, InputTask]:
        asked, part = self._derivations.program(origin.asked, origin.stage, len(job.program))
        if (part.lane, part.partition) != (self._lane, job.partition):
            raise self._refusal("the question asks for this program in another lane or of another partition")
        self._same(part.program, program)
        mine = part.tasks.get(self._name, {})
        if job.tasks.get(self._name, {}) != mine:
            raise self._refusal("the question does not imply what is asked of this owner")
        for facts in asked.facts:
            self._check_policy(facts, policies)
        self._ledgers.check(asked)
        self._asking = asked.digest
        if self._asking != self._agreed:  # the next partition of a sharing says the same as the one before
            for facts in asked.facts:
                self._check(facts, info)
            if isinstance(asked.what, Sharing):
                self._know(secret_rows(asked.what, asked.facts_of(asked.what.dataset)))
        if self._guard is not None:
            self._guard.check(job, program, mine, asked, policies)
        return mine

    def _of_model(self, payload: bytes) -> tuple[ModelQuestion, Program]:
        def derive() -> tuple[ModelQuestion, Program]:
            asked = decode_model_question(payload)
            return asked, program_of(asked, self._members.parties, self._members.owners)

        return self._models.get(payload, len(payload), derive)

    def _check_images(self, asked: ModelQuestion, name: str, task: InputTask) -> None:
        """Images that this member reads itself are of no dataset, and what the model takes."""
        if not isinstance(task, ImageRows) or task.table in self._tables:
            raise self._refusal("a prediction takes no rows of a dataset")
        scheme = asked.model.scheme
        wanted = name == IMAGES and isinstance(asked, PredictionQuestion) and asked.images == self._name
        if not wanted or (task.f, task.bound) != (scheme.input_f, scheme.inputs):
            raise self._refusal("the model does not take what is asked of this owner")

    def _same(self, derived: Program, program: Program) -> None:
        if derived != program:
            raise self._refusal("this is not the program that follows from the question")

    def _check_policy(self, facts: DatasetFacts, policies: Mapping[str, Policy]) -> None:
        own = policies.get(facts.source)
        if own is not None and facts.policy != own:
            reason = f"{self._name} refuses: the question states another policy than this party keeps"
            raise PolicyError(reason, party=self._name, dataset=facts.source)

    def _check(self, facts: DatasetFacts, info: Callable[[str], TableInfo]) -> None:
        """Compare with what this member holds, and with what was said before.

        A partition that is said to have no rows is read nowhere: all others without it would be the rows of that one,
        under the name, in ledgers too, that all have. Of pushed rows each lane knows its own. Where all are of other
        lanes nothing is compared: what comes from these is labelled with its rows, and held to what is stated here.
        """
        if isinstance(facts, SecretRows):
            if self._lane in facts.lanes and facts.name not in self._datasets:
                raise self._refusal(f"it keeps no shares of {facts.name!r}")
            self._know(facts)
            return
        for table in facts.tables:
            here = [part for part, lane in enumerate(table.lanes) if lane == self._lane]
            if table.owner != self._name or not here:
                continue
            own = info(table.name)
            known = {*here, *(part for part, count in enumerate(own.rows) if count)}  # of files that is all
            if len(own.rows) != len(table.rows) or any(own.rows[part] != table.rows[part] for part in known):
                raise self._refusal("its table has other rows than the question states")
            said = {column.name: column for column in facts.columns}
            for column in own.columns:
                if column.nullable and column.name in said and not said[column.name].nullable:
                    raise self._refusal(f"values of {column.name!r} may be missing, which the question denies")
        self._know(facts)

    def _know(self, facts: DatasetFacts) -> None:
        """Compare what is said of a dataset with what was said before; policies are judged elsewhere."""
        said = msgspec.structs.replace(facts, policy=None)
        known = self._said.get(facts.name) or self._datasets.get(facts.name)
        if known is not None:
            if known != said:
                raise self._refusal(f"the dataset {facts.name!r} is described otherwise than before")
            return
        self.check_belong(facts.kept, facts.name)
        self._said[facts.name] = said

    def check_belong(self, keys: Iterable[str], dataset: str) -> None:
        """Raise `ProgramError` where one of the tables or shares belongs to another dataset, known or said."""
        said = {key: facts.name for facts in self._said.values() for key in facts.kept}
        if any(owners.get(key, dataset) != dataset for key in keys for owners in (self._tables, said)):
            raise self._refusal(f"rows of the dataset {dataset!r} belong to another one")

    def _refusal(self, reason: str) -> ProgramError:
        return ProgramError(f"{self._name} refuses: {reason}", party=self._name)
