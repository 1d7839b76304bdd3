"""The worker of a lane as a plain class: a party, the dealer or an outside owner, behind links.

Ray actors and benchmark processes are thin shells around it: they ask for its endpoint, let it join a lane and let it
serve. Everything after that comes over links: orders of the driver over the control link, values and answers over the
data link, shares over the links to the other members of the lane and to the same party's worker in the first lane.
"""

from __future__ import annotations

import math
import tracemalloc
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from queue import Empty, SimpleQueue
from tempfile import gettempdir
from time import perf_counter

import msgspec
import numpy as np

from icm_ray.config import EngineConfig
from icm_ray.dealer.dealer import Dealer
from icm_ray.errors import (
    Desynchronised,
    FaultError,
    InputError,
    PeerLost,
    PeerSilent,
    ProgramError,
    SessionError,
    ShapeError,
)
from icm_ray.names import DEALER, DRIVER
from icm_ray.ops.linear import Input, Load
from icm_ray.ops.seams import Address, Frame, Link
from icm_ray.owner.sharing import OutsideOwner
from icm_ray.owner.tables import Tables
from icm_ray.party.party import Party, RunResult
from icm_ray.party.policy import check_policy
from icm_ray.payload import Shape, decode
from icm_ray.preprocessing.directory import Directory
from icm_ray.preprocessing.disk import refusing
from icm_ray.preprocessing.stock import DealerStock, PartyStock
from icm_ray.profile import Clock
from icm_ray.program.program import Program
from icm_ray.program.program_cache import Programs
from icm_ray.protocols.io import array_shape
from icm_ray.query.tasks import Given, PushedSource, TableInfo
from icm_ray.ring.array import RingArray
from icm_ray.runtime.orders import messages as say
from icm_ray.runtime.orders.jobs import Gather, Job, Open, Report, ResultMessage
from icm_ray.runtime.orders.lane_plan import LanePlan
from icm_ray.runtime.orders.limits import transport_config
from icm_ray.runtime.orders.value_frames import END, GIVEN, TABLE, given_frame
from icm_ray.runtime.worker.mesh import Mesh
from icm_ray.transport import Endpoint, Identity, Lease, Listener, TcpLink

__all__ = ["Worker"]

_SHAPES: msgspec.msgpack.Decoder[tuple[int, ...]] = msgspec.msgpack.Decoder(Shape)


