"""Rows that organisations offer: their workers open them when something is asked about them, and not before."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import cast

from analytics.dataset import Dataset, pool_of
from analytics.frame import SecureFrame
from analytics.meant import Meant
from analytics.source_checks import check_columns, frame_of
from icm_ray.errors import IcmError, InputError
from icm_ray.instance.catalogue import PublicDataset
from icm_ray.instance.engine import OrganisationEngine
from icm_ray.instance.mock_engine import MockEngine
from icm_ray.query.expressions.tree import Of, apply
from icm_ray.query.owner_rows import OwnerRows, OwnerTable
from icm_ray.query.pool import Pool, pooled
from icm_ray.query.selection import SelectedRows, Selection
from icm_ray.query.tasks import HeldSource

__all__ = ["Lanes", "OfferedMeant", "OfferedRows", "offered_frame", "opened_in"]


@dataclass(frozen=True, slots=True)
class Lanes:
    """Of a connection, which is `home`: the lanes with other organisations, and those in this process with the same
    parties, for mock rows, for which nobody is asked. me: the own organisation.
    """

    home: object
    me: str
    open: Callable[[tuple[str, ...]], OrganisationEngine]
    mocks: Callable[[tuple[str, ...]], MockEngine]


class OfferedRows:
    """Rows of one or several datasets in catalogues, one below the other. held: of each the owner, and what its
    catalogue says. others: who takes part beside the own organisation; None: their owners.

    Errors: those of `pooled`.
    """

    def __init__(
        self, held: Sequence[tuple[str, PublicDataset]], lanes: Lanes, others: tuple[str, ...] | None = None
    ) -> None:
        self.held, self.lanes = tuple(held), lanes
        self._others = self._besides(owner for owner, _ in held) if others is None else others
        self._stated = _stated(self.held)
        self._there: Dataset | None = None
        self._elsewhere: dict[tuple[str, ...], OfferedRows] = {}
        self._lock, self._forgotten = threading.Lock(), False

    @property
    def home(self) -> object:
        """What rows of one connection have in common."""
        return self.lanes.home

    @property
    def facts(self) -> OwnerRows:
        """What the catalogues say, in names that no question has."""
        return self._stated

    @property
    def dataset(self) -> Dataset:
        """As workers have opened it. Errors: what lanes and workers raise; the next time they are asked again."""
        with self._lock:
            if self._forgotten:
                raise InputError("the frame's rows were forgotten; read (or share) them again")
            if self._there is None:
                engine = self.lanes.open(self._others)
                found = [opened_in(engine, owner, public) for owner, public in self.held]
                self._there = found[0] if len(found) == 1 else pool_of(found)
            return self._there

    def among(self, organisations: Iterable[str]) -> OfferedRows:
        """The same rows in the lanes of these."""
        others = self._besides(organisations)
        if others == self._others:
            return self
        with self._lock:
            return self._elsewhere.setdefault(others, OfferedRows(self.held, self.lanes, others))

    def _besides(self, organisations: Iterable[str]) -> tuple[str, ...]:
        return tuple(sorted({*organisations} - {self.lanes.me}))

    def forget(self) -> None:
        """Let workers drop the rows, where they have opened them."""
        with self._lock:
            self._forgotten = True
            opened, elsewhere = self._there, [*self._elsewhere.values()]
        if opened is not None:
            for one in opened.bases:
                one.forget()
        for rows in elsewhere:
            rows.forget()

    def mock_lanes(self) -> MockEngine:
        """Those in this process."""
        return self.lanes.mocks(self._others)


class OfferedMeant(Meant):
    """Rows of datasets in catalogues that no worker has opened yet, or those of them that are meant."""

    __slots__ = ("rows",)
    rows: OfferedRows

    def __init__(self, rows: OfferedRows, where: Of | None = None) -> None:
        object.__setattr__(self, "where", where)
        object.__setattr__(self, "rows", rows)

    @property
    def dataset(self) -> Dataset:
        """As workers have opened it. Errors: as of `OfferedRows.dataset`."""
        return self.rows.dataset

    @property
    def dataset_facts(self) -> OwnerRows:
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
        below = [meant.rows for meant in others if isinstance(meant, OfferedMeant)]
        if len(below) < len(others) or any(rows.home is not self.home for rows in below):
            return super().above(others)
        held = [one for rows in (self.rows, *below) for one in rows.held]
        return OfferedMeant(OfferedRows(held, self.rows.lanes), self.where)

    def forget(self) -> None:
        """Let workers drop the rows, where they have opened them."""
        self.rows.forget()


def offered_frame(owner: str, public: PublicDataset, lanes: Lanes) -> SecureFrame:
    """A frame of a dataset in a catalogue."""
    rows = OfferedRows([(owner, public)], lanes)
    return SecureFrame(OfferedMeant(rows), {info.name: info.name for info in rows.facts.columns if info.kind})


def opened_in(engine: OrganisationEngine, owner: str, public: PublicDataset) -> Dataset:
    """A dataset of a catalogue, as its owner's workers in these lanes have opened it. Errors: what they raise."""
    table = engine.open_table(owner, HeldSource(public.name))
    engine.held[table.name] = owner, public
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
