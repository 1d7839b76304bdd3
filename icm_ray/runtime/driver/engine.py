"""What analytics asks of a running engine, whatever carries its lanes: threads, processes or Ray actors."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Event
from typing import Protocol, Self, TypeAlias, TypeVar, runtime_checkable

from icm_ray.config import EngineConfig
from icm_ray.errors import IcmError
from icm_ray.policy import Policy
from icm_ray.program.program import Program
from icm_ray.program.stamped import RunSettings
from icm_ray.query.row_set import AskedBefore, RowSet
from icm_ray.query.tasks import InputTask, Source, TableInfo
from icm_ray.ring.array import RingArray
from icm_ray.runtime.orders.origins import Free, Origin

__all__ = ["Engine", "Execution", "LaneJob", "More", "Streamed", "Table", "Totals"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Table:
    """An opened table of one owner: its public facts, and the lane whose worker holds (or reads) each partition."""

    name: str
    owner: str
    info: TableInfo
    lanes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class LaneJob:
    """One run of a program on one lane.

    tasks: by owner, by input name, how the owner's worker makes the input. given: by owner, by input name, ring
    elements that this process brings for the owner (their tasks are filled in); they go over the owner's link and
    nowhere else. profile: whether the members measure what they spend their time on (`icm_ray.profile`).
    trace: whether they count what the run allocates, which makes it slower. origin: what program and tasks follow
    from: each member that contributes derives them from it, and refuses others. done: called once it has run, in a
    thread of its lane. stop: set by whoever wants it, and nobody else's job, to end soon. elsewhere: a recipient whose
    results go to its own organisation, and are not heard here.
    """

    lane: int
    program: Program
    partition: int = 0
    tasks: Mapping[str, Mapping[str, InputTask]] = field(default_factory=dict)
    given: Mapping[str, Mapping[str, RingArray]] = field(default_factory=dict)
    trace: bool = False
    profile: bool = False
    origin: Origin = field(default_factory=Free)
    done: Callable[[], None] | None = field(default=None, compare=False)
    stop: Event | None = field(default=None, compare=False)
    elsewhere: str = ""


@dataclass(frozen=True, slots=True)
class Execution:
    """What a run revealed, put together: ring elements by the name of the reveal (wide numbers: limbs on the last
    axis).

    rounds, bytes sent by all parties, bytes from the dealer, seconds: as the workers counted them. spent: seconds by
    member (the dealer's name is "dealer"), by part, which add up to the member's own seconds; empty where the job asked
    for no profile. peaks: the most that a traced run allocated at a time, bytes by member. preprocessed:
    whether the randomness was dealt ahead of time, by `Engine.preprocess`. delivered: the number that results have at
    the organisation `LaneJob.elsewhere`; 0: there were none for it.
    """

    results: dict[str, RingArray]
    rounds: int = 0
    sent_bytes: int = 0
    dealt_bytes: int = 0
    seconds: float = 0.0
    spent: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    peaks: Mapping[str, int] = field(default_factory=dict)
    preprocessed: bool = False
    delivered: int = 0


@dataclass(frozen=True, slots=True)
class Streamed:
    """Jobs that a stream gave to one lane, and what became of them: executions in their order, or why one failed."""

    jobs: tuple[LaneJob, ...]
    done: tuple[Execution, ...] = ()
    error: IcmError | None = None


More: TypeAlias = Callable[[int], Sequence[LaneJob] | None]
"""The next jobs for a lane, run one after the other. None: there are none now; empty: none for this lane, ever."""


@dataclass(frozen=True, slots=True)
class Totals:
    """What all runs of an engine took so far, added up: rounds, bytes of all parties, dealer's bytes, seconds of
    runs.
    """

    rounds: int = 0
    sent_bytes: int = 0
    dealt_bytes: int = 0
    seconds: float = 0.0

    def plus(self, execution: Execution) -> Totals:
        """With one more run."""
        return Totals(
            self.rounds + execution.rounds,
            self.sent_bytes + execution.sent_bytes,
            self.dealt_bytes + execution.dealt_bytes,
            self.seconds + execution.seconds,
        )

    def since(self, before: Totals) -> Totals:
        """The difference to an earlier reading."""
        return Totals(
            self.rounds - before.rounds,
            self.sent_bytes - before.sent_bytes,
            self.dealt_bytes - before.dealt_bytes,
            self.seconds - before.seconds,
        )


@runtime_checkable
class Engine(Protocol):
    """A session's lanes. Every method raises `SessionClosed` after close, and `FaultError` when a worker fails."""

    parties: tuple[str, ...]
    owners: tuple[str, ...]
    """Owners that are no party."""
    lanes: int
    config: EngineConfig
    settings: RunSettings
    """Stamped on every program that is run: what `config` allows in flight, and the threads that each worker has."""
    mock: bool
    """Whether rows are invented ones, in the place of others: results say so."""
    totals: Totals
    """Grows with every run that ended well."""

    @property
    def recipient(self) -> str:
        """Who receives results where nobody is named."""

    def hears(self, recipient: str) -> bool:
        """Whether results for a recipient come to this process; those of others go to their own organisation."""

    def waits(self, table: str) -> bool:
        """Whether a person of another organisation approves each question about the rows of a table."""

    @property
    def home(self) -> object:
        """What engines of one connection with an organisation's instance have in common; of others nothing is."""

    def among(self, others: Iterable[str]) -> Self:
        """The lanes of the same connection with these other organisations. Errors: those of assembling them."""

    def there(self) -> Engine:
        """Itself; of lanes that could not be assembled before, those that are now. Errors: those of assembling them."""

    @property
    def usable_lanes(self) -> tuple[int, ...]:
        """The lanes that live: one that lost a worker takes no more part, the others go on."""

    def new_name(self, prefix: str) -> str:
        """A name that this session has not used: for tables, kept shares, weights."""

    def kept(self, name: str, make: Callable[[], T]) -> T:
        """What was made under a name and is used somewhere; made now where there is none."""

    def open_table(self, owner: str, source: Source, batches: Iterable[bytes] = ()) -> Table:
        """Open a table of `owner`; for a pushed source `batches` are Arrow IPC streams, one a partition, taken one
        by one.
        """

    def execute(self, jobs: Sequence[LaneJob]) -> list[Execution]:
        """Run jobs: those of different lanes at the same time, those of one lane in order. Results in the jobs'
        order.
        """

    def stream(self, more: More) -> Generator[Streamed]:
        """Run jobs as they come: each lane has some at work and some that follow, given as it becomes free.

        `more` is called here, in the caller's thread. Results come in the order in which they are ready; a failure is
        told in its place and ends nothing. It ends where nothing runs and `more` has None; leaving it earlier
        interrupts what still runs. The first lane is another one in each stream.
        """

    def preprocess(self, program: Program, partitions: int) -> None:
        """Deal the randomness of `partitions` runs of a program ahead of time, spread over lanes as partitions are.

        Each run of exactly this program on a lane takes one of the lane's, until there are none left; then the dealer
        deals as it runs. A run that fails has used its own up. Raises `ProgramError` for a program that loads a weight,
        or uses one that is not loaded.
        """

    def gather(self, keys: Mapping[int, Mapping[str, tuple[int, ...]]], home: int = 0) -> None:
        """Move kept shares (by lane: key to shape of words) to the lane `home`, each party within itself. Where that
        fails they stay where they were.
        """

    def forget(self, keys: Sequence[str]) -> None:
        """Drop kept shares, weights or tables in every lane."""

    def set_policy(
        self, dataset: str, policy: Policy, tables: Sequence[str] = (), sets: tuple[RowSet, ...] = ()
    ) -> AskedBefore:
        """Tell every party's workers what may be revealed of a dataset, once. tables: where its rows are. sets: which
        row sets are known to have been asked for, whoever has gone since.

        Returns what their ledgers have of it.
        """
