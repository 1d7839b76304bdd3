"""`Engine` over lanes of real workers, whatever carries them."""

from __future__ import annotations

import secrets
import threading
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, suppress
from functools import partial
from itertools import count
from types import MappingProxyType
from typing import Any, Final, Self, TypeVar, cast
from weakref import WeakValueDictionary

from icm_ray.config import EngineConfig
from icm_ray.errors import FaultError, InputError, LedgerChanged, OwnerError, SessionClosed, SourceError
from icm_ray.names import DEALER, DRIVER
from icm_ray.owner.views import merged, one_view
from icm_ray.planner.partitions import lanes_of
from icm_ray.policy import Policy
from icm_ray.program.program import Program
from icm_ray.program.stamped import RunSettings, Stamped
from icm_ray.query.row_set import AskedBefore, RowSet
from icm_ray.query.tasks import PushedSource, Source, TableInfo
from icm_ray.runtime.driver.ending import Ending
from icm_ray.runtime.driver.engine import Execution, LaneJob, More, Streamed, Table, Totals
from icm_ray.runtime.driver.first_cause import Evidence
from icm_ray.runtime.driver.gather import compare_ledgers, gather
from icm_ray.runtime.driver.handle import Handle
from icm_ray.runtime.driver.lane import Lane
from icm_ray.runtime.driver.preprocess import preprocess, slots_by_lane
from icm_ray.runtime.driver.run import run
from icm_ray.runtime.driver.stays_here import StaysHere
from icm_ray.runtime.driver.stream import stream
from icm_ray.runtime.orders import messages as say
from icm_ray.runtime.orders.jobs import Open
from icm_ray.runtime.orders.limits import transport_config
from icm_ray.runtime.orders.value_frames import END, TABLE
from icm_ray.transport import Identity, Station, TcpStation

__all__ = ["LaneEngine"]

T = TypeVar("T")
Start = Callable[[str], Handle]
"""Starts a worker, by name, without waiting for it."""
_ROUNDS: Final = 8
"""In which parties are told what others' ledgers have: two, but for what is asked meanwhile."""


