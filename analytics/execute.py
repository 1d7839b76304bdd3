"""Asking an engine: questions about datasets become jobs for its lanes, and what these reveal becomes results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from typing import Any

from msgspec.structs import replace as replace_fields

from analytics.among_others import among_others
from analytics.batches import batches
from analytics.dataset import Dataset, pool_of
from analytics.other_lanes import in_lanes
from analytics.progress import Progress
from analytics.receipt import Receipt
from analytics.sharing import NOTHING, jobs_of, lowered_of, made_anew, make, members_of, sharings
from icm_ray.errors import IcmError, InputError, OwnerError
from icm_ray.query.answer import answers
from icm_ray.query.disclosure import check_disclosure
from icm_ray.query.explain import explain as explain_asked
from icm_ray.query.merge import Merge
from icm_ray.query.merged_shares import rows_of_merge
from icm_ray.query.question import Asked, Question, encode_asked
from icm_ray.query.result_table import check_deliverable
from icm_ray.query.row_set import Earlier, RowSet
from icm_ray.query.rows import Rows
from icm_ray.query.selection import SelectedRows, Selection
from icm_ray.query.statistics.catalogue import Statistic
from icm_ray.query.told_rows import asked_of
from icm_ray.runtime.driver.engine import Engine, Execution, LaneJob

__all__ = ["Part", "bare", "check", "explain", "heard_by", "run"]


@dataclass(frozen=True, slots=True)
class Part:
    """A statistic, the dataset that it is asked of, and the rows that are meant; None: all. merge: these rows merged
    with those of another dataset. text: what the user asked in, where that is not Python.
    """

    dataset: Dataset
    statistic: Statistic
    selection: Selection | None = None
    merge: tuple[Merge, Dataset] | None = None
    text: str = ""

    @property
    def datasets(self) -> tuple[Dataset, ...]:
        """Those that are asked."""
        return (self.dataset,) if self.merge is None else (self.dataset, self.merge[1])

    def named(self) -> Part:
        """The same, in the names of its datasets."""
        name, selection, merge = self.dataset.facts.name, self.selection, self.merge
        if merge is not None:
            joined, other = merge
            left = replace_fields(joined.left, dataset=name)
            joined = replace_fields(joined, left=left, right=replace_fields(joined.right, dataset=other.facts.name))
            name, merge = joined.name, (joined, other)
        elif selection is not None:
            selection = replace_fields(selection, dataset=name)
            name = selection.name
        statistic = replace_fields(self.statistic, dataset=name)
        return replace(self, statistic=statistic, selection=selection, merge=merge)

    def of(self, known: Mapping[str, Dataset]) -> Part:
        """The same, asked of others. known: the datasets in the place of this one's, by the names of these."""
        merge = None if self.merge is None else (self.merge[0], known[self.merge[1].facts.name])
        return replace(self, dataset=known[self.dataset.facts.name], merge=merge).named()

    @property
    def rows(self) -> Rows:
        """The public facts of the rows that are meant."""
        facts = self.dataset.facts
        if self.merge is not None:
            merge, other = self.merge
            return rows_of_merge(merge, facts, other.facts)
        return facts if self.selection is None else SelectedRows(self.selection, facts)


def heard_by(parts: Sequence[Part], to: str | None) -> Sequence[Part]:
    """The same, in lanes that an organisation which is to hear the result takes part in; where it is none, who checks
    the question says so. Errors: those of `in_lanes`.
    """
    engine = parts[0].dataset.engine if parts else None
    if engine is None or to is None or to in engine.parties or engine.hears(to):
        return parts
    try:
        wide = engine.among((*engine.parties, to))
    except OwnerError:  # nobody whom this organisation knows
        return parts
    return [part.of({dataset.facts.name: in_lanes(dataset, wide) for dataset in part.datasets}) for part in parts]


def _there(parts: Sequence[Part]) -> Sequence[Part]:
    """The same, in lanes with whoever was away when they were stated. Errors: those of assembling lanes, and of opening
    rows in them.
    """
    engine = parts[0].dataset.engine if parts else None
    if engine is None or (there := engine.there()) is engine:
        return parts
    return [part.of({dataset.facts.name: in_lanes(dataset, there) for dataset in part.datasets}) for part in parts]


