"""Rows become shares: at once, or, where people approve each question, for one question at a time."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import partial
from typing import Final

from msgspec.structs import replace as replace_fields

from analytics.dataset import Dataset, pool_of
from analytics.progress import Progress
from icm_ray.config import EngineConfig
from icm_ray.errors import IcmError, InputError
from icm_ray.query.expressions.casts import TARGETS
from icm_ray.query.expressions.tree import Of, apply
from icm_ray.query.lane_build import Members
from icm_ray.query.lower import Lowered, lower
from icm_ray.query.owner_rows import OwnerRows
from icm_ray.query.pool import PooledRows
from icm_ray.query.question import Asked, DatasetFacts, SharedColumn, Sharing, encode_asked
from icm_ray.query.rows import column_of
from icm_ray.query.secret_rows import SecretRows
from icm_ray.runtime.driver.engine import Engine, LaneJob
from icm_ray.runtime.orders.origins import FromQuestion

__all__ = ["NOTHING", "jobs_of", "lowered_of", "made_anew", "make", "members_of", "share", "sharings", "sharings_of"]

NOTHING: Final = FromQuestion(b"", 0)
"""That a job is for, beyond what it follows from."""


def made_anew(base: Dataset, made: ExitStack) -> Dataset:
    """Shares under a name of their own, which are forgotten as soon as `made` ends."""
    asked, source = base.made_by, base.waits_for
    if asked is None or source is None or not isinstance(asked.what, Sharing) or source.gone:
        raise InputError("the frame's rows were forgotten; read them again")
    found = source.made(replace_fields(asked.what, into=base.engine.new_name("shares")))
    made.callback(_let_go, found)
    return found


def _let_go(dataset: Dataset) -> None:
    with suppress(IcmError):  # what was answered is answered
        dataset.forget()


def sharings(asked: Asked, datasets: Mapping[str, Dataset]) -> dict[str, bytes]:
    """By the name of each dataset of shares in a question, what makes them. datasets: by name."""
    made_by = {facts.name: datasets[facts.name].made_by for facts in asked.facts if facts.shared}
    return {name: encode_asked(sharing) for name, sharing in made_by.items() if sharing is not None}


def share(dataset: Dataset, columns: tuple[SharedColumn, ...], where: Of | None = None) -> Dataset:
    """Columns of all rows as shares, zeros in those that are not meant: one job for each partition, kept by the
    parties of its lane; where people approve each question, nothing is shared before one is asked.

    Errors: `ColumnError` for columns without numbers and `BoundError` for bounds that do not fit, before anything is
    shared; `BoundError` and `NullError` of the owner's worker.
    """
    engine, whole = dataset.engine, dataset.facts
    if dataset.gone:
        raise InputError("the frame's rows were forgotten; read them again")
    sharings = sharings_of(whole, columns, where, engine.config, lambda: engine.new_name("shares"))
    waits = any(engine.waits(table.name) for table in whole.tables) if isinstance(whole, OwnerRows) else False
    made = [part.made(sharing, waits=waits) for sharing, part in zip(sharings, dataset.bases, strict=True)]
    whole_of = pool_of(made) if dataset.parts else made[0]  # refuses what cannot be, before any is shared
    for shares in made:
        _warn_of_losses(shares.facts, engine.config.fraction_bits)
        if not waits:
            make(shares, NOTHING)
    return whole_of


def sharings_of(
    whole: DatasetFacts,
    columns: tuple[SharedColumn, ...],
    where: Of | None,
    config: EngineConfig,
    new_name: Callable[[], str],
) -> list[Sharing]:
    """What makes shares of rows, of each dataset that they are of: alike, so that one can be made of all."""
    most = max(count for table in whole.tables for count in table.rows) if isinstance(whole, PooledRows) else 0
    return [
        Sharing(
            part.name,
            new_name(),
            tuple(_of_part(column, part, whole, config.default_bound) for column in columns),
            config.fraction_bits,
            config.default_bound,
            where,
            most,
        )
        for part in (whole.parts if isinstance(whole, PooledRows) else (whole,))
    ]


def _warn_of_losses(facts: DatasetFacts, f: int) -> None:
    """f: fractional bits of the session."""
    if not isinstance(facts, SecretRows):
        return
    for info in facts.columns:
        if loss := facts.encoding(info.name).loss(f):
            warnings.warn(f"column {info.name!r}: {loss}", UserWarning, stacklevel=5)


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


def make(shares: Dataset, purpose: FromQuestion) -> None:
    """Make shares. purpose: what for, where that has to be approved."""
    asked, facts, engine = shares.made_by, shares.facts, shares.engine
    if asked is None or not isinstance(facts, SecretRows):
        raise InputError(f"{facts.name}: these are no shares")
    jobs = jobs_of(asked, lowered_of(engine, asked), purpose)
    rows = [partition.rows for partition in facts.partitions]
    with Progress("sharing", len(jobs), "partitions", sum(rows)) as steps:
        told = [replace(job, done=partial(steps.done, count)) for job, count in zip(jobs, rows, strict=True)]
        try:
            engine.execute(told)
        except BaseException:
            _let_go(shares)  # the first cause is the one to report
            raise


def jobs_of(asked: Asked, lowered: Lowered, purpose: FromQuestion) -> list[LaneJob]:
    """The programs as jobs: each says what it follows from, for the workers to derive it themselves. purpose: what they
    are for, beyond that.
    """
    payload = encode_asked(asked)
    return [
        LaneJob(
            part.lane,
            part.program,
            part.partition,
            part.tasks,
            origin=replace_fields(purpose, asked=payload, stage=stage),
        )
        for stage, part in enumerate(lowered.programs)
    ]


def members_of(engine: Engine) -> Members:
    """Who takes part in each lane."""
    return Members(engine.parties, engine.owners)


def lowered_of(engine: Engine, asked: Asked) -> Lowered:
    """The programs of what is asked. Errors: those of `lower`."""
    return lower(asked, members_of(engine))
