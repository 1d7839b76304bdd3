"""The worker of a lane as a plain class: a shell around one role, behind links.

Ray actors and benchmark processes are thin shells around it: they ask for its endpoint, let it join a lane and let it
serve. Everything after that comes over links: orders of the driver over the control link, values and answers over the
data link, shares over the links to the other members of the lane and to the same party's workers in other lanes.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from queue import Empty, SimpleQueue
from tempfile import gettempdir
from threading import Lock, Thread
from time import perf_counter
from typing import Final

from icm_ray.config import EngineConfig
from icm_ray.errors import FaultError, PeerLost, PeerSilent, ProgramError, SessionError
from icm_ray.names import DEALER, DRIVER
from icm_ray.ops.seams import Link
from icm_ray.preprocessing.directory import Directory
from icm_ray.preprocessing.disk import refusing
from icm_ray.profile import Clock
from icm_ray.program.program_cache import Programs
from icm_ray.query.tasks import PushedSource, TableInfo
from icm_ray.ring.array import RingArray
from icm_ray.runtime.orders import messages as say
from icm_ray.runtime.orders.house import HouseFacts
from icm_ray.runtime.orders.jobs import Gather, Job, Open, Report, ResultMessage
from icm_ray.runtime.orders.lane_plan import LanePlan, Place, member_of
from icm_ray.runtime.orders.limits import ORDER_BYTES, transport_config
from icm_ray.runtime.worker.ahead import load_kernels
from icm_ray.runtime.worker.core_limit import limit_cores
from icm_ray.runtime.worker.dealer import DealerRole
from icm_ray.runtime.worker.driver_link import DriverLink
from icm_ray.runtime.worker.guard import Guard
from icm_ray.runtime.worker.house import House
from icm_ray.runtime.worker.ledgers import FIRST_LANE
from icm_ray.runtime.worker.memory_limit import limit_memory, outgrown
from icm_ray.runtime.worker.mesh import Mesh
from icm_ray.runtime.worker.owner import OwnerRole
from icm_ray.runtime.worker.party import PartyRole
from icm_ray.runtime.worker.role import Role
from icm_ray.transport import Endpoint, Identity, Lease, Station, TcpStation, WatchedLink

__all__ = ["Worker"]

_FAREWELL: Final = 1.0
"""Seconds that telling a silent driver why one ends may take."""


class Worker:
    """name: the party's or owner's, or "dealer". station: where it opens its links. on_lapse: called when the driver
    was silent for the lease's limit. threads: that it keeps at work. alone: whether the process is its own, so that
    what the process allocates is what it does. house: the instance that started it for an organisation, if one did.
    """

    def __init__(
        self,
        name: str,
        config: EngineConfig,
        station: Station,
        on_lapse: Callable[[], None],
        threads: int = 1,
        alone: bool = True,
        house: House | None = None,
    ) -> None:
        self.name, self._config, self._on_lapse, self._threads = name, config, on_lapse, threads
        self._station, self._alone, self._house = station, alone, house
        self._guard = None if house is None else Guard(name, house)
        transport = transport_config(config)
        self._to_driver = replace(transport, silence=max(config.silence, config.lease))  # the lease decides
        self._mesh = Mesh(station, config)
        self._driver: DriverLink | None = None
        self._control: WatchedLink | None = None
        self._lease = Lease(config.start_timeout, on_lapse)
        self._lapsing = Lock()
        self._farewell: Thread | None = None
        self._plan: LanePlan | None = None
        self._role: Role | None = None
        self._aborted, self._ran = 0, 0
        self._programs = Programs()
        self._orders: SimpleQueue[say.Order] = SimpleQueue()
        self._verdicts: SimpleQueue[say.Commit | say.Rollback | say.Abort | say.Exit] = SimpleQueue()

    @classmethod
    def over_tcp(
        cls,
        name: str,
        config: EngineConfig,
        place: Place,
        on_lapse: Callable[[], None],
        threads: int = 1,
        house: HouseFacts | None = None,
    ) -> Worker:
        """A worker that listens at a place, under an identity made here and now; its process is its own, and has the
        memory and the cores that its instance gives it.
        """
        if house is not None:
            limit_cores(house.cores)
        if house is not None and house.memory:
            load_kernels()
            limit_memory(house.memory)
        station = TcpStation(
            Identity.create(name),
            place.host,
            config.tls,
            transport_config(config),
            ports=place.ports,
            advertise=place.advertise,
            reachable=place.listens,
        )
        known = None if house is None else House(name, house, on_lapse)
        return cls(name, config, station, on_lapse, threads, house=known)

    # --- assembly -------------------------------------------------------------------------------------------------

    def endpoint(self) -> tuple[str, str, int, bytes]:
        """Where this worker listens, and the certificate that it will show. Public."""
        return member_of(self._station.endpoint)

    def join(self, plan: LanePlan) -> None:
        """Open the links of the lane and agree on secrets. Raises `FaultError` naming the member that failed."""
        self._plan = plan
        driver = plan.endpoint(DRIVER)
        self._station.only(plan.session)
        names = [plan.driver_link(which, self.name) for which in ("data", "control")]
        dials = plan.dials(self.name, DRIVER)
        for name in names if not dials else ():
            self._station.expect(name, driver)
        if self._house is not None:
            self._house.join(plan, self._station)
        directory = self._directory(plan)
        role = self._role = self._role_in(plan)
        try:
            self._link(0)
        except FaultError:
            if directory is not None:
                directory.close()
            raise
        if directory is not None:  # every member lives: their generations are raised together, or not at all
            self._open_stock(role, directory)
        data, control = (self._station.open(driver, name, dials, self._to_driver) for name in names)
        control.set_receive_limits(0, 0)
        control.set_message_limit(ORDER_BYTES)
        limits = self._to_driver
        self._driver, self._control = DriverLink(data, limits.max_frame_bytes, limits.max_message_bytes), control
        self._lease.close()
        self._lease = Lease(self._config.lease, self._lapse)
        control.start_listening(self._ordered, self._lease.renew, self._control_lost)

    def _role_in(self, plan: LanePlan) -> Role:
        if self.name == DEALER:
            return DealerRole(self.name, self._threads)
        if self.name in plan.parties:
            return PartyRole(self.name, plan, self._config, self._threads, self._guard)
        return OwnerRole(self.name, plan, self._config, self._guard)

    def _directory(self, plan: LanePlan) -> Directory | None:
        """Where this worker's stock lies, locked; None where there is none yet."""
        if self._config.stock is None or self.name in plan.owners:
            return None
        root = Path(self._config.stock)
        with refusing(self.name, root):
            return Directory.at(root, plan.lane, self.name)

    def _open_stock(self, role: Role, directory: Directory) -> None:
        with refusing(self.name, directory.path):
            role.open_stock(directory)

    def _link(self, generation: int) -> None:
        """(Re)open the lane's links."""
        plan, role = self._joined()
        self._mesh.open(plan, generation)
        role.link(self._mesh.seams(), self._mesh.secrets)

    def _joined(self) -> tuple[LanePlan, Role]:
        if self._plan is None or self._role is None:
            raise SessionError(f"worker {self.name} has not joined a lane")
        return self._plan, self._role

    # --- a driver that is silent, or gone -------------------------------------------------------------------------

    def _control_lost(self, error: FaultError) -> None:
        if isinstance(error, PeerSilent):  # the link counts as long as the lease does
            self._lapse()
        else:
            self._on_lapse()

    def _lapse(self) -> None:
        """Leave a word for the driver, who may be held up and come back; then end, whether it could be sent or not."""
        with self._lapsing:  # the lease and the control link's silence may end it at the same moment: one word, whole
            if self._farewell is None:
                self._farewell = Thread(target=self._say_farewell, name="icm-farewell", daemon=True)
                self._farewell.start()
        self._farewell.join(_FAREWELL)
        self._on_lapse()

    def _say_farewell(self) -> None:
        lease = self._config.lease
        why = f"it ended itself: the driver was silent for longer than its lease of {lease:g} s (lease=, ICM_LEASE)"
        driver = self._to_driver_link()
        with suppress(FaultError):
            driver.say(say.failed(0, PeerSilent(why, party=DRIVER), self.name))
            driver.close()

    # --- orders ---------------------------------------------------------------------------------------------------

    def _ordered(self, message: bytes) -> None:
        """In the control link's own thread: a run can be ended while it waits."""
        order = say.decode_order(message)
        if isinstance(order, say.Commit | say.Rollback | say.Abort):
            if isinstance(order, say.Abort):
                self._aborted = order.call
                self._mesh.cut()
            self._verdicts.put(order)
        else:
            self._orders.put(order)

    def serve(self) -> None:
        """Carry out orders, one after the other, until told to exit."""
        while not isinstance(order := self._orders.get(), say.Exit):
            _, role = self._joined()  # orders come after that; actors serve before it
            if isinstance(order, say.Commit | say.Rollback | say.Abort):
                continue
            if self._aborted and self._aborted == self._ran:
                role.undo()  # this member had ended the run, others had not
            self._ran = order.call if isinstance(order, say.Run | say.GatherShares) else 0
            answer: say.Answer | None
            try:
                answer = self._carry_out(order, role)
            except Exception as error:  # noqa: BLE001 - whatever it was, the driver must hear of it
                answer = self._told(say.failed(order.call, self._named(error), self.name))
            try:
                if answer is not None:
                    self._to_driver_link().say(answer)
            except FaultError:
                continue  # the driver is gone: the control link or the lease ends this worker
            role.settle()

    def _named(self, error: Exception) -> Exception:
        """An error; one of memory by the limit that it met."""
        return error if self._house is None else outgrown(error, self.name, self._house.memory)

    def _told(self, failed: say.Failed) -> say.Failed:
        """What the driver hears of a failure."""
        return failed if self._house is None else self._house.discreet(failed)

    def stop(self) -> None:
        """Let `serve` return soon, as an order to exit would. For any thread."""
        self._verdicts.put(say.Exit())
        self._orders.put(say.Exit())

    def _carry_out(
        self,
        order: say.Run
        | say.Preprocess
        | say.GiveUp
        | say.Relink
        | say.OpenTable
        | say.SetPolicy
        | say.LinkLanes
        | say.GatherShares
        | say.CompareLedgers
        | say.Forget,
        role: Role,
    ) -> say.Answer | None:
        match order:
            case say.Run(call, job):
                return self._run(call, job, role)
            case say.Preprocess(call, job, count):
                return self._preprocess(call, job, count, role)
            case say.GiveUp(call, program):
                if role.stock is not None:
                    with self._refusing_disk(role):
                        role.stock.give_up(program)
            case say.OpenTable(call, table):
                return say.Done(call, info=self._open_table(table, role))
            case say.SetPolicy(call, dataset, policy, tables, sets):
                return say.Done(call, row_sets=role.set_policy(dataset, policy, tables, sets))
            case say.LinkLanes(call, lane, home, generation, peer):
                plan, _ = self._joined()
                if peer[0] != self.name or lane == home or plan.lane not in (lane, home):
                    raise ProgramError(f"{self.name} refuses: a party's link between lanes leads to its own worker")
                if self._guard is not None:
                    peer = self._guard.own(home if plan.lane == lane else lane, peer)
                self._mesh.open_lanes(plan, (lane, home), generation, Endpoint(*peer))
            case say.GatherShares(call, gather):
                self._gather(gather, role)
            case say.CompareLedgers(call, lane, home):
                if home != FIRST_LANE:
                    raise ProgramError(f"{self.name} keeps its ledger in lane {FIRST_LANE}")
                role.compare_ledgers(self._between(lane, home), self._joined()[0].lane == home)
            case say.Forget(call, keys):
                role.forget(keys)
            case say.Relink(call, generation):
                self._link(generation)
        return say.Done(order.call)

    def _to_driver_link(self) -> DriverLink:
        if self._driver is None:
            raise SessionError(f"worker {self.name} has not joined a lane")
        return self._driver

    # --- what takes the driver's word in the middle ---------------------------------------------------------------

    def _run(self, call: int, job: Job, role: Role) -> say.Answer | None:
        """Prepare, say so, wait for the driver's word, run. Bad input and bad programs show before the word."""
        driver = self._to_driver_link()
        given = driver.take_given(job, self.name)
        stamped = self._programs.stamped(job.program, job.settings)
        inputs = role.prepare(stamped.program, job, given)
        driver.say(say.Prepared(call))
        if not self._may_go(call):
            return None
        clock = Clock() if job.profile else None
        started, traced = perf_counter(), job.trace and self._alone
        if traced:
            tracemalloc.start()
        try:
            with clock.running() if clock is not None else nullcontext():
                with self._refusing_disk(role):
                    outcome = role.play(stamped, job, inputs)
                delivered = self._give_results(job, outcome.results)
            peak = tracemalloc.get_traced_memory()[1] if traced else 0
        finally:
            if traced:
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
            delivered,
        )
        return say.Done(call, report)

    def _give_results(self, job: Job, results: Mapping[str, RingArray]) -> int:
        """To the driver; what is for an organisation that the driver is not of goes to its instance, whose number for
        it this is.
        """
        if results and self._guard is not None and self._house is not None and not self._house.mine:
            return self._guard.results.deliver(results)
        for name, words in results.items():
            self._to_driver_link().say(ResultMessage(job.job, name, words.shape, words.tobytes()))
        return 0

    def _refusing_disk(self, role: Role) -> AbstractContextManager[None]:
        return nullcontext() if role.stock is None else refusing(self.name, role.stock.path)

    def _preprocess(self, call: int, job: Job, count: int, role: Role) -> say.Answer | None:
        """Put slots on disk, say so, wait for the driver's word, let them count."""
        if self._house is not None:
            raise ProgramError(
                f"{self.name} refuses: an instance keeps no randomness for whoever asks", party=self.name
            )
        stamped = self._programs.stamped(job.program, job.settings)
        if role.stock is None:
            with refusing(self.name, Path(gettempdir())):
                directory = Directory.private()
            self._open_stock(role, directory)
        if role.stock is None:
            raise SessionError(f"{self.name} has no stock")
        with self._refusing_disk(role):
            try:
                batch = role.preprocess(stamped, job, count)
                self._to_driver_link().say(say.Prepared(call))
                if not self._may_go(call):
                    return None
                role.stock.add(batch)
            finally:
                role.stock.sweep()
        return say.Done(call)

    def _may_go(self, call: int) -> bool:
        while True:
            try:
                verdict = self._verdicts.get(timeout=self._config.job_timeout)
            except Empty:
                raise PeerSilent("the driver said neither go nor stop", party=DRIVER, step="begin") from None
            if isinstance(verdict, say.Exit):
                self._verdicts.put(verdict)
                raise PeerLost("the worker was ended", party=self.name, step="begin")
            if verdict.call == call:
                if isinstance(verdict, say.Abort):
                    raise PeerLost("the run was ended by the driver", party=DRIVER, step="begin")
                return isinstance(verdict, say.Commit)

    # --- tables and kept shares -----------------------------------------------------------------------------------

    def _open_table(self, order: Open, role: Role) -> TableInfo:
        """Open a table; returns its public facts. Pushed tables are read from the driver's link here."""
        count = len(order.mine) if isinstance(order.source, PushedSource) else 0
        pushed = self._to_driver_link().pushed(count)
        try:
            return role.open_table(order, pushed)
        finally:
            for _ in pushed:  # what is still to come, after a table that cannot be read, is taken off the link
                continue

    def _gather(self, order: Gather, role: Role) -> None:
        """Send, or take in the lane `home`, this party's own kept shares, over this party's own link."""
        role.gather(order, self._between(order.lane, order.home), self._joined()[0].lane == order.home)

    def _between(self, lane: int, home: int) -> Link:
        link = self._mesh.between((lane, home))
        if link is None:
            raise ProgramError(f"{self.name} has no link from lane {lane} to lane {home}")
        return link

    def close(self) -> None:
        """End the links, the listener and the lease. Idempotent."""
        self._lease.close()
        self._mesh.close()
        for link in (self._driver, self._control, self._house):
            if link is not None:
                link.close()
        self._station.close()
        if self._role is not None:
            self._role.close()