class LaneEngine(StaysHere):
    """`lanes` lanes of workers that `start` makes. Raises what assembling them raises, with no worker left.

    threads: that each worker was given. leave: called when all have ended. station: where the driver opens its links;
    over TCP where it is not told. organisations: whose a member's worker is, where its name does not say so.
    """

    mock = False
    farewell = "the session was closed"
    """What whoever asks of a closed one is told."""

    def __init__(
        self,
        parties: tuple[str, ...],
        owners: tuple[str, ...],
        lanes: int,
        config: EngineConfig,
        start: Start,
        threads: int = 1,
        leave: Callable[[], None] | None = None,
        station: Station | None = None,
        organisations: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.parties, self.owners, self.lanes, self.config = parties, owners, lanes, config
        self.settings = RunSettings(config.in_flight, threads)
        self._session = secrets.token_hex(8)
        self._names, self._jobs = count(1), count(1)
        self._turn = 0  # the place of the lane that comes first in the next stream
        self.totals = Totals()
        self._counting = threading.Lock()
        self._kept: WeakValueDictionary[str, Any] = WeakValueDictionary()
        self._keeping = threading.Lock()
        self._lanes: list[Lane] = []
        self._pool = ThreadPoolExecutor(max(lanes, 1), "icm-lane")
        self._ending = Ending(self._lanes, self._pool, leave)
        self._ending.when_dropped(self)
        here = station or TcpStation(Identity.create(DRIVER), None, config.tls, transport_config(config))
        try:
            for index in range(lanes):
                handles: dict[str, Handle] = {}
                lane = Lane(self._session, index, parties, owners, handles, here, config, organisations)
                self._lanes.append(lane)
                for name in (*parties, *owners, DEALER):
                    lane.handles[name] = start(name)
            self._in_parallel([lane.assemble for lane in self._lanes])
        except BaseException:
            self.close()
            raise

    @property
    def recipient(self) -> str:
        """Who receives results where nobody is named: this process."""
        return DRIVER

    def hears(self, recipient: str) -> bool:
        """This process acts for all."""
        del recipient
        return True

    def waits(self, table: str) -> bool:
        """Nobody does: who asks here decides for all."""
        del table
        return False

    @property
    def home(self) -> object:
        """Lanes of a session are one engine's."""
        return self

    def among(self, others: Iterable[str]) -> Self:
        """A session has the parties that it was opened with."""
        del others
        return self

    def there(self) -> Self:
        """Its lanes were assembled when it was made."""
        return self

    @property
    def usable_lanes(self) -> tuple[int, ...]:
        """The lanes that live, in order: one that lost a worker takes no more part. Raises where none is left."""
        self._check_open()
        living = tuple(lane.index for lane in self._lanes if not lane.broken)
        if not living:
            self._lanes[0].usable()
        return living

    def _check_open(self) -> None:
        self._ending.check_here()
        if self._ending.closed:
            raise SessionClosed(self.farewell)

    def look(self) -> None:
        """Find out which lanes have lost a member while nothing was asked of them."""
        for lane in self._lanes:
            lane.look()

    def _open(self, lanes: Iterable[int] = ()) -> list[Lane]:
        """The lanes that live; raises where none does, or one of `lanes` does not."""
        living = self.usable_lanes
        for index in lanes:
            if not 0 <= index < self.lanes:
                raise InputError(f"lane {index} of a session with {self.lanes}")
            self._lanes[index].usable()
        return [self._lanes[index] for index in living]

    def _in_parallel(self, tasks: Sequence[Callable[[threading.Event], T]]) -> list[T]:
        """Run one task for each lane at the same time; the first error ends the other tasks, and nobody else's.

        Tasks are given what is set when they are to end soon.
        """
        stop = threading.Event()
        if len(tasks) == 1:
            return [tasks[0](stop)]
        futures: list[Future[T]] = [self._pool.submit(task, stop) for task in tasks]
        try:
            ended, _ = wait(futures, return_when=FIRST_EXCEPTION)
            failed = next((error for future in ended if (error := future.exception()) is not None), None)
            if failed is not None:
                raise failed
        except BaseException:
            stop.set()
            wait([future for future in futures if not future.cancel()])
            raise
        return [future.result() for future in futures]

    def new_name(self, prefix: str) -> str:
        """A name that this session has not used."""
        return f"{prefix}-{next(self._names)}"

    def kept(self, name: str, make: Callable[[], T]) -> T:
        """What was made under a name and is used somewhere; made now where there is none."""
        with self._keeping:
            found = self._kept.get(name)
            if found is None:
                found = self._kept[name] = make()
            return cast("T", found)

    def open_table(self, owner: str, source: Source, batches: Iterable[bytes] = ()) -> Table:
        """Open a table of `owner` in the lanes' workers; pushed partitions go to the lanes in turn.

        Raises `SourceError` naming two lanes and their nodes where the workers did not see the same files.
        """
        living = self._open()
        if owner not in self.parties + self.owners:
            raise OwnerError(f"{owner!r} is not in the session; it has {', '.join(self.parties + self.owners)}")
        name = self.new_name("table")
        if isinstance(source, PushedSource):
            info = self._push(living, owner, name, source, batches)
            return Table(name, owner, info, self._spread(living, source.partitions))

        def read(lane: Lane, stop: threading.Event) -> TableInfo:
            with lane.using(stop):
                call = lane.next_call()
                try:
                    done = lane.ask({owner: say.OpenTable(call, Open(name, source))}, call, "open")
                except SourceError as error:
                    if self.lanes == 1:
                        raise
                    raise SourceError(f"{error.message} (on {lane.place(owner)})", **error.where) from None
                return done[owner].info or TableInfo((), ())

        infos = self._in_parallel([partial(read, lane) for lane in living])
        try:
            info = one_view(infos, [lane.place(owner) for lane in living])
        except SourceError as error:
            self.forget([name])
            raise error.of_owner(owner) from None
        return Table(name, owner, info, self._spread(living, len(info.rows)))

    @staticmethod
    def _spread(living: Sequence[Lane], partitions: int) -> tuple[int, ...]:
        """The lane of every partition: living ones in turn."""
        return tuple(living[place].index for place in lanes_of(partitions, len(living)))

    def _push(
        self, living: Sequence[Lane], owner: str, name: str, source: PushedSource, batches: Iterable[bytes]
    ) -> TableInfo:
        """Stream partitions as they come, each to the worker that is to hold it."""
        mine = {lane: tuple(range(place, source.partitions, len(living))) for place, lane in enumerate(living)}
        taking = [lane for lane in living if mine[lane]]
        with ExitStack() as held:
            for lane in taking:
                held.enter_context(lane.using())
            calls = {lane: lane.next_call() for lane in taking}
            for lane in taking:
                lane.tell({owner: say.OpenTable(calls[lane], Open(name, source, mine[lane]))})
            sent: Counter[Lane] = Counter()
            try:
                self._stream(living, owner, source, batches, sent)
            except BaseException:  # the workers are told, and say that they miss some, which is not news
                for lane in taking:
                    if not lane.broken:
                        if sent[lane] < len(mine[lane]):
                            self._send(lane, owner, END)
                        with suppress(InputError):
                            lane.collect((owner,), calls[lane], "table")
                raise
            done = [lane.collect((owner,), calls[lane], "table")[owner] for lane in taking]
        return merged([item.info for item in done if item.info is not None])

    def _stream(
        self,
        living: Sequence[Lane],
        owner: str,
        source: PushedSource,
        batches: Iterable[bytes],
        sent: Counter[Lane],
    ) -> None:
        part, largest = 0, transport_config(self.config).max_message_bytes
        for part, payload in enumerate(batches, start=1):
            if part > source.partitions:
                raise InputError(f"more than the {source.partitions} partitions that were announced")
            message = TABLE + (part - 1).to_bytes(4, "big") + payload
            if len(message) > largest:
                raise InputError(
                    f"{owner}: partition {part} of {source.partitions} takes {len(message)} bytes as an Arrow stream, "
                    f"a link carries {largest} at most: open the session with partition_bytes below "
                    f"{self.config.partition_bytes}, or write the rows to a file of the owner and use read_parquet",
                    owner=owner,
                    bytes=len(message),
                    limit=largest,
                )
            lane = living[(part - 1) % len(living)]
            self._send(lane, owner, message)
            sent[lane] += 1
        if part < source.partitions:
            raise InputError(f"{part} partitions where {source.partitions} were announced")

    @staticmethod
    def _send(lane: Lane, owner: str, message: bytes) -> None:
        try:
            lane.data[owner].send_message(message)
        except FaultError as error:
            raise lane.fail(Evidence(DRIVER, error), None, "table") from error

    def execute(self, jobs: Sequence[LaneJob]) -> list[Execution]:
        """Run jobs: those of different lanes at the same time, those of one lane in order."""
        self._open(job.lane for job in jobs)
        numbers = [next(self._jobs) for _ in jobs]
        found: dict[int, Execution] = {}

        def of(lane: int, stop: threading.Event) -> None:
            for index, job in enumerate(jobs):
                if job.lane == lane:
                    found[index] = run(
                        self._lanes[lane], numbers[index], job, self.settings, stop if job.stop is None else job.stop
                    )
                    with self._counting:
                        self.totals = self.totals.plus(found[index])
                    if job.done is not None:
                        job.done()

        self._in_parallel([partial(of, lane) for lane in sorted({job.lane for job in jobs})])
        return [found[index] for index in range(len(jobs))]

    def stream(self, more: More) -> Generator[Streamed]:
        """Run jobs as they come: each lane has some at work and some that follow, given as it becomes free."""
        living = self._open()
        first = self._turn % len(living)

        def counted(lane: int) -> Sequence[LaneJob] | None:
            jobs = more(lane)
            self._turn += 1 if jobs else 0
            return jobs

        return stream(living[first:] + living[:first], counted, self.execute)

    def preprocess(self, program: Program, partitions: int) -> None:
        """Deal the randomness of `partitions` runs of a program ahead of time, spread over lanes as partitions are."""
        self._open(range(self.lanes))
        counts = slots_by_lane(program, partitions, self.parties, self.lanes)
        numbers, stamped = {lane: next(self._jobs) for lane in range(self.lanes)}, Stamped(program, self.settings)
        self._in_parallel(
            [partial(preprocess, self._lanes[lane], numbers[lane], stamped, counts[lane]) for lane in counts]
        )

    def gather(self, keys: Mapping[int, Mapping[str, tuple[int, ...]]], home: int = 0) -> None:
        """Move kept shares to a lane, each party within itself, over links that are opened when they are first needed.

        Where that fails they stay where they were.
        """
        self._open((home, *keys))
        for index, held in keys.items():
            if index != home and held:
                gather(self._lanes[index], self._lanes[home], next(self._jobs), tuple(held.items()))

    def forget(self, keys: Sequence[str]) -> None:
        """Drop kept shares, weights or tables in every lane, now or before its next call; one that was lost has none.

        No fault is raised here, where others are being raised: whoever asks next hears it.
        """
        self._check_open()
        for lane in self._lanes:
            lane.forget(keys)

    def set_policy(
        self, dataset: str, policy: Policy, tables: Sequence[str] = (), sets: tuple[RowSet, ...] = ()
    ) -> AskedBefore:
        """Tell every party's workers what may be revealed of a dataset, once. tables: where its rows are. sets: which
        row sets are known to have been asked for, whoever has gone since.

        Returns what their ledgers have of it; where some know of fewer than others they are told. Raises
        `SessionError` where workers of one member in two lanes keep two ledgers, `LedgerChanged` where other sessions
        ask all the time.
        """
        self._compare_ledgers(self.parties)
        if self.owners and policy.noise is not None and policy.noise.kind == "cell_key":
            self._compare_ledgers(self.owners)  # their secret lies there
        known: dict[RowSet, None] = {}
        for _ in range(_ROUNDS):
            told = [self._tell_policy(lane, dataset, policy, tables, tuple(known)) for lane in self._open()]
            ledgers = [theirs for lane in told for theirs in lane]
            for theirs in (*ledgers, sets):  # after theirs: the order is that of ledgers
                known.update(dict.fromkeys(theirs))
            if all(set(theirs) == set(known) for theirs in ledgers):
                return AskedBefore.of(ledgers)
        raise LedgerChanged(f"others ask about the dataset {dataset} all the time; ask again", dataset=dataset)

    def _compare_ledgers(self, names: tuple[str, ...]) -> None:
        for lane in self._open():
            if lane.index and not lane.one_ledger.issuperset(names):
                self._lanes[0].usable()
                compare_ledgers(lane, self._lanes[0], names)

    def _tell_policy(
        self, lane: Lane, dataset: str, policy: Policy, tables: Sequence[str], sets: tuple[RowSet, ...]
    ) -> list[tuple[RowSet, ...]]:
        with lane.using():
            call = lane.next_call()
            order = say.SetPolicy(call, dataset, policy, tuple(tables), sets)
            return [done.row_sets for done in lane.ask(dict.fromkeys(self.parties, order), call, "policy").values()]

    def close(self) -> None:
        """End all workers, whatever state they are in. Idempotent."""
        self._ending.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
