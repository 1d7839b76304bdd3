"""Lanes that are not there, for an organisation that should take part is away: what catalogues said is enough to state
a question, to explain it and to request it. Nothing runs here, and owners derive all that they decide on themselves.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, cast

from icm_ray.config import EngineConfig
from icm_ray.errors import FaultError
from icm_ray.instance.of_organisation import OfOrganisation, connected
from icm_ray.policy import Policy
from icm_ray.program.program import Program
from icm_ray.program.stamped import RunSettings
from icm_ray.query.row_set import AskedBefore, RowSet
from icm_ray.query.tasks import Source, TableInfo
from icm_ray.runtime.driver.checked_names import checked_names
from icm_ray.runtime.driver.engine import Execution, LaneJob, More, Streamed, Table, Totals
from icm_ray.runtime.driver.stays_here import StaysHere

if TYPE_CHECKING:
    from icm_ray.instance.catalogue import PublicDataset
    from icm_ray.instance.engine import Organisation, OrganisationEngine
    from icm_ray.instance.mock_engine import MockEngines

__all__ = ["AwayEngine"]

T = TypeVar("T")
_Wider = Callable[[tuple[str, ...]], "OrganisationEngine | AwayEngine"]


class AwayEngine(OfOrganisation, StaysHere):
    """`Engine` of an organisation, `own`, and `others`, of whom some cannot be reached. why: what says so. wider: of
    whoever made it, lanes with others, as far as they are there; None once that is gone. assemble: lanes with these.
    """

    mock = False
    owners: tuple[str, ...] = ()
    lanes = 1

    def __init__(
        self,
        own: Organisation,
        others: Sequence[str],
        config: EngineConfig,
        why: FaultError,
        mocks: MockEngines,
        wider: Callable[[], _Wider | None],
        assemble: Callable[[], Callable[[tuple[str, ...]], OrganisationEngine] | None],
    ) -> None:
        self.parties, _ = checked_names((own.name, *others), ())
        self.config, self.settings, self.totals = config, RunSettings(config.in_flight, 1), Totals()
        self.mocks = mocks
        self.held: dict[str, tuple[str, PublicDataset]] = {}
        """By table: the owner, and what its catalogue said of the dataset."""
        self._own, self._why, self._wider, self._assemble = own, why, wider, assemble
        self._names, self._kept = count(1), dict[str, Any]()
        self._keeping, self._session = threading.Lock(), secrets.token_hex(8)

    def there(self) -> OrganisationEngine:
        """The lanes themselves. Errors: what keeps them from being assembled now."""
        return connected(self._assemble)(self.parties[1:])

    def new_name(self, prefix: str) -> str:
        """A name that nothing else has here."""
        return f"{prefix}-{next(self._names)}"

    def kept(self, name: str, make: Callable[[], T]) -> T:
        """What was made under a name; made now where there is none."""
        with self._keeping:
            if name not in self._kept:
                self._kept[name] = make()
            return cast("T", self._kept[name])

    def open_held(self, owner: str, public: PublicDataset) -> Table:
        """A dataset of a catalogue, as one partition."""
        table = Table(self.new_name("table"), owner, TableInfo(public.columns, (public.rows,)), (0,))
        self.held[table.name] = owner, public
        return table

    def set_policy(
        self, dataset: str, policy: Policy, tables: Sequence[str] = (), sets: tuple[RowSet, ...] = ()
    ) -> AskedBefore:
        """Nobody is told, and no ledger is known: whoever is asked says what his has."""
        del dataset, policy, tables, sets
        return AskedBefore()

    def forget(self, keys: Sequence[str]) -> None:
        """Nobody has any of it."""

    def execute(self, jobs: Sequence[LaneJob]) -> list[Execution]:
        """Nothing, of nothing. Errors: who is away."""
        return self._away() if jobs else []

    @property
    def usable_lanes(self) -> tuple[int, ...]:
        """Errors: who is away."""
        self._away()

    def open_table(self, owner: str, source: Source, batches: Iterable[bytes] = ()) -> Table:
        """Errors: who is away."""
        self._away()

    def stream(self, more: More) -> Generator[Streamed]:
        """Errors: who is away."""
        self._away()

    def preprocess(self, program: Program, partitions: int) -> None:
        """Errors: who is away."""
        self._away()

    def gather(self, keys: Mapping[int, Mapping[str, tuple[int, ...]]], home: int = 0) -> None:
        """Errors: who is away."""
        self._away()

    def _away(self) -> NoReturn:
        raise type(self._why)(self._why.message, **self._why.where)