def check(parts: Sequence[Part], to: str | None) -> tuple[Engine, Asked]:
    """What is asked, and of which engine; refuses what need not reach a worker to be refused.

    Errors: `InputError` (nothing, of different sessions, or of rows that were forgotten), and those of
    `icm_ray.query.disclosure`.
    """
    if not parts:
        raise InputError("there is nothing to reveal")
    engine = parts[0].dataset.engine
    everything = [(part, dataset) for part in parts for dataset in part.datasets]
    if any(dataset.engine is not engine for _, dataset in everything):
        raise InputError("results of different sessions cannot be revealed together")
    for part, dataset in everything:
        if dataset.gone:
            raise InputError(f"{part.statistic.title}: its rows were forgotten; read (or share) them again")
    facts = {base.facts.name: base.facts for _, dataset in everything for base in dataset.bases}
    selections = tuple(dict.fromkeys(part.selection for part in parts if part.selection is not None))
    merges = tuple(dict.fromkeys(part.merge[0] for part in parts if part.merge is not None))
    pools = tuple(dict.fromkeys(dataset.pool for _, dataset in everything if dataset.pool is not None))
    texts = tuple(dict.fromkeys(part.text for part in parts if part.text))
    statistics = tuple(part.statistic for part in parts)
    question = Question(statistics, to or engine.recipient, selections, (), merges, pools, texts)
    asked = Asked(question, tuple(facts.values()))
    if guarded := {base.facts.source: base for _, dataset in everything for base in dataset.guarded}:
        told = {name: own for name in guarded if (own := asked_of(asked, name))}
        earlier = tuple(Earlier(name, _earlier(engine, guarded[name], own)) for name, own in told.items())
        asked = Asked(replace_fields(question, earlier=earlier), asked.facts)
    check_disclosure(asked, members_of(engine))
    if not engine.hears(question.to):
        check_deliverable(asked)
        if len(batches(parts)) > 1:
            raise InputError("what is for another organisation is asked in one question: fewer columns or groups")
    return engine, asked


def explain(parts: Sequence[Part], to: str | None) -> str:
    """What `run` opens and to whom, public sizes, cost and error bounds. Errors: those that are raised beforehand."""
    engine, asked = check(heard_by(parts, to), to)
    return explain_asked(asked, lowered_of(engine, asked), engine.settings)


def run(parts: Sequence[Part], to: str | None) -> list[Any]:
    """The results, in order; of those that are found in several questions, the first is asked with all others. What is
    for another organisation, a receipt stands for. Shares that wait for approvals are made for these questions alone.

    Errors: those of `check` and of lowering before anything is shared; those of owners' workers; `FaultError` in the
    middle.
    """
    parts = heard_by(_there(parts), to)
    waiting = [base for base in _bases(parts).values() if base.waits_for is not None]
    if not waiting:
        return _found(parts, to, {})
    with ExitStack() as made:
        fresh = {base.facts.name: made_anew(base, made) for base in waiting}
        parts = [part.of(_with(part, fresh)) for part in parts]
        _, asked = check(parts, to)
        shared = sharings(asked, _bases(parts))
        purpose = replace_fields(NOTHING, shared=tuple(shared.values()), purpose=encode_asked(bare(asked)))
        for dataset in fresh.values():
            make(dataset, purpose)
        return _found(parts, to, shared)


def _with(part: Part, fresh: Mapping[str, Dataset]) -> dict[str, Dataset]:
    """The datasets of a part, those of others in the place of those that wait."""
    found: dict[str, Dataset] = {}
    for dataset in part.datasets:
        bases = [fresh.get(base.facts.name, base) for base in dataset.bases]
        found[dataset.facts.name] = pool_of(bases) if dataset.parts else bases[0]
    return found


def _bases(parts: Sequence[Part]) -> dict[str, Dataset]:
    """The datasets that workers know, by name."""
    return {base.facts.name: base for part in parts for dataset in part.datasets for base in dataset.bases}


def bare(asked: Asked) -> Asked:
    """Without what a ledger has of earlier questions, which an approval does not depend on."""
    what = asked.what
    return Asked(replace_fields(what, earlier=(), texts=()), asked.facts) if isinstance(what, Question) else asked


