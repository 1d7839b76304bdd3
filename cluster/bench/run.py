"""Timing a workload: inputs become shares, the clock runs over the program, the output stays shares; then it is
checked.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from time import perf_counter

import msgspec
import numpy as np
from numpy.typing import NDArray

from cluster.bench.functions import function_workloads
from cluster.bench.minionn import minionn
from cluster.bench.networks import network_workloads
from cluster.bench.profile import Profile, profile
from cluster.bench.sorting import sort_100k
from cluster.bench.tables import groupby_100k, join_100k
from cluster.bench.workloads import Workload, plain_workloads
from icm_ray.errors import StockMismatch
from icm_ray.names import DRIVER
from icm_ray.network.programs import bias_name
from icm_ray.ops.linear import Input, Load, Reveal, Store
from icm_ray.ops.products import LoadWeight
from icm_ray.program.build import Builder
from icm_ray.program.stamped import Stamped
from icm_ray.ring.fixed import decode, encode
from icm_ray.runtime.driver.engine import Engine, LaneJob
from icm_ray.schedule.steps import size_of

__all__ = ["Record", "Seconds", "measure", "names", "workload"]


class Seconds(msgspec.Struct, frozen=True):
    """Of the timed runs."""

    min: float
    median: float


class Record(msgspec.Struct, frozen=True):
    """One line of the report. Bytes: payload that a party sends at most, and what the dealer sends; of one run.

    shares: bytes of a party's shares of inputs and outputs, or of those of the largest operation. held: the most that
    one worker held at a time, the inputs included.
    profile: where the time of one more run went, where it was asked for.
    prepared: whether the dealer had dealt before the clock started. threads: of each worker.
    """

    workload: str
    parties: int
    seconds: Seconds
    rounds: int
    bytes_per_party: int
    dealer_bytes: int
    bytes_all: int
    """What all parties and the dealer send."""
    max_abs_error: float
    tls: bool
    shares: int = 0
    held: int = 0
    profile: Profile | None = None
    preprocessed: bool = False
    threads: int = 1


def names() -> tuple[str, ...]:
    """All workloads, in the order of the report."""
    return tuple(_makers())


def workload(name: str) -> Workload:
    """The workload of that name; KeyError where there is none."""
    return _makers()[name]()


def _makers() -> dict[str, Callable[[], Workload]]:
    tables = {"sort_100k": sort_100k, "groupby_100k": groupby_100k, "join_100k": join_100k}
    networks = {"minionn_cifar_b8": minionn, **network_workloads()}
    return {**plain_workloads(), **tables, **function_workloads(), **networks}


def measure(
    engine: Engine, work: Workload, repeats: int, tls: bool, *, profiled: bool = False, preprocessed: bool = False
) -> Record:
    """Run once to warm up, then `repeats` times, one after the other; the error is the larger one of the first and the
    last run's output. Then once more, counting memory, and where `profiled` as often again with every member's clock.

    prepared: all randomness is dealt before the clock starts. Raises `StockMismatch` where a run was dealt live all the
    same.
    """
    owner = engine.parties[0]
    keys = _prepare(engine, work, owner)
    plain = work.plain(work.inputs)  # here, for a BLAS library's threads spin on after a product, beside what follows
    builder = Builder(engine.parties)
    values = {name: builder.add(Load(keys[name], kind)) for name, kind in work.types.items()}
    result = work.build(builder, values)
    builder.add(Store("y"), result)
    program = builder.build()
    plan, seconds, errors = Stamped(program, engine.settings).plan(), [], []
    if preprocessed:
        engine.preprocess(program, (repeats + 1) * engine.lanes)
    for repeat in range(repeats + 1):
        started = perf_counter()
        (execution,) = engine.execute([LaneJob(0, program)])
        seconds.append(perf_counter() - started)
        if execution.preprocessed is not preprocessed:
            how = "live" if preprocessed else "ahead of time"
            raise StockMismatch(f"run {repeat} of {work.name} was dealt {how}", party="dealer", step="bench")
        if repeat in {0, repeats}:  # not between timed runs, which would find other work's data in the caches
            errors.append(_error(engine, plain, Load("y", result.type, program.labels()[-1])))
    seconds = seconds[1:]
    (traced,) = engine.execute([LaneJob(0, program, trace=True)])
    given = sum(size_of(kind) for kind in work.types.values())
    job = LaneJob(0, program, profile=True)
    found = profile(lambda: engine.execute([job])[0], repeats) if profiled else None
    engine.forget([*keys.values(), "y", *work.weights])
    cost = plan.cost
    return Record(
        work.name,
        len(engine.parties),
        Seconds(min(seconds), statistics.median(seconds)),
        cost.rounds,
        max(cost.sent),
        cost.dealt,
        sum(cost.sent) + cost.dealt,
        max(errors),
        tls,
        plan.shares,
        _held(given, engine.parties, traced.peaks),
        found,
        preprocessed,
        engine.settings.threads,
    )


def _held(given: int, parties: tuple[str, ...], peaks: Mapping[str, int]) -> int:
    """The most that one worker held: a party has its share of the inputs besides. 0: an engine that does not say."""
    return max((given + size if name in parties else size for name, size in peaks.items()), default=0)


def _prepare(engine: Engine, work: Workload, owner: str) -> dict[str, str]:
    """Share the inputs and load the weights; returns the inputs' keys."""
    keys = {name: engine.new_name("bench") for name in work.types}
    builder = Builder(engine.parties)
    bits = {name: kind.f for name, kind in work.types.items()}
    given = {name: encode(plain, bits[name], 62 - bits[name]) for name, plain in work.inputs.items()}
    for name, kind in work.types.items():
        builder.add(Store(keys[name]), builder.add(Input(owner, name, kind)))
    for name, weight in work.weights.items():
        given[name], named, size = weight.words, None, 0
        if weight.bias is not None:
            named, size = bias_name(name), weight.bias.size
            given[named] = weight.bias
        builder.add(LoadWeight(owner, name, name, weight.type, named, size))
    engine.execute([LaneJob(0, builder.build(), given={owner: given})])
    return keys


def _error(engine: Engine, plain: NDArray[np.float64], kept: Load) -> float:
    builder = Builder(engine.parties)
    builder.add(Reveal(DRIVER, "y"), builder.add(kept))
    (execution,) = engine.execute([LaneJob(0, builder.build())])
    return float(np.max(np.abs(decode(execution.results["y"], kept.type.f).reshape(plain.shape) - plain)))
