"""Asking an engine: questions about datasets become jobs for its lanes, and what these reveal becomes results."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from msgspec.structs import replace as replace_fields

from analytics.among_others import among_others
from analytics.batches import batches
from analytics.dataset import Dataset, pool_of
from analytics.progress import Progress
from analytics.receipt import Receipt
from icm_ray.errors import IcmError, InputError
from icm_ray.query.answer import answers
from icm_ray.query.disclosure import check_disclosure
from icm_ray.query.explain import explain as explain_asked
from icm_ray.query.expressions.casts import TARGETS
from icm_ray.query.expressions.tree import Of, apply
from icm_ray.query.lane_build import Members
from icm_ray.query.lower import Lowered, lower
from icm_ray.query.merge import Merge
from icm_ray.query.merged_shares import rows_of_merge
from icm_ray.query.pool import Pool, PooledRows, pooled
from icm_ray.query.question import Asked, DatasetFacts, Question, SharedColumn, Sharing, encode_asked
from icm_ray.query.result_table import check_deliverable
from icm_ray.query.row_set import Earlier, RowSet
from icm_ray.query.rows import Rows, column_of
from icm_ray.query.secret_rows import SecretRows
from icm_ray.query.selection import SelectedRows, Selection
from icm_ray.query.sharing import secret_rows
from icm_ray.query.statistics.catalogue import Statistic
from icm_ray.query.told_rows import asked_of
from icm_ray.runtime.driver.engine import Engine, Execution, LaneJob
from icm_ray.runtime.orders.origins import FromQuestion

__all__ = ["Part", "check", "explain", "run", "share"]


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

    @property
    def rows(self) -> Rows:
        """The public facts of the rows that are meant."""
        facts = self.dataset.facts
        if self.merge is not None:
            merge, other = self.merge
            return rows_of_merge(merge, facts, other.facts)
        return facts if self.selection is None else SelectedRows(self.selection, facts)


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
    check_disclosure(asked, _members(engine))
    if not engine.hears(question.to):
        check_deliverable(asked)
        if len(batches(parts)) > 1:
            raise InputError("what is for another organisation is asked in one question: fewer columns or groups")
    return engine, asked


def explain(parts: Sequence[Part], to: str | None) -> str:
    """What `run` opens and to whom, public sizes, cost and error bounds. Errors: those that are raised beforehand."""
    engine, asked = check(parts, to)
    return explain_asked(asked, _lowered(engine, asked), engine.settings)


def run(parts: Sequence[Part], to: str | None) -> list[Any]:
    """The results, in order; of those that are found in several questions, the first is asked with all others. What is
    for another organisation, a receipt stands for.

    Errors: those of `check` and of lowering before anything is shared; those of owners' workers; `FaultError` in the
    middle.
    """
    engine = parts[0].dataset.engine if parts else None
    if engine is not None and not engine.hears(to or engine.recipient):
        return _answers(parts, to)
    results: list[Any] = [None] * len(parts)
    going = dict(enumerate(parts))
    while True:
        asked, going = going, {}
        answered: list[Any] = []
        together = [*asked.values()]
        if len(found := batches(together)) > 1:
            check(together, to)  # what one part is refused for, no other is asked for
        for batch in found:
            answered += _answers([together[place] for place in batch], to)
        for (place, part), answer in zip(asked.items(), answered, strict=True):
            further, results[place] = part.statistic.follow(answer, part.rows)
            if further is not None:
                going[place] = replace(part, statistic=further)
        if not going:
            return results


def _answers(parts: Sequence[Part], to: str | None) -> list[Any]:
    """What one question answers. Errors: those of `run`."""
    datasets = [dataset for part in parts for dataset in part.datasets]
    guarded = {id(base.answered): base for dataset in datasets for base in dataset.guarded}
    if not guarded:
        return _run(parts, *check(parts, to))
    with ExitStack() as locks:  # one question at a time: the next one names this one's row sets
        for number in sorted(guarded):
            locks.enter_context(guarded[number].answered.lock)
        return among_others(lambda: _answers_under_policies(parts, to, guarded))


def _answers_under_policies(parts: Sequence[Part], to: str | None, guarded: Mapping[int, Dataset]) -> list[Any]:
    """The same, of datasets with a policy, whose locks are held. Errors: `LedgerChanged`, too."""
    engine, asked = check(parts, to)
    answered = guarded[min(guarded)].answered
    same = Asked(replace_fields(asked.what, earlier=()), asked.facts).digest
    if (results := answered.result(same)) is not None:
        return results
    try:
        results = _run(parts, engine, asked)
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


def _run(parts: Sequence[Part], engine: Engine, asked: Asked) -> list[Any]:
    lowered = _lowered(engine, asked)
    elsewhere = "" if not isinstance(asked.what, Question) or engine.hears(asked.what.to) else asked.what.to
    if lowered.last is None:
        if elsewhere:
            raise InputError(f"{parts[0].statistic.title}: it is public, and opened for nobody")
        return answers(asked, lowered, {})
    away = "" if engine.mock else elsewhere  # mock results are nobody's: they go nowhere
    *first, last = [replace(job, elsewhere=away) for job in _jobs(asked, lowered)]
    if not first:
        (opened,) = engine.execute([last])
    else:
        with parts[0].dataset.answering.alone(asked.digest):
            opened = _over_lanes(engine, first, lowered.kept, last)
    if elsewhere:
        return [Receipt(elsewhere, opened.delivered)] * len(parts)
    return answers(asked, lowered, opened.results)


def share(dataset: Dataset, columns: tuple[SharedColumn, ...], where: Of | None = None) -> Dataset:
    """Columns of all rows as shares, zeros in those that are not meant: one job for each partition, kept by the
    parties of its lane.

    Errors: `ColumnError` for columns without numbers and `BoundError` for bounds that do not fit, before anything is
    shared; `BoundError` and `NullError` of the owner's worker.
    """
    engine, config, whole = dataset.engine, dataset.engine.config, dataset.facts
    if dataset.gone:
        raise InputError("the frame's rows were forgotten; read them again")
    most = max(count for table in whole.tables for count in table.rows) if isinstance(whole, PooledRows) else 0
    sharings = [
        Sharing(
            part.facts.name,
            engine.new_name("shares"),
            tuple(_of_part(column, part.facts, whole, config.default_bound) for column in columns),
            config.fraction_bits,
            config.default_bound,
            where,
            most,
        )
        for part in dataset.bases
    ]
    made = [secret_rows(sharing, part.facts) for sharing, part in zip(sharings, dataset.bases, strict=True)]
    if dataset.parts:
        pooled(Pool(tuple(facts.name for facts in made)), made)  # refuses what cannot be, before any is shared
    shares = [_share(*of_part) for of_part in zip(dataset.bases, sharings, made, strict=True)]
    return pool_of(shares) if dataset.parts else shares[0]


def _of_part(column: SharedColumn, part: DatasetFacts, whole: DatasetFacts, default: int) -> SharedColumn:
    """A column of one dataset as it is of all of a pool. default: log2 of the largest magnitude of floats."""
    if not isinstance(whole, PooledRows):
        return column
    of, kind = column.of, column_of(whole, column.of).kind
    stated = [dict(facts.log2_bounds).get(str(of)) for facts in whole.parts]
    bounds = [default if bound is None else bound for bound in stated]
    if column_of(part, of).kind != kind and kind in TARGETS:
        of = apply("cast", (of,), (kind,))
    alike = kind == "float" and any(bound is not None for bound in stated)
    return replace_fields(column, of=of, log2_bound=max(bounds) if alike else None)


def _share(dataset: Dataset, sharing: Sharing, facts: SecretRows) -> Dataset:
    engine, config = dataset.engine, dataset.engine.config
    asked = Asked(sharing, (dataset.facts,))
    shares = dataset.made(facts)
    jobs = _jobs(asked, _lowered(engine, asked))
    for info, encoding in zip(facts.columns, facts.encodings, strict=True):
        if loss := encoding.loss(config.fraction_bits):
            warnings.warn(f"column {info.name!r}: {loss}", UserWarning, stacklevel=4)
    rows = [partition.rows for partition in facts.partitions]
    with Progress("sharing", len(jobs), "partitions", sum(rows)) as steps:
        told = [replace(job, done=partial(steps.done, count)) for job, count in zip(jobs, rows, strict=True)]
        try:
            engine.execute(told)
        except BaseException:
            with suppress(IcmError):  # the first cause is the one to report
                shares.forget()
            raise
    return shares


def _members(engine: Engine) -> Members:
    return Members(engine.parties, engine.owners)


def _lowered(engine: Engine, asked: Asked) -> Lowered:
    return lower(asked, _members(engine))


def _jobs(asked: Asked, lowered: Lowered) -> list[LaneJob]:
    """The programs as jobs: each says what it follows from, for the workers to derive it themselves."""
    payload = encode_asked(asked)
    return [
        LaneJob(part.lane, part.program, part.partition, part.tasks, origin=FromQuestion(payload, stage))
        for stage, part in enumerate(lowered.programs)
    ]


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
