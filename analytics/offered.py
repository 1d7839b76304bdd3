"""Rows that organisations offer: their workers open them when something is asked about them, and not before."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Self, cast

from analytics.dataset import Dataset, pool_of
from analytics.frame import SecureFrame
from analytics.meant import Meant
from analytics.sharing import share, sharings_of
from analytics.source_checks import check_columns, frame_of
from icm_ray.config import EngineConfig
from icm_ray.errors import IcmError, InputError
from icm_ray.instance.away_engine import AwayEngine
from icm_ray.instance.catalogue import PublicDataset
from icm_ray.instance.engine import OrganisationEngine
from icm_ray.instance.mock_engine import MockEngine
from icm_ray.query.expressions.tree import Of, apply
from icm_ray.query.owner_rows import OwnerRows, OwnerTable
from icm_ray.query.pool import Pool, PooledRows, pooled
from icm_ray.query.question import SharedColumn
from icm_ray.query.secret_rows import SecretRows
from icm_ray.query.selection import SelectedRows, Selection
from icm_ray.query.sharing import secret_rows

__all__ = ["Lanes", "OfferedMeant", "OfferedRows", "OfferedShares", "Opens", "offered_frame", "opened_in"]


Opens = Callable[[OrganisationEngine | AwayEngine], list[Dataset]]


@dataclass(frozen=True, slots=True)
class Lanes:
    """Of a connection, which is `home`: the lanes with other organisations, and those in this process with the same
    parties, for mock rows, for which nobody is asked. me: the own organisation. config: of these lanes. open: what is
    opened in lanes with others, which are assembled anew where they turn out to be lost; where some are away it is
    stated as catalogues have it, for requests.
    """

    home: object
    me: str
    config: EngineConfig
    open: Callable[[tuple[str, ...], Opens], list[Dataset]]
    mocks: Callable[[tuple[str, ...]], MockEngine]


class _Offered(ABC):
    """What follows from catalogues alone until it is asked about: its dataset is opened then."""

    facts: OwnerRows | SecretRows

    def __init__(self, lanes: Lanes) -> None:
        self.lanes = lanes
        self._there: Dataset | None = None
        self._elsewhere: dict[object, Self] = {}
        self._lock, self._forgotten = threading.Lock(), False

    @property
    def home(self) -> object:
        """What rows of one connection have in common."""
        return self.lanes.home

    @property
    def dataset(self) -> Dataset:
        """As workers have opened it. Errors: what lanes and workers raise; the next time they are asked again."""
        with self._lock:
            self._check_kept()
            if self._there is None:
                self._there = self._open()
            return self._there

    @abstractmethod
    def _open(self) -> Dataset:
        """Ask the workers."""

    def _in(self, place: object, make: Callable[[], Self]) -> Self:
        """The same in other lanes."""
        with self._lock:
            self._check_kept()
            if place not in self._elsewhere:
                self._elsewhere[place] = make()
            return self._elsewhere[place]

    def _check_kept(self) -> None:
        """The lock is held."""
        if self._forgotten:
            raise InputError("the frame's rows were forgotten; read (or share) them again")

    def forget(self) -> None:
        """Let workers drop the rows, where they have opened them."""
        with self._lock:
            self._forgotten = True
            opened, elsewhere = self._there, [*self._elsewhere.values()]
        if opened is not None:
            for one in opened.bases:
                one.forget()
        for other in elsewhere:
            other.forget()


class OfferedRows(_Offered):
    """Rows of one or several datasets in catalogues, one below the other. held: of each the owner, and what its
    catalogue says. others: who takes part beside the own organisation; None: their owners. facts: what the catalogues
    say, in names that no question has.

    Errors: those of `pooled`.
    """

    facts: OwnerRows

    def __init__(
        self, held: Sequence[tuple[str, PublicDataset]], lanes: Lanes, others: tuple[str, ...] | None = None
    ) -> None:
        super().__init__(lanes)
        self.held = tuple(held)
        self._others = self._besides(owner for owner, _ in held) if others is None else others
        self.facts = _stated(self.held)

    def _open(self) -> Dataset:
        def opens(engine: OrganisationEngine | AwayEngine) -> list[Dataset]:
            return [opened_in(engine, owner, public) for owner, public in self.held]

        found = self.lanes.open(self._others, opens)
        return found[0] if len(found) == 1 else pool_of(found)

    def among(self, organisations: Iterable[str]) -> OfferedRows:
        """The same rows in the lanes of these."""
        others = self._besides(organisations)
        if others == self._others:
            return self
        return self._in(others, lambda: OfferedRows(self.held, self.lanes, others))

    def _besides(self, organisations: Iterable[str]) -> tuple[str, ...]:
        return tuple(sorted({*organisations} - {self.lanes.me}))

    def mock_lanes(self) -> MockEngine:
        """Those in this process."""
        return self.lanes.mocks(self._others)


class OfferedShares(_Offered):
    """Shares of rows in catalogues that are made for one question at a time, once it was approved: until one is asked,
    no worker has opened the rows. Errors: those of `secret_rows` and `pooled`.
    """

    facts: SecretRows

    def __init__(self, rows: OfferedRows, columns: tuple[SharedColumn, ...], where: Of | None) -> None:
        super().__init__(rows.lanes)
        self._rows, self._columns, self._where = rows, columns, where
        self.facts = _shares_stated(rows, columns, where)

    def _open(self) -> Dataset:
        return share(self._rows.dataset, self._columns, self._where)

    def among(self, organisations: Iterable[str]) -> OfferedShares:
        """The same in the lanes of these."""
        rows = self._rows.among(organisations)
        if rows is self._rows:
            return self
        return self._in(rows, lambda: OfferedShares(rows, self._columns, self._where))


class OfferedMeant(Meant):
    """Rows of datasets in catalogues that no worker has opened yet, or shares of them; or those that are meant."""

    __slots__ = ("rows",)
    rows: OfferedRows | OfferedShares

    def __init__(self, rows: OfferedRows | OfferedShares, where: Of | None = None) -> None:
        object.__setattr__(self, "where", where)
        object.__setattr__(self, "rows", rows)

    @property
    def dataset(self) -> Dataset:
        """As workers have opened it. Errors: as of `OfferedRows.dataset`."""
        return self.rows.dataset

    @property
    def dataset_facts(self) -> OwnerRows | SecretRows:
        """What the catalogues say of it."""
        return self.rows.facts

    @property
    def mock(self) -> bool:
        """Rows in catalogues are not invented."""
        return False

    @property
    def origin(self) -> object:
        """What columns that are computed with one another have in common."""
        return self.rows

    def chosen(self, condition: Of) -> OfferedMeant:
        """Those of these rows where a condition is true as well. Errors: `ColumnError` (no condition)."""
        where = condition if self.where is None else apply("and", (self.where, condition))
        SelectedRows(Selection(self.dataset_facts.name, where), self.dataset_facts)  # refuses what is no condition
        return OfferedMeant(self.rows, where)

    @property
    def home(self) -> object:
        """What rows of one connection have in common."""
        return self.rows.home

    def among(self, others: Iterable[str]) -> OfferedMeant:
        """The same rows in lanes with these organisations."""
        return OfferedMeant(self.rows.among(others), self.where)

    def above(self, others: Sequence[Meant]) -> Meant:
        """As of other rows; where no worker has to be asked, none is."""
        sources = [meant.rows for meant in (self, *others) if isinstance(meant, OfferedMeant)]
        rows = [one for one in sources if isinstance(one, OfferedRows)]
        if len(rows) <= len(others) or any(one.home is not self.home for one in rows):
            return super().above(others)
        return OfferedMeant(OfferedRows([held for one in rows for held in one.held], rows[0].lanes), self.where)

    def shares(self, columns: tuple[SharedColumn, ...]) -> Meant:
        """As of other rows; where nothing is shared before a question is asked, no worker has to be asked, either."""
        if not isinstance(self.rows, OfferedRows) or not any(public.waits for _, public in self.rows.held):
            return super().shares(columns)
        shares = OfferedShares(self.rows, columns, self.where)
        return OfferedMeant(shares, shares.facts.where)

    def forget(self) -> None:
        """Let workers drop the rows, where they have opened them."""
        self.rows.forget()


def offered_frame(owner: str, public: PublicDataset, lanes: Lanes) -> SecureFrame:
    """A frame of a dataset in a catalogue."""
    rows = OfferedRows([(owner, public)], lanes)
    return SecureFrame(OfferedMeant(rows), {info.name: info.name for info in rows.facts.columns if info.kind})


def opened_in(engine: OrganisationEngine | AwayEngine, owner: str, public: PublicDataset) -> Dataset:
    """A dataset of a catalogue, as its owner's workers in these lanes have opened it; where somebody is away, as the
    catalogue says. Errors: what they raise.
    """
    table = engine.open_held(owner, public)
    again = partial(opened_in, owner=owner, public=public)
    try:
        return frame_of(engine, {owner: table}, None, public.policy, again).meant.dataset
    except IcmError:
        engine.forget([table.name])
        del engine.held[table.name]
        raise


def _stated(held: Sequence[tuple[str, PublicDataset]]) -> OwnerRows:
    """The facts of these datasets, each as one partition. Errors: those of `pooled`."""
    found = []
    for owner, public in held:
        name, columns = f"{owner}.{public.name}", check_columns({owner: public.columns}, {owner: public.rows})
        found.append(OwnerRows(name, columns, (OwnerTable(name, owner, (public.rows,), (0,)),), policy=public.policy))
    if len(found) == 1:
        return found[0]
    return cast("OwnerRows", pooled(Pool(tuple(one.name for one in found)), found))


def _shares_stated(rows: OfferedRows, columns: tuple[SharedColumn, ...], where: Of | None) -> SecretRows:
    """The facts of shares of them. Errors: those of `secret_rows` and `pooled`."""
    whole, numbers = rows.facts, count(1)
    parts = {part.name: part for part in (whole.parts if isinstance(whole, PooledRows) else (whole,))}
    made = sharings_of(whole, columns, where, rows.lanes.config, lambda: f"shares {next(numbers)} of {whole.name}")
    found = [secret_rows(sharing, parts[sharing.dataset]) for sharing in made]
    if len(found) == 1:
        return found[0]
    return cast("SecretRows", pooled(Pool(tuple(one.name for one in found)), found))
