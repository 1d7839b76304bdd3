"""One run of a program on one lane, from the driver: prepare everywhere, then go, or nowhere."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping

import msgspec
import numpy as np

from icm_ray.errors import Desynchronised, FaultError, InputError, OwnerError, ProgramError, StockMismatch
from icm_ray.names import DEALER, DRIVER
from icm_ray.ops.linear import Reveal
from icm_ray.program.program import encode_program
from icm_ray.program.stamped import RunSettings, Stamped
from icm_ray.protocols.io import array_shape, reconstruct
from icm_ray.query.tasks import Given, InputTask
from icm_ray.ring.array import RingArray
from icm_ray.runtime.driver.engine import Execution, LaneJob
from icm_ray.runtime.driver.first_cause import Evidence
from icm_ray.runtime.driver.lane import Lane
from icm_ray.runtime.orders import messages as say
from icm_ray.runtime.orders.jobs import Job, Report, ResultMessage
from icm_ray.runtime.orders.limits import transport_config
from icm_ray.runtime.orders.value_frames import GIVEN, given_frame

__all__ = ["run"]


def run(lane: Lane, number: int, job: LaneJob, settings: RunSettings, stop: threading.Event | None = None) -> Execution:
    """Run `job` as number `number` of the session, under these settings, unless `stop` is set.

    Refusals (input, program, policy) are raised before any member begins, and leave the lane as it was. A refusal
    in the middle, or an interruption, costs the lane its links, which are made anew. A fault ends the lane.
    """
    program = job.program
    members = (*program.parties, *program.owners, DEALER)
    payload = encode_program(program)
    order = Job(number, job.partition, payload, settings, _tasks(job), job.profile, job.trace, job.origin)
    for name in (*members, *order.tasks):
        if name not in lane.handles:
            raise OwnerError(f"{name!r} is not in the session; it has {', '.join(lane.parties + lane.owners)}")
        if name not in members:
            raise ProgramError(f"{name} is given tasks for a program that it has no part in")
    _fits(lane, job)
    arrived: dict[str, dict[str, RingArray]] = {}
    due = _due(job)

    def result(name: str, message: ResultMessage) -> None:
        if message.job != number:
            return
        shape = due.pop((name, message.name), None)
        if shape is None or shape != message.shape or len(message.words) != 8 * math.prod(shape):
            wrong = f"{name} sent a result that the program does not reveal there, or not in this shape"
            error = Desynchronised(wrong, party=name, step="result")
            raise lane.fail(Evidence(name, error), job.partition, "result")
        words = np.frombuffer(message.words, np.uint64).reshape(shape)
        arrived.setdefault(message.name, {})[name] = words

    with lane.using(stop):
        call = lane.next_call()
        lane.expect(8 * sum(math.prod(shape) for shape in due.values()))
        lane.tell(
            {name: say.Run(call, order.for_dealer() if name == DEALER else order.for_member(name)) for name in members}
        )
        _give(lane, order, job)
        try:
            lane.collect(members, call, "prepare", partition=job.partition)
        except BaseException:
            if not lane.broken:
                lane.tell({name: say.Rollback(call) for name in members})
            raise
        try:
            lane.tell({name: say.Commit(call) for name in members})
            done = lane.collect(members, call, "run", partition=job.partition, on_result=result)
        except BaseException as error:
            if not lane.broken:
                lane.abort(members, call)
                if isinstance(error, StockMismatch):
                    lane.give_up((*program.parties, DEALER), Stamped(program, settings).digest)
            raise
    said = {name: done[name].report or Report() for name in members}
    reports = [said[name] for name in program.parties]
    return Execution(
        _reconstructed(job, arrived),
        reports[0].rounds,
        sum(report.sent_bytes for report in reports),
        sum(report.dealt_bytes for report in reports),
        max(report.seconds for report in reports),
        {name: report.spent for name, report in said.items() if report.spent},
        {name: report.peak_bytes for name, report in said.items() if report.peak_bytes},
        all(report.preprocessed for report in reports),
        _delivered(job, said),
    )


def _tasks(job: LaneJob) -> dict[str, dict[str, InputTask]]:
    tasks = {owner: dict(named) for owner, named in job.tasks.items()}
    for owner, named in job.given.items():
        tasks.setdefault(owner, {}).update(dict.fromkeys(named, Given()))
    return tasks


def _fits(lane: Lane, job: LaneJob) -> None:
    """Raise `InputError` for an array that no link carries, before anything is sent."""
    largest = transport_config(lane.config).max_frame_bytes
    for owner, named in job.given.items():
        for name, array in named.items():
            if array.nbytes > largest:
                raise InputError(
                    f"{owner}: input {name} of shape {array.shape} takes {array.nbytes} bytes, a link carries "
                    f"{largest} at most: bring fewer rows at once (batch_size= of a model)",
                    owner=owner,
                    bytes=array.nbytes,
                    limit=largest,
                )


def _give(lane: Lane, order: Job, job: LaneJob) -> None:
    """Send what this process brings, in the order in which the owner's worker takes it: that of its tasks."""
    for owner, named in job.given.items():
        names = [name for name, task in order.tasks[owner].items() if isinstance(task, Given)]
        for step, name in enumerate(names):
            words = np.ascontiguousarray(named[name], dtype=np.uint64)
            try:
                lane.data[owner].send_message(GIVEN + msgspec.msgpack.encode(words.shape))
                lane.data[owner].send(given_frame(order, step), (words.reshape(-1),))
            except FaultError as error:
                raise lane.fail(Evidence(DRIVER, error), job.partition, "input") from error
            except BaseException:  # half of an array on its way: nothing can follow it
                lane.kill("an input was cut off on its way to its owner")
                raise


def _delivered(job: LaneJob, said: Mapping[str, Report]) -> int:
    """The number that results have where they went. Raises `Desynchronised` where they did not."""
    if not any(isinstance(node.op, Reveal) and node.op.to == job.elsewhere for node in job.program.nodes):
        return 0
    if not (number := said[job.elsewhere].delivered):
        wrong = f"{job.elsewhere} did not say that its organisation has the results"
        raise Desynchronised(wrong, party=job.elsewhere, step="result")
    return number


def _due(job: LaneJob) -> dict[tuple[str, str], tuple[int, ...]]:
    """The shapes of the results that are sent here, by who sends each and its name."""
    due: dict[tuple[str, str], tuple[int, ...]] = {}
    program = job.program
    for node, kind in zip(program.nodes, program.types(), strict=True):
        if isinstance(node.op, Reveal) and node.op.to != job.elsewhere:
            for name in program.parties if node.op.to == DRIVER else (node.op.to,):
                due[name, node.op.name] = array_shape(kind)
    return due


def _reconstructed(job: LaneJob, arrived: dict[str, dict[str, RingArray]]) -> dict[str, RingArray]:
    """What was revealed: a recipient's own words, or the sum of the parties' shares where it is this process."""
    results: dict[str, RingArray] = {}
    types = job.program.types()
    for index, node in enumerate(job.program.nodes):
        if not isinstance(node.op, Reveal) or node.op.to == job.elsewhere:
            continue
        sources = job.program.parties if node.op.to == DRIVER else (node.op.to,)
        found = arrived.get(node.op.name, {})
        if missing := [name for name in sources if name not in found]:
            raise Desynchronised(f"{missing[0]} did not deliver {node.op.name}", party=missing[0], step="result")
        total, *rest = (found[name] for name in sources)
        for words in rest:
            total = reconstruct(types[index], total, words)
        results[node.op.name] = total
    return results