def _found(parts: Sequence[Part], to: str | None, shared: Mapping[str, bytes]) -> list[Any]:
    """As `run`. shared: what made shares that wait for approvals, and what is asked about beside them."""
    engine = parts[0].dataset.engine if parts else None
    if engine is not None and not engine.hears(to or engine.recipient):
        return _answers(parts, to, shared or sharings(check(parts, to)[1], _bases(parts)))
    results: list[Any] = [None] * len(parts)
    going = dict(enumerate(parts))
    while True:
        asked, going = going, {}
        answered: list[Any] = []
        together = [*asked.values()]
        if len(found := batches(together)) > 1:
            check(together, to)  # what one part is refused for, no other is asked for
        for batch in found:
            answered += _answers([together[place] for place in batch], to, shared)
        for (place, part), answer in zip(asked.items(), answered, strict=True):
            further, results[place] = part.statistic.follow(answer, part.rows)
            if further is not None:
                going[place] = replace(part, statistic=further)
        if not going:
            return results


def _answers(parts: Sequence[Part], to: str | None, shared: Mapping[str, bytes]) -> list[Any]:
    """What one question answers. Errors: those of `run`."""
    datasets = [dataset for part in parts for dataset in part.datasets]
    guarded = {id(base.answered): base for dataset in datasets for base in dataset.guarded}
    if not guarded:
        return _run(parts, *check(parts, to), shared)
    with ExitStack() as locks:  # one question at a time: the next one names this one's row sets
        for number in sorted(guarded):
            locks.enter_context(guarded[number].answered.lock)
        return among_others(lambda: _answers_under_policies(parts, to, guarded, shared))


def _answers_under_policies(
    parts: Sequence[Part], to: str | None, guarded: Mapping[int, Dataset], shared: Mapping[str, bytes]
) -> list[Any]:
    """The same, of datasets with a policy, whose locks are held. Errors: `LedgerChanged`, too."""
    engine, asked = check(parts, to)
    answered = guarded[min(guarded)].answered
    same = Asked(replace_fields(asked.what, earlier=()), asked.facts).digest
    if (results := answered.result(same)) is not None:
        return results
    try:
        results = _run(parts, engine, asked, shared)
    except BaseException:
        for dataset in guarded.values():
            dataset.answered.stale = True
        raise
    for dataset in guarded.values():
        dataset.answered.add(asked_of(asked, dataset.facts.source))
    answered.keep(same, results)
    return results


def _earlier(engine: Engine, dataset: Dataset, own: tuple[RowSet, ...]) -> tuple[RowSet, ...]:
    """What the parties' ledgers have of a dataset, for a question that asks for `own`: asked again where something
    failed since.
    """
    answered, facts = dataset.answered, dataset.facts
    if answered.stale and facts.policy is not None:
        with answered.lock:
            answered.take(engine.set_policy(facts.source, facts.policy))
            answered.stale = False
    return answered.stated(own)


def _run(parts: Sequence[Part], engine: Engine, asked: Asked, shared: Mapping[str, bytes]) -> list[Any]:
    lowered = lowered_of(engine, asked)
    elsewhere = "" if not isinstance(asked.what, Question) or engine.hears(asked.what.to) else asked.what.to
    if lowered.last is None:
        if elsewhere:
            raise InputError(f"{parts[0].statistic.title}: it is public, and opened for nobody")
        return answers(asked, lowered, {})
    away = "" if engine.mock else elsewhere  # mock results are nobody's: they go nowhere
    made = replace_fields(NOTHING, shared=tuple(shared[one.name] for one in asked.facts if one.name in shared))
    *first, last = [replace(job, elsewhere=away) for job in jobs_of(asked, lowered, made)]
    if not first:
        (opened,) = engine.execute([last])
    else:
        with parts[0].dataset.answering.alone(asked.digest):
            opened = _over_lanes(engine, first, lowered.kept, last)
    if elsewhere:
        return [Receipt(elsewhere, opened.delivered)] * len(parts)
    return answers(asked, lowered, opened.results)


def _over_lanes(
    engine: Engine, first: Sequence[LaneJob], kept: Mapping[int, Mapping[str, tuple[int, ...]]], last: LaneJob
) -> Execution:
    names = [name for keys in kept.values() for name in keys]
    try:
        with Progress("reading", len(first), "lanes", 0) as steps:
            engine.execute([replace(job, done=steps.done) for job in first])
        engine.gather({lane: keys for lane, keys in kept.items() if lane != last.lane}, last.lane)
        (opened,) = engine.execute([last])
    except BaseException:
        with suppress(IcmError):  # the first cause is the one to report
            engine.forget(names)
        raise
    engine.forget(names)
    return opened
