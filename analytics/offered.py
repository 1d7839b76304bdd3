"""Rows that organisations offer: their workers open them when something is asked about them, and not before."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from analytics.dataset import Dataset
from analytics.frame import SecureFrame
from analytics.meant import Meant
from analytics.source_checks import check_columns
from icm_ray.instance.catalogue import PublicDataset
from icm_ray.instance.mock_engine import MockEngine

__all__ = ["OfferedMeant", "offered_frame"]


class OfferedMeant(Meant):
    """All rows of datasets in catalogues. offered: by owner, what its catalogue says. opened: asks their workers.
    mocks: lanes in this process with the same parties, for mock rows, for which nobody is asked.
    """

    __slots__ = ("_lock", "_opened", "_there", "mocks", "offered")
    offered: Mapping[str, PublicDataset]
    mocks: Callable[[], MockEngine]
    _opened: Callable[[], Dataset]
    _there: list[Dataset]
    _lock: threading.Lock

    def __init__(
        self, offered: Mapping[str, PublicDataset], opened: Callable[[], Dataset], mocks: Callable[[], MockEngine]
    ) -> None:
        object.__setattr__(self, "where", None)
        for name, value in (("offered", offered), ("mocks", mocks), ("_opened", opened), ("_there", [])):
            object.__setattr__(self, name, value)
        object.__setattr__(self, "_lock", threading.Lock())

    @property
    def dataset(self) -> Dataset:
        """As workers have opened it. Errors: what lanes and workers raise; the next time they are asked again."""
        with self._lock:
            if not self._there:
                self._there.append(self._opened())
            return self._there[0]


def offered_frame(
    offered: Mapping[str, PublicDataset], opened: Callable[[], SecureFrame], mocks: Callable[[], MockEngine]
) -> SecureFrame:
    """A frame of these rows, of the columns that all have. opened: the same, as workers have opened it.

    Errors: those of `opened` where columns differ.
    """
    named = [
        [info.name for info in check_columns({owner: public.columns}, {owner: public.rows}) if info.kind]
        for owner, public in offered.items()
    ]
    if any(set(names) != set(named[0]) for names in named):
        return opened()
    meant = OfferedMeant(offered, lambda: opened().meant.dataset, mocks)
    return SecureFrame(meant, {name: name for name in named[0]})
