"""A lane inside one process: every worker a thread, links in memory. For tests, and to try things out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any, Self

from icm_ray.config import EngineConfig, from_environment
from icm_ray.dealer.dealer import Dealer
from icm_ray.errors import InputError, OwnerError, SessionClosed, SessionError, StockMismatch
from icm_ray.names import DEALER, DRIVER
from icm_ray.owner.sharing import OutsideOwner
from icm_ray.owner.tables import Tables
from icm_ray.owner.views import merged
from icm_ray.party.party import Observer, Party, RunResult
from icm_ray.policy import Policy
from icm_ray.preprocessing.directory import Directory
from icm_ray.preprocessing.ledger import Batch
from icm_ray.preprocessing.stock import DealerStock, PartyStock
from icm_ray.profile import Clock
from icm_ray.program.program import Program, decode_program, encode_program
from icm_ray.protocols.io import reconstruct
from icm_ray.query.tasks import PushedSource, Source
from icm_ray.ring.array import RingArray
from icm_ray.runtime.driver.engine import Execution, LaneJob, Table, Totals
from icm_ray.runtime.driver.preprocess import slots_by_lane
from icm_ray.transport import Transcript, TransportConfig, derive_pair_secret, memory_links

__all__ = ["ThreadEngine", "ThreadLane"]


class ThreadLane:
    """Parties, owners and a dealer as threads; closes its links at the end of the `with` block.

    stock: where prepared randomness is kept, and the lane's number there; None for temporary directories. threads: that
    each party and the dealer keep at work.
    """

    def __init__(
        self,
        parties: tuple[str, ...],
        owners: tuple[str, ...] = (),
        transcript: Transcript | None = None,
        timeout: float = 60.0,
        stock: tuple[Path, int] | None = None,
        threads: int = 1,
    ) -> None:
        names = (*parties, *owners, DEALER)
        self.parties, self.owners = parties, owners
        self._links = memory_links(names, TransportConfig(message_timeout=timeout), transcript)
        self._jobs = 0
        secrets = self._agree(names)
        mine = {name: {peer: secret for peer, secret in secrets[name].items() if peer != DEALER} for name in names}
        self.members = {
            name: Party(
                name, self._links[name], self._links[name][DEALER], mine[name], secrets[name][DEALER], None, threads
            )
            for name in parties
        }
        self.outsiders = {
            name: OutsideOwner(name, self._links[name], self._links[name][DEALER], mine[name]) for name in owners
        }
        self.dealer = Dealer(dict(self._links[DEALER]), secrets[DEALER], threads=threads)
        if stock is not None:
            self._open_stock(lambda name: Directory.at(*stock, name))

    def _open_stock(self, directory: Callable[[str], Directory]) -> None:
        found: dict[str, Directory] = {}
        try:
            for name in (*self.parties, DEALER):
                found[name] = directory(name)
        except SessionError:
            for locked in found.values():
                locked.close()
            raise
        self.dealer.stock = DealerStock(found[DEALER], DEALER)
        for name, member in self.members.items():
            member.stock = PartyStock(found[name], name)

    def preprocess(self, program: Program, count: int) -> None:
        """Deal the randomness of `count` runs of a program ahead of time."""
        if self.dealer.stock is None:
            self._open_stock(lambda _: Directory.private())
        self._jobs += 1
        job, payload = self._jobs, encode_program(program)
        members: tuple[Dealer | Party, ...] = (self.dealer, *self.members.values())

        def one(member: Dealer | Party) -> Batch:
            return member.preprocess(decode_program(payload), job, count)

        batches = self._in_parallel([partial(one, member) for member in members])
        for stock, batch in zip(self._stocks(), batches, strict=True):
            stock.add(batch)

    def _give_up(self, program: bytes) -> None:
        for stock in self._stocks():
            stock.give_up(program)

    def _stocks(self) -> list[DealerStock | PartyStock]:
        found = [self.dealer.stock, *(member.stock for member in self.members.values())]
        return [stock for stock in found if stock is not None]

    def _agree(self, names: tuple[str, ...]) -> dict[str, dict[str, bytes]]:
        def one(name: str) -> dict[str, bytes]:
            return {
                peer: derive_pair_secret(self._links[name][peer], name < peer) for peer in sorted(self._links[name])
            }

        return dict(zip(names, self._in_parallel([partial(one, name) for name in names]), strict=True))

    def run(
        self,
        program: Program,
        inputs: Mapping[str, Mapping[str, RingArray]] | None = None,
        partition: int = 0,
        observe: Mapping[str, Observer] | None = None,
        clocks: Mapping[str, Clock] | None = None,
    ) -> dict[str, RunResult]:
        """Run once; `inputs`: by owner, by name. Returns every party's outcome, and that of each outside owner.

        clocks: by member (the dealer's name is "dealer"), what measures what that member spends its time on.
        """
        self._jobs += 1
        job, payload = self._jobs, encode_program(program)
        brought, watched = inputs or {}, observe or {}

        def timed(name: str) -> AbstractContextManager[None]:
            return clocks[name].running() if clocks is not None else nullcontext()

        def party(name: str) -> RunResult:
            own, received = self.members[name], decode_program(payload)
            with timed(name):
                return own.run(received, job, partition, brought.get(name), watched.get(name))

        def outsider(name: str) -> RunResult:
            own, received = self.outsiders[name], decode_program(payload)
            with timed(name):
                return RunResult(results=own.run(received, job, partition, brought.get(name, {})))

        def dealer() -> int:
            received = decode_program(payload)
            with timed(DEALER):
                return self.dealer.run(received, job, partition)

        tasks: list[Callable[[], Any]] = [dealer]
        tasks += [partial(party, name) for name in self.parties]
        tasks += [partial(outsider, name) for name in program.owners]
        try:
            _, *outcomes = self._in_parallel(tasks)
        except StockMismatch:
            self._give_up(program.digest)
            raise
        finally:
            for member in self.members.values():
                member.settle()
        return dict(zip((*self.parties, *program.owners), outcomes, strict=True))

    def counters(self, name: str, peer: str) -> int:
        """Payload bytes that `name` sent to `peer` so far."""
        return self._links[name][peer].counters.sent_bytes

    def _in_parallel(self, tasks: list[Callable[[], Any]]) -> list[Any]:
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
        for stock in self._stocks():
            stock.close()

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
        threads: int = 1,
    ) -> None:
        self.parties, self.owners, self.lanes, self.threads = parties, owners, lanes, threads
        self.config = config or from_environment()
        root = self.config.stock
        stocks = [None if root is None else (Path(root), lane) for lane in range(lanes)]
        self._lanes = [ThreadLane(parties, owners, stock=stock, threads=threads) for stock in stocks]
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
        info = merged([held.info(name) for held in tables if held.has(name)])
        return Table(name, owner, info, lanes)

    def execute(self, jobs: Sequence[LaneJob]) -> list[Execution]:
        self._open()
        executions = [self._execute(job) for job in jobs]
        for execution in executions:
            self.totals = self.totals.plus(execution)
        return executions

    def _execute(self, job: LaneJob) -> Execution:
        started = perf_counter()
        inputs: dict[str, dict[str, RingArray]] = {owner: dict(given) for owner, given in job.given.items()}
        for owner, tasks in job.tasks.items():
            for name, task in tasks.items():
                try:
                    inputs.setdefault(owner, {})[name] = self._tables[owner][job.lane].make(task)
                except InputError as error:
                    raise error.of_owner(owner) from None
        members = (*job.program.parties, *job.program.owners, DEALER)
        clocks = {name: Clock() for name in members} if job.profile else None
        outcomes = self._lanes[job.lane].run(job.program, inputs, job.partition, clocks=clocks)
        results: dict[str, RingArray] = {}
        types = job.program.types()
        for index, node in enumerate(job.program.nodes):
            if getattr(node.op, "to", None) is None:
                continue
            op: Any = node.op
            sources = self.parties if op.to == DRIVER else (op.to,)
            total, *rest = (outcomes[source].results[op.name] for source in sources)
            for words in rest:
                total = reconstruct(types[index], total, words)
            results[op.name] = total
        own = [outcomes[name] for name in self.parties]
        sent, dealt = sum(outcome.sent_bytes for outcome in own), sum(outcome.dealt_bytes for outcome in own)
        spent = {name: clock.spent() for name, clock in (clocks or {}).items()}
        preprocessed = all(outcome.preprocessed for outcome in own)
        return Execution(
            results, own[0].rounds, sent, dealt, perf_counter() - started, spent, preprocessed=preprocessed
        )

    def preprocess(self, program: Program, partitions: int) -> None:
        self._open()
        for lane, count in slots_by_lane(program, partitions, self.parties, self.lanes).items():
            self._lanes[lane].preprocess(program, count)

    def gather(self, keys: Mapping[int, Mapping[str, tuple[int, ...]]]) -> None:
        self._open()
        for lane, held in keys.items():
            for key in held:
                for name in self.parties:
                    mine, first = self._lanes[lane].members[name], self._lanes[0].members[name]
                    if lane:
                        first.store[key], first.labels[key] = mine.store.pop(key), mine.labels.pop(key, ())

    def forget(self, keys: Sequence[str]) -> None:
        for lane in self._lanes:
            for key in keys:
                for member in lane.members.values():
                    member.forget(key)
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
