"""From measures to programs, and from what these reveal to results.

One lane with rows: one program. Several: in every lane a program that keeps its partial shares; these move (each
party's within itself) to the first lane, where a last program joins them and reveals.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from analytics.measures import Measure, Opened
from analytics.quantity import LaneBuild, Part, Quantity, join
from icm_ray.errors import BoundError, IcmError, InputError, OwnerError, PolicyError
from icm_ray.names import DRIVER
from icm_ray.ops.linear import Load, Reveal, Store
from icm_ray.ops.values import ValueType
from icm_ray.program.build import Builder, Value
from icm_ray.protocols.io import array_shape
from icm_ray.runtime.driver.engine import Engine, LaneJob

__all__ = ["Plan", "check", "plan", "run"]

Key = tuple[str, Quantity]


@dataclass(frozen=True, slots=True)
class _Reveal:
    """One opened value: of which measure, under which word there, under which name in the program."""

    measure: int
    word: str
    name: str
    type: ValueType


@dataclass(frozen=True, slots=True)
class Plan:
    """partial: a job for each lane where there are several. kept: by lane, names of partial shares and their shapes."""

    partial: tuple[LaneJob, ...]
    kept: Mapping[int, Mapping[str, tuple[int, ...]]]
    last: LaneJob | None
    reveals: tuple[_Reveal, ...]


def check(measures: Sequence[Measure], to: str | None) -> Engine:
    """The engine that all measures share; refuses what need not reach a worker to be refused.

    Errors: `InputError` (no measures, of different sessions, or of rows that were forgotten), `OwnerError` (a recipient
    that is not in the session), `PolicyError` (too few rows, or a recipient that a policy does not allow).
    """
    if not measures:
        raise InputError("there is nothing to reveal")
    engine = measures[0].rows.engine
    if any(measure.rows.engine is not engine for measure in measures):
        raise InputError("results of different sessions cannot be revealed together")
    there = (*engine.parties, *engine.owners)
    if to is not None and to not in there:
        raise OwnerError(f"the recipient {to!r} is not in the session; there are {', '.join(there)}", recipient=to)
    for measure in measures:
        if measure.rows.forgotten.is_set():
            raise InputError(f"{measure.title}: its rows were forgotten; read (or share) them again")
        policy, rows = measure.rows.policy, measure.rows.count
        if policy is None:
            continue
        if rows < policy.min_rows:
            reason = f"{measure.title} has {rows} rows behind it, the policy asks for {policy.min_rows}"
            raise PolicyError(reason, dataset=measure.rows.dataset)
        if policy.recipients is not None and (to or DRIVER) not in policy.recipients:
            allowed = ", ".join(policy.recipients) or "nobody"
            raise PolicyError(f"{measure.title}: {to or DRIVER} may not receive it, but {allowed}", recipient=to)
    return engine


def plan(engine: Engine, measures: Sequence[Measure], to: str | None) -> Plan:
    """The programs that answer all measures; nothing runs yet.

    Errors: `BoundError` naming the column where a value would not fit its ring.
    """
    parts = _unique(part for measure in measures for part in measure.parts())
    if not parts:
        return Plan((), {}, None, ())
    rows = min(measure.rows.count for measure in measures if measure.parts())
    lanes = sorted(frozenset[int]().union(*(part.rows.lanes for part in parts.values())))
    if len(lanes) == 1:
        last = LaneBuild(engine, lanes[0], rows)
        values = {key: _partial(last, part) for key, part in parts.items()}
        reveals = _reveal(last.builder, measures, values, to or DRIVER)
        return Plan((), {}, last.job(), reveals)
    jobs: list[LaneJob] = []
    kept: dict[int, dict[str, tuple[int, ...]]] = {}
    pieces: dict[Key, list[tuple[str, ValueType]]] = {key: [] for key in parts}
    for lane in lanes:
        build, kept[lane] = LaneBuild(engine, lane, rows), {}
        for key, part in parts.items():
            if lane not in part.rows.lanes:
                continue
            value, name = _partial(build, part), engine.new_name("partial")
            build.builder.add(Store(name), value)
            kept[lane][name] = array_shape(value.type)
            pieces[key].append((name, value.type))
        jobs.append(build.job())
    last = LaneBuild(engine, 0, rows)
    values = {}
    for key, found in pieces.items():
        loaded = [last.builder.add(Load(name, kind)) for name, kind in found]
        values[key] = join(last.builder, parts[key].quantity.kind, loaded)
    reveals = _reveal(last.builder, measures, values, to or DRIVER)
    return Plan(tuple(jobs), kept, last.job(), reveals)


def _partial(build: LaneBuild, part: Part) -> Value:
    try:
        return part.rows.partial(build, part.quantity)
    except BoundError as error:
        column = part.quantity.column
        raise BoundError(f"{part.quantity.kind} of {column}: {error}", column=column) from None


def _unique(parts: Iterable[Part]) -> dict[Key, Part]:
    return {part.key: part for part in parts}


def _reveal(builder: Builder, measures: Sequence[Measure], values: Mapping[Key, Value], to: str) -> tuple[_Reveal, ...]:
    reveals = []
    for index, measure in enumerate(measures):
        taken = [values[part.key] for part in measure.parts()]
        for word, value in measure.finish(builder, taken).items():
            name = f"{index}: {word} ({measure.title})"
            builder.add(Reveal(to, name), value)
            reveals.append(_Reveal(index, word, name, value.type))
    return tuple(reveals)


def run(measures: Sequence[Measure], to: str | None) -> list[Any]:
    """Their results, in order.

    Errors: those of `check` and `plan` before anything is shared; those of owners' workers; `FaultError` in the middle.
    """
    engine = check(measures, to)
    planned = plan(engine, measures, to)
    opened: list[dict[str, Opened]] = [{} for _ in measures]
    if planned.last is not None:
        results = _execute(engine, planned, planned.last)
        for reveal in planned.reveals:
            opened[reveal.measure][reveal.word] = Opened(results[reveal.name], reveal.type)
    return [measure.decode(found) for measure, found in zip(measures, opened, strict=True)]


def _execute(engine: Engine, planned: Plan, last: LaneJob) -> Mapping[str, Any]:
    if not planned.partial:
        return engine.execute([last])[0].results
    names = [name for kept in planned.kept.values() for name in kept]
    try:
        engine.execute(planned.partial)
        engine.gather({lane: kept for lane, kept in planned.kept.items() if lane})
        results = engine.execute([last])[0].results
    except BaseException:
        with suppress(IcmError):  # the first cause is the one to report
            engine.forget(names)
        raise
    engine.forget(names)
    return results
