"""A lane inside one process: every worker a thread, links in memory. For tests, and to try things out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial
from time import perf_counter
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from icm_ray.config import EngineConfig, from_environment
from icm_ray.dealer.dealer import Dealer
from icm_ray.errors import InputError, OwnerError, SessionClosed
from icm_ray.owner.sharing import OutsideOwner
from icm_ray.owner.tables import Tables
from icm_ray.owner.tasks import PushedSource, Source
from icm_ray.party.party import Observer, Outcome, Party
from icm_ray.party.policy import Policy
from icm_ray.program.program import Program, decode_program, encode_program
from icm_ray.protocols.edges import DRIVER, combine
from icm_ray.runtime.engine import Execution, LaneJob, Table, Totals
from icm_ray.transport import Transcript, TransportConfig, agree, memory_links

__all__ = ["ThreadEngine", "ThreadLane"]

Ring = NDArray[np.uint64]
_DEALER = "dealer"


class ThreadLane:
    """Parties, owners and a dealer as threads; closes its links at the end of the `with` block."""

    def __init__(
        self,
        parties: tuple[str, ...],
        owners: tuple[str, ...] = (),
        transcript: Transcript | None = None,
        timeout: float = 60.0,
    ) -> None:
        names = (*parties, *owners, _DEALER)
        self.parties, self.owners = parties, owners
        self._links = memory_links(names, TransportConfig(message_timeout=timeout), transcript)
        self._jobs = 0
        secrets = self._agree(names)
        mine = {name: {peer: secret for peer, secret in secrets[name].items() if peer != _DEALER} for name in names}
        self.members = {
            name: Party(name, self._links[name], self._links[name][_DEALER], mine[name], secrets[name][_DEALER])
            for name in parties
        }
        self.outsiders = {
            name: OutsideOwner(name, self._links[name], self._links[name][_DEALER], mine[name]) for name in owners
        }
        self.dealer = Dealer(dict(self._links[_DEALER]), secrets[_DEALER])

    def _agree(self, names: tuple[str, ...]) -> dict[str, dict[str, bytes]]:
        def one(name: str) -> dict[str, bytes]:
            return {peer: agree(self._links[name][peer], name < peer) for peer in sorted(self._links[name])}

        return dict(zip(names, self._together([partial(one, name) for name in names]), strict=True))

    def run(
        self,
        program: Program,
        inputs: Mapping[str, Mapping[str, Ring]] | None = None,
        partition: int = 0,
        observe: Mapping[str, Observer] | None = None,
    ) -> dict[str, Outcome]:
        """Run once; `inputs`: by owner, by name. Returns every party's outcome, and that of each outside owner."""
        self._jobs += 1
        job, payload = self._jobs, encode_program(program)
        brought, watched = inputs or {}, observe or {}

        def party(name: str) -> Outcome:
            own = self.members[name]
            return own.run(decode_program(payload), job, partition, brought.get(name), watched.get(name))

        def outsider(name: str) -> Outcome:
            results = self.outsiders[name].run(decode_program(payload), job, partition, brought.get(name, {}))
            return Outcome(results=results)

        tasks: list[Callable[[], Any]] = [lambda: self.dealer.run(decode_program(payload), job, partition)]
        tasks += [partial(party, name) for name in self.parties]
        tasks += [partial(outsider, name) for name in program.owners]
        _, *outcomes = self._together(tasks)
        return dict(zip((*self.parties, *program.owners), outcomes, strict=True))

    def counters(self, name: str, peer: str) -> int:
        """Payload bytes that `name` sent to `peer` so far."""
        return self._links[name][peer].counters.sent_bytes

    def _together(self, tasks: list[Callable[[], Any]]) -> list[Any]:
        with ThreadPoolExecutor(len(tasks)) as pool:
            futures = [pool.submit(task) for task in tasks]
            wait(futures, return_when="FIRST_EXCEPTION")
            failed = next((future.exception() for future in futures if future.done() and future.exception()), None)
            if failed is not None:
                self.close()  # whoever still waits is woken
                raise failed
            return [future.result() for future in futures]

    def close(self) -> None:
        for links in self._links.values():
            for link in links.values():
                link.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class ThreadEngine:
    """`Engine` over `ThreadLane`s: the whole path of a session without sockets, processes or Ray."""

    def __init__(
        self,
        parties: tuple[str, ...] = ("alice", "bob"),
        owners: tuple[str, ...] = (),
        lanes: int = 1,
        config: EngineConfig | None = None,
    ) -> None:
        self.parties, self.owners, self.lanes = parties, owners, lanes
        self.config = config or from_environment()
        self._lanes = [ThreadLane(parties, owners) for _ in range(lanes)]
        self._tables = {name: [Tables() for _ in range(lanes)] for name in (*parties, *owners)}
        self._names = 0
        self._closed = False
        self.totals = Totals()

    def _open(self) -> None:
        if self._closed:
            raise SessionClosed("the session was closed")

    def new_name(self, prefix: str) -> str:
        self._names += 1
        return f"{prefix}-{self._names}"

    def open_table(self, owner: str, source: Source, batches: Iterable[bytes] = ()) -> Table:
        self._open()
        if owner not in self._tables:
            raise OwnerError(f"{owner!r} is not in the session; it has {', '.join(self._tables)}")
        name, tables = self.new_name("table"), self._tables[owner]
        if not isinstance(source, PushedSource):
            infos = [held.open(name, source) for held in tables]
            lanes = tuple(part % self.lanes for part in range(len(infos[0].rows)))
            return Table(name, owner, infos[0], lanes)
        lanes = tuple(part % self.lanes for part in range(source.partitions))
        payloads = list(batches)
        for lane, held in enumerate(tables):
            mine = [part for part in range(source.partitions) if lanes[part] == lane]
            held.receive(name, source.partitions, ((part, payloads[part]) for part in mine))
        info = Tables.merged([held.info(name) for held in tables if held.has(name)])
        return Table(name, owner, info, lanes)

    def execute(self, jobs: Sequence[LaneJob]) -> list[Execution]:
        self._open()
        executions = [self._execute(job) for job in jobs]
        for execution in executions:
            self.totals = self.totals.plus(execution)
        return executions

    def _execute(self, job: LaneJob) -> Execution:
        started = perf_counter()
        inputs: dict[str, dict[str, Ring]] = {owner: dict(given) for owner, given in job.given.items()}
        for owner, tasks in job.tasks.items():
            for name, task in tasks.items():
                try:
                    inputs.setdefault(owner, {})[name] = self._tables[owner][job.lane].make(task)
                except InputError as error:
                    raise error.of_owner(owner) from None
        outcomes = self._lanes[job.lane].run(job.program, inputs, job.partition)
        results: dict[str, Ring] = {}
        types = job.program.types()
        for index, node in enumerate(job.program.nodes):
            if getattr(node.op, "to", None) is None:
                continue
            op: Any = node.op
            sources = self.parties if op.to == DRIVER else (op.to,)
            total, *rest = (outcomes[source].results[op.name] for source in sources)
            for words in rest:
                total = combine(types[index], total, words)
            results[op.name] = total
        members = [outcomes[name] for name in self.parties]
        sent = sum(outcome.sent_bytes for outcome in members)
        dealt = sum(outcome.dealt_bytes for outcome in members)
        return Execution(results, members[0].rounds, sent, dealt, perf_counter() - started)

    def gather(self, keys: Mapping[int, Mapping[str, tuple[int, ...]]]) -> None:
        self._open()
        for lane, held in keys.items():
            for key in held:
                for name in self.parties:
                    store = self._lanes[lane].members[name].store
                    self._lanes[0].members[name].store[key] = store.pop(key) if lane else store[key]

    def forget(self, keys: Sequence[str]) -> None:
        for lane in self._lanes:
            for key in keys:
                for member in lane.members.values():
                    member.store.pop(key, None)
                lane.dealer.forget(key)

    def set_policy(self, dataset: str, policy: Policy) -> None:
        for lane in self._lanes:
            for member in lane.members.values():
                member.policies[dataset] = policy

    def close(self) -> None:
        self._closed = True
        for lane in self._lanes:
            lane.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
