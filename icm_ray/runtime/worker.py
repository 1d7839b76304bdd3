"""The worker of a lane as a plain class: a party, the dealer or an outside owner, behind links.

Ray actors and benchmark processes are thin shells around it. Its methods take and return public data alone: endpoints,
programs, tasks, counts. Values come and go over the links: to the other members of the lane, to the same party's worker
in the first lane, and to the driver.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from icm_ray.config import EngineConfig
from icm_ray.dealer.dealer import Dealer
from icm_ray.errors import FaultError, ProgramError, SessionError
from icm_ray.ops.seams import Address, Frame, Link
from icm_ray.owner.sharing import OutsideOwner
from icm_ray.owner.tables import Tables
from icm_ray.owner.tasks import Given, InputTask, PushedSource, TableInfo
from icm_ray.party.party import Outcome, Party
from icm_ray.party.policy import Policy
from icm_ray.program.program import decode_program
from icm_ray.protocols.edges import DRIVER
from icm_ray.runtime.jobs import Gather, Job, Open, Report, ResultMessage
from icm_ray.transport import Endpoint, Identity, Lease, Listener, TcpLink, TransportConfig, agree, open_link

__all__ = ["DEALER", "DRIVER", "LanePlan", "Worker"]

DEALER = "dealer"
_GIVEN = b"given"
_TABLE = b"table"


class LanePlan(msgspec.Struct, frozen=True):
    """Who is in a lane and where each listens: (name, host, port, certificate). All public."""

    session: str
    lane: int
    parties: tuple[str, ...]
    owners: tuple[str, ...]
    members: tuple[tuple[str, str, int, bytes], ...]
    driver: tuple[str, str, int, bytes]

    def endpoint(self, name: str) -> Endpoint:
        for member in (*self.members, self.driver):
            if member[0] == name:
                return Endpoint(*member)
        raise SessionError(f"{name} is not in lane {self.lane}")

    def link_name(self, a: str, b: str) -> str:
        return f"{self.session}/{self.lane}/{min(a, b)}-{max(a, b)}"


class Worker:
    """name: the party's or owner's, or "dealer". on_lapse: called when the driver was not heard for the lease's limit."""

    def __init__(self, name: str, config: EngineConfig, host: str, on_lapse: Callable[[], None]) -> None:
        self.name, self._config, self._on_lapse = name, config, on_lapse
        self._transport = TransportConfig(heartbeat=config.heartbeat, silence=config.silence, message_timeout=config.job_timeout)
        self._identity = Identity.create(name)
        self._listener = Listener(self._identity, host=host, tls=config.tls, config=self._transport)
        self._links: dict[str, TcpLink] = {}
        self._driver: TcpLink | None = None
        self._control: TcpLink | None = None
        self._homes: dict[int, TcpLink] = {}
        self._lease = Lease(config.start_timeout, on_lapse)
        self._plan: LanePlan | None = None
        self._party: Party | None = None
        self._dealer: Dealer | None = None
        self._outside: OutsideOwner | None = None
        self._tables = Tables()

    # --- assembly -------------------------------------------------------------------------------------------------

    def endpoint(self) -> tuple[str, str, int, bytes]:
        """Where this worker listens, and the certificate that it will show. Public."""
        endpoint = self._listener.endpoint
        return endpoint.name, endpoint.host, endpoint.port, endpoint.certificate

    def join(self, plan: LanePlan) -> None:
        """Open the links of the lane and agree on secrets. Raises `FaultError` naming the member that failed."""
        self._plan = plan
        driver = plan.endpoint(DRIVER)
        names = {which: f"{plan.session}/{plan.lane}/driver-{which}-{self.name}" for which in ("data", "control")}
        peers = sorted(member[0] for member in plan.members if member[0] != self.name)
        if self.name not in plan.parties and self.name != DEALER:  # outside owners see parties and the dealer alone
            peers = [peer for peer in peers if peer in plan.parties or peer == DEALER]
        for name in names.values():
            self._listener.expect(name, driver)
        for peer in peers:
            if peer < self.name:
                self._listener.expect(plan.link_name(self.name, peer), plan.endpoint(peer))
        for peer in peers:
            self._links[peer] = self._open(plan.endpoint(peer), plan.link_name(self.name, peer), self.name < peer)
        secrets = {peer: agree(self._links[peer], self.name < peer) for peer in peers}
        self._driver = self._open(driver, names["data"], initiator=False)
        self._control = self._open(driver, names["control"], initiator=False)
        self._lease.close()
        self._lease = Lease(self._config.lease, self._on_lapse)
        self._control.start_listening(self._controlled, self._lease.renew, lambda _: self._on_lapse())
        links: dict[str, Link] = dict(self._links)
        if self.name == DEALER:
            self._dealer = Dealer(links, secrets)
            return
        dealer, dealer_secret = links.pop(DEALER), secrets.pop(DEALER)
        if self.name in plan.parties:
            self._party = Party(self.name, links, dealer, secrets, dealer_secret)
        else:
            self._outside = OutsideOwner(self.name, links, dealer, secrets)

    def _open(self, peer: Endpoint, name: str, initiator: bool) -> TcpLink:
        return open_link(self._identity, self._listener, peer, name, initiator, self._transport, self._config.tls)

    def _controlled(self, message: bytes) -> None:
        if message == b"exit":
            self._on_lapse()

    def join_home(self, lane: int, peer: tuple[str, str, int, bytes], initiator: bool) -> None:
        """Open the link between this party's worker in the first lane and that in `lane`; shares are gathered over it."""
        plan = self._joined()
        self._homes[lane] = self._open(Endpoint(*peer), f"{plan.session}/home-{lane}-{self.name}", initiator)

    def _joined(self) -> LanePlan:
        if self._plan is None:
            raise SessionError(f"worker {self.name} has not joined a lane")
        return self._plan

    # --- work -----------------------------------------------------------------------------------------------------

    def set_policy(self, dataset: str, policy: Policy) -> None:
        """What this party lets be revealed; checked here, by its own worker, before it contributes."""
        if self._party is None:
            raise SessionError(f"{self.name} is no party")
        self._party.policies[dataset] = policy

    def open_table(self, order: Open) -> TableInfo:
        """Open a table; returns its public facts. Pushed tables are read from the driver's link here."""
        if not isinstance(order.source, PushedSource):
            return self._tables.open(order.table, order.source)
        return self._tables.receive(order.table, order.source.partitions, (self._pushed() for _ in order.mine))

    def _pushed(self) -> tuple[int, bytes]:
        message = self._message(_TABLE)
        return int.from_bytes(message[:4], "big"), message[4:]

    def execute(self, job: Job) -> Report:
        """This worker's part of one run; revealed values go to the driver over its link."""
        started = perf_counter()
        program = decode_program(job.program)
        if self._dealer is not None:
            attempt = self._dealer.run(program, job.job, job.partition)
            return Report(attempt=attempt, seconds=perf_counter() - started)
        inputs = {name: self._input(task) for name, task in job.tasks.get(self.name, {}).items()}
        if self._party is not None:
            outcome = self._party.run(program, job.job, job.partition, inputs)
        elif self._outside is not None:
            outcome = Outcome(results=self._outside.run(program, job.job, job.partition, inputs))
        else:
            raise SessionError(f"worker {self.name} has not joined a lane")
        self._deliver(job.job, outcome.results)
        return Report(
            outcome.attempt, outcome.rounds, outcome.sent_bytes, outcome.dealt_bytes, perf_counter() - started
        )

    def _input(self, task: InputTask) -> NDArray[np.uint64]:
        if isinstance(task, Given):
            shape, words = msgspec.msgpack.decode(self._message(_GIVEN), type=tuple[tuple[int, ...], bytes])
            return np.frombuffer(words, np.uint64).reshape(shape)
        return self._tables.make(task)

    def _message(self, kind: bytes) -> bytes:
        """The next thing that the driver sends for this owner; messages come in the order in which they are asked for."""
        if self._driver is None:
            raise SessionError(f"worker {self.name} has not joined a lane")
        message = self._driver.receive_message()
        if not message.startswith(kind):
            raise ProgramError(f"the driver sent something else than {kind.decode()}")
        return message[len(kind) :]

    def _deliver(self, job: int, results: Mapping[str, NDArray[Any]]) -> None:
        if self._driver is None:
            raise SessionError(f"worker {self.name} has not joined a lane")
        for name, words in results.items():
            message = ResultMessage(job, name, words.shape, words.tobytes())
            self._driver.send_message(msgspec.msgpack.encode(message))

    def gather(self, order: Gather) -> None:
        """Send (in a later lane) or take (in the first) this party's own kept shares, over this party's own link."""
        plan = self._joined()
        if self._party is None:
            raise SessionError(f"{self.name} is no party")
        link = self._homes[order.lane]
        address = Address(order.job, bytes(16), order.lane, 0)
        for step, (key, shape) in enumerate(order.keys):
            if plan.lane == order.lane:
                link.send(Frame(address, step), (np.ascontiguousarray(self._party.store.pop(key)),))
            else:
                words = np.empty(shape, np.uint64)
                link.receive(Frame(address, step), (words,))
                self._party.store[key] = words

    def forget(self, keys: tuple[str, ...]) -> None:
        """Drop what is kept under keys, shares, weights or tables."""
        for key in keys:
            self._tables.close(key)
            if self._party is not None:
                self._party.store.pop(key, None)
            if self._dealer is not None:
                self._dealer.forget(key)

    def close(self) -> None:
        """End the links, the listener and the lease. Idempotent."""
        self._lease.close()
        for link in (*self._links.values(), *self._homes.values(), self._driver, self._control):
            if link is not None:
                try:
                    link.close()
                except FaultError:
                    continue
        self._listener.close()
