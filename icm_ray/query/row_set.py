"""Which rows an answer tells of, as a ledger keeps them: those of a filter, of groups, of the bins of a histogram."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from icm_ray.payload import Natural
from icm_ray.query.expressions.tree import Of, Scalar
from icm_ray.query.expressions.words import words
from icm_ray.query.tasks import GroupKey, PrivateKey

__all__ = ["AskedBefore", "Earlier", "RowSet", "no_sooner"]

_EARLIER = "in an earlier session: "


class RowSet(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """where, by: as of a selection, and private: the keys whose values are private; most: groups of an owner. of,
    edges: of a histogram; no edges: none. at: of an order statistic which of the values of `of`, of distinct values the
    domain; neither: the rows that have a value of it. space: of what rows and columns, where these were chosen or
    computed before they were shared. merge: what rows are merged, in names of the session.
    """

    where: Of | None = None
    by: tuple[GroupKey, ...] = ()
    of: Of | None = None
    edges: tuple[int | float, ...] = ()
    private: tuple[PrivateKey, ...] = ()
    space: str = ""
    at: tuple[Scalar, ...] = ()
    merge: str = ""
    most: Natural = 0

    @property
    def of_before(self) -> RowSet:
        """The same, once its session has ended: its names may come to mean other rows."""
        if not self.merge or self.merge.startswith(_EARLIER):
            return self
        return msgspec.structs.replace(self, merge=f"{_EARLIER}{self.merge}")

    @property
    def of_values(self) -> bool:
        """Whether it is of the rows that have a value of a column, and of nothing else."""
        return self.of is not None and not self.edges and not self.at

    def in_words(self) -> str:
        """For people: `age >= 65, by ward`."""
        parts = [] if self.where is None else [words(self.where)]
        keys = [*(words(key.of) for key in self.by), *(words(key.of) for key in self.private)]
        if keys:
            parts.append(f"by {', '.join(keys)}")
        if self.of is not None and self.at:
            parts.append(f"{words(self.of)} at {', '.join(map(str, self.at[:5]))}{', ...' * (len(self.at) > 5)}")
        elif self.of is not None and self.of_values:
            parts.append(f"values of {words(self.of)}")
        elif self.of is not None:
            parts.append(f"{len(self.edges) - 1} bins of {words(self.of)} from {self.edges[0]:g} to {self.edges[-1]:g}")
        parts += [self.merge] if self.merge else []
        return ", ".join(parts) or "all rows"


class Earlier(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was asked of a dataset before, in that order, once each: each row set is held against those before it."""

    dataset: str
    sets: tuple[RowSet, ...]


class AskedBefore(msgspec.Struct, frozen=True):
    """What all ledgers of a dataset have. sets: in the order of one of them. contested: those before which another
    ledger has others, for sessions asked at the same time, and not each came first everywhere.
    """

    sets: tuple[RowSet, ...] = ()
    contested: frozenset[RowSet] = frozenset()

    @classmethod
    def of(cls, ledgers: Iterable[tuple[RowSet, ...]]) -> AskedBefore:
        """ledgers: what each has, all of them the same row sets."""
        first, *others = dict.fromkeys(ledgers)
        apart = (told for told in first if any(set(_before(told, one)) != set(_before(told, first)) for one in others))
        return cls(first, frozenset(apart))

    def stated(self, own: Iterable[RowSet]) -> tuple[RowSet, ...]:
        """As a question that asks for `own` says it: what is contested of these comes last, and is held against all."""
        last = self.contested.intersection(own)
        return (*(told for told in self.sets if told not in last), *(told for told in self.sets if told in last))


def no_sooner(own: Iterable[RowSet], said: Sequence[RowSet], ledger: Sequence[RowSet]) -> bool:
    """Whether each of `own` is held against all that a ledger has before it, where said says in which order. That is
    enough: of two row sets that are too close one comes first in a ledger, and only that one is ever answered.
    """
    asked = set(own)
    return all(
        set(_before(told, ledger)) <= asked.union(_before(told, said)) for told in asked.intersection(said, ledger)
    )


def _before(told: RowSet, order: Sequence[RowSet]) -> Sequence[RowSet]:
    return order[: order.index(told)]