class Worker:
    """name: the party's or owner's, or "dealer". on_lapse: called when the driver was silent for the lease's limit.
    threads: that it keeps at work.
    """

    def __init__(
        self, name: str, config: EngineConfig, host: str, on_lapse: Callable[[], None], threads: int = 1
    ) -> None:
        self.name, self._config, self._on_lapse, self._threads = name, config, on_lapse, threads
        transport = transport_config(config)
        self._to_driver = replace(transport, silence=max(config.silence, config.lease))  # the lease decides
        identity = Identity.create(name)
        self._listener = Listener(identity, host=host, tls=config.tls, config=transport)
        self._mesh = Mesh(identity, self._listener, transport, config)
        self._driver: TcpLink | None = None
        self._control: TcpLink | None = None
        self._first_lane_links: dict[int, TcpLink] = {}
        self._lease = Lease(config.start_timeout, on_lapse)
        self._plan: LanePlan | None = None
        self._party: Party | None = None
        self._dealer: Dealer | None = None
        self._dealt_over: dict[str, Link] = {}
        self._outside: OutsideOwner | None = None
        self._stock: PartyStock | DealerStock | None = None
        self._tables = Tables(config.partition_bytes)
        self._programs = Programs()
        self._orders: SimpleQueue[say.Order] = SimpleQueue()
        self._verdicts: SimpleQueue[say.Commit | say.Rollback | say.Abort] = SimpleQueue()

    # --- assembly -------------------------------------------------------------------------------------------------

    def endpoint(self) -> tuple[str, str, int, bytes]:
        """Where this worker listens, and the certificate that it will show. Public."""
        endpoint = self._listener.endpoint
        return endpoint.name, endpoint.host, endpoint.port, endpoint.certificate

    def join(self, plan: LanePlan) -> None:
        """Open the links of the lane and agree on secrets. Raises `FaultError` naming the member that failed."""
        self._plan = plan
        driver = plan.endpoint(DRIVER)
        self._listener.only(plan.session)
        names = [plan.driver_link(which, self.name) for which in ("data", "control")]
        for name in names:
            self._listener.expect(name, driver)
        directory = self._directory(plan)
        self._link(0)
        if directory is not None:  # every member lives: their generations are raised together, or not at all
            self._open_stock(directory)
        self._driver, self._control = (self._mesh.dial(driver, name, False, self._to_driver) for name in names)
        self._lease.close()
        self._lease = Lease(self._config.lease, self._on_lapse)
        self._control.start_listening(self._ordered, self._lease.renew, lambda _: self._on_lapse())

    def _directory(self, plan: LanePlan) -> Directory | None:
        """Where this worker's stock lies, locked; None where there is none yet."""
        if self._config.stock is None or self.name in plan.owners:
            return None
        root = Path(self._config.stock)
        with refusing(self.name, root):
            return Directory.at(root, plan.lane, self.name)

    def _open_stock(self, directory: Directory) -> None:
        with refusing(self.name, directory.path):
            if self._dealer is not None:
                self._stock = self._dealer.stock = DealerStock(directory, self.name)
            elif self._party is not None:
                self._stock = self._party.stock = PartyStock(directory, self.name)

    def _link(self, generation: int) -> None:
        """(Re)open the lane's links. A dealer counts its attempts on, and keeps what it dealt; a party its shares."""
        plan = self._joined()
        self._mesh.open(plan, generation)
        links = self._mesh.seams()
        secrets = self._mesh.secrets
        if self.name == DEALER:
            self._dealt_over.update(links)
            self._dealer = self._dealer or Dealer(self._dealt_over, secrets, threads=self._threads)
            return
        dealer, others = links.pop(DEALER), {peer: secrets[peer] for peer in links}
        if self.name in plan.parties:
            before = self._party
            self._party = Party(self.name, links, dealer, others, secrets[DEALER], threads=self._threads)
            if before is not None:
                self._party.store, self._party.policies = before.store, before.policies
                self._party.stock = before.stock
        else:
            self._outside = OutsideOwner(self.name, links, dealer, others)

    def _joined(self) -> LanePlan:
        if self._plan is None:
            raise SessionError(f"worker {self.name} has not joined a lane")
        return self._plan

    # --- orders ---------------------------------------------------------------------------------------------------

    def _ordered(self, message: bytes) -> None:
        """In the control link's own thread: a run can be ended while it waits."""
        order = say.decode_order(message)
        if isinstance(order, say.Commit | say.Rollback | say.Abort):
            if isinstance(order, say.Abort):
                self._mesh.cut()
            self._verdicts.put(order)
        else:
            self._orders.put(order)

    def serve(self) -> None:
        """Carry out orders, one after the other, until told to exit."""
        while not isinstance(order := self._orders.get(), say.Exit):
            if isinstance(order, say.Commit | say.Rollback | say.Abort):
                continue
            answer: say.Answer | None
            try:
                answer = self._carry_out(order)
            except Exception as error:  # noqa: BLE001 - whatever it was, the driver must hear of it
                answer = say.failed(order.call, error, self.name)
            try:
                if answer is not None:
                    self._say(answer)
            except FaultError:
                continue  # the driver is gone: the control link or the lease ends this worker
            if self._party is not None:
                self._party.settle()

    def _carry_out(
        self,
        order: say.Run
        | say.Preprocess
        | say.GiveUp
        | say.Relink
        | say.OpenTable
        | say.SetPolicy
        | say.LinkToFirstLane
        | say.GatherShares
        | say.Forget,
    ) -> say.Answer | None:
        match order:
            case say.Run(call, job):
                return self._run(call, job)
            case say.Preprocess(call, job, count):
                return self._prepare(call, job, count)
            case say.GiveUp(call, program):
                if self._stock is not None:
                    with self._refusing_disk():
                        self._stock.give_up(program)
            case say.OpenTable(call, table):
                return say.Done(call, info=self._open_table(table))
            case say.SetPolicy(call, dataset, policy):
                self._as_party().policies[dataset] = policy
            case say.LinkToFirstLane(call, lane, peer, initiator):
                name = f"{self._joined().session}/home-{lane}-{self.name}"
                self._first_lane_links[lane] = self._mesh.dial(Endpoint(*peer), name, initiator)
            case say.GatherShares(call, gather):
                self._gather(gather)
            case say.Forget(call, keys):
                self._forget(keys)
            case say.Relink(call, generation):
                self._link(generation)
        return say.Done(order.call)

    def _say(self, answer: say.Answer) -> None:
        self._to_and_fro().send_message(say.encode(answer))

    def _to_and_fro(self) -> TcpLink:
        if self._driver is None:
            raise SessionError(f"worker {self.name} has not joined a lane")
        return self._driver

    def _as_party(self) -> Party:
        if self._party is None:
            raise SessionError(f"{self.name} is no party")
        return self._party

    # --- a run ----------------------------------------------------------------------------------------------------

    def _run(self, call: int, job: Job) -> say.Answer | None:
        """Prepare, say so, wait for the driver's word, run. Bad input and bad programs show before the word."""
        given = self._take_given(job)
        program = self._programs.decoded(job.program)
        self._check(program)
        inputs = self._inputs(program, job, given)
        self._say(say.Prepared(call))
        if not self._may_go(call):
            return None
        clock = Clock() if job.profile else None
        started = perf_counter()
        if job.trace:
            tracemalloc.start()
        try:
            with clock.running() if clock is not None else nullcontext():
                with self._refusing_disk():
                    outcome = self._play(program, job, inputs)
                for name, words in outcome.results.items():
                    self._say(ResultMessage(job.job, name, words.shape, words.tobytes()))
            peak = tracemalloc.get_traced_memory()[1] if job.trace else 0
        finally:
            if job.trace:
                tracemalloc.stop()
        report = Report(
            outcome.attempt,
            outcome.rounds,
            outcome.sent_bytes,
            outcome.dealt_bytes,
            perf_counter() - started,
            clock.spent() if clock is not None else {},
            peak,
            outcome.preprocessed,
        )
        return say.Done(call, report)

    def _play(self, program: Program, job: Job, inputs: Mapping[str, RingArray]) -> RunResult:
        if self._dealer is not None:
            return RunResult(attempt=self._dealer.run(program, job.job, job.partition))
        if self._party is not None:
            return self._party.run(program, job.job, job.partition, inputs)
        if self._outside is not None:
            return RunResult(results=self._outside.run(program, job.job, job.partition, inputs))
        raise SessionError(f"worker {self.name} has not joined a lane")

    def _refusing_disk(self) -> AbstractContextManager[None]:
        return nullcontext() if self._stock is None else refusing(self.name, self._stock.path)

    def _prepare(self, call: int, job: Job, count: int) -> say.Answer | None:
        """Put slots on disk, say so, wait for the driver's word, let them count."""
        program, member = self._programs.decoded(job.program), self._dealer or self._as_party()
        if self._stock is None:
            with refusing(self.name, Path(gettempdir())):
                directory = Directory.private()
            self._open_stock(directory)
        if self._stock is None:
            raise SessionError(f"{self.name} has no stock")
        with refusing(self.name, self._stock.path):
            try:
                batch = member.preprocess(program, job.job, count)
                self._say(say.Prepared(call))
                if not self._may_go(call):
                    return None
                self._stock.add(batch)
            finally:
                self._stock.sweep()
        return say.Done(call)

    def _check(self, program: Program) -> None:
        """What would stop this worker in the middle is said before the others begin."""
        if self._party is None:
            return
        if program.parties != self._joined().parties:
            raise ProgramError(f"a program for {program.parties} in a lane of {self._joined().parties}")
        check_policy(program, self._party.policies, self.name)
        for node in program.nodes:
            if isinstance(node.op, Load) and node.op.key not in self._party.store:
                raise ProgramError(f"{self.name} keeps nothing under {node.op.key}")

    def _inputs(self, program: Program, job: Job, given: dict[str, RingArray]) -> dict[str, RingArray]:
        for name, task in job.tasks.get(self.name, {}).items():
            if not isinstance(task, Given):
                given[name] = self._tables.make(task)
        for node, kind in zip(program.nodes, program.types(), strict=True):
            if not isinstance(node.op, Input) or node.op.owner != self.name:
                continue
            if node.op.name not in given:
                raise ProgramError(f"{self.name} has no input {node.op.name}")
            if given[node.op.name].shape != array_shape(kind):
                raise ShapeError(
                    f"{self.name}'s input {node.op.name} has shape {given[node.op.name].shape}, "
                    f"the program has {array_shape(kind)}"
                )
        return given

    def _take_given(self, job: Job) -> dict[str, RingArray]:
        """Arrays that the driver sends for this owner: taken off the link first, so that nothing stays on it."""
        names = [name for name, task in job.tasks.get(self.name, {}).items() if isinstance(task, Given)]
        arrays: dict[str, RingArray] = {}
        for step, name in enumerate(names):
            shape = decode(self._message(GIVEN), _SHAPES, "the shape of an array", DRIVER)
            if math.prod(shape) * 8 > self._to_driver.max_frame_bytes:
                raise Desynchronised(f"an array of shape {shape} was announced", party=DRIVER, step="input")
            arrays[name] = np.empty(shape, np.uint64)
            self._to_and_fro().receive(given_frame(job, step), (arrays[name].reshape(-1),))
        return arrays

    def _may_go(self, call: int) -> bool:
        while True:
            try:
                verdict = self._verdicts.get(timeout=self._config.job_timeout)
            except Empty:
                raise PeerSilent("the driver said neither go nor stop", party=DRIVER, step="begin") from None
            if verdict.call == call:
                if isinstance(verdict, say.Abort):
                    raise PeerLost("the run was ended by the driver", party=DRIVER, step="begin")
                return isinstance(verdict, say.Commit)

    # --- tables and kept shares -----------------------------------------------------------------------------------

    def _open_table(self, order: Open) -> TableInfo:
        """Open a table; returns its public facts. Pushed tables are read from the driver's link here."""
        if not isinstance(order.source, PushedSource):
            return self._tables.open(order.table, order.source)
        pushed = self._pushed(len(order.mine))
        try:
            return self._tables.receive(order.table, order.source.partitions, pushed)
        finally:
            for _ in pushed:  # what is still to come, after a table that cannot be read, is taken off the link
                continue

    def _pushed(self, count: int) -> Iterator[tuple[int, bytes]]:
        left = count
        while left:
            message = self._to_and_fro().receive_message()
            left -= 1
            if message == END:
                raise InputError("the table ended before its last partition")
            if not message.startswith(TABLE):
                raise ProgramError("the driver sent something else than a table")
            body = message[len(TABLE) :]
            yield int.from_bytes(body[:4], "big"), body[4:]

    def _message(self, kind: bytes) -> bytes:
        message = self._to_and_fro().receive_message()
        if not message.startswith(kind):
            raise ProgramError(f"the driver sent something else than {kind.decode()}")
        return message[len(kind) :]

    def _gather(self, order: Gather) -> None:
        """Send (in a later lane) or take (in the first) this party's own kept shares, over this party's own link."""
        store = self._as_party().store
        link = self._first_lane_links[order.lane]
        address = Address(order.job, bytes(16), order.lane, 0)
        for step, (key, shape) in enumerate(order.keys):
            if self._joined().lane == order.lane:
                link.send(Frame(address, step), (np.ascontiguousarray(store.pop(key)),))
            else:
                words = np.empty(shape, np.uint64)
                link.receive(Frame(address, step), (words,))
                store[key] = words

    def _forget(self, keys: tuple[str, ...]) -> None:
        for key in keys:
            self._tables.close(key)
            if self._party is not None:
                self._party.forget(key)
            if self._dealer is not None:
                self._dealer.forget(key)

    def close(self) -> None:
        """End the links, the listener and the lease. Idempotent."""
        self._lease.close()
        self._mesh.close()
        for link in (*self._first_lane_links.values(), self._driver, self._control):
            if link is not None:
                link.close()
        self._listener.close()
        if self._stock is not None:
            self._stock.close()
