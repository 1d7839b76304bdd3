"""What is asked, as data: statistics over columns of datasets, or the sharing of a dataset; with the public facts of
every dataset it refers to. Whoever has both derives the same programs (`icm_ray.query.lower`).
"""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import Annotated, Final, Union

import msgspec

from icm_ray.errors import ProgramError
from icm_ray.payload import Natural, decode_request
from icm_ray.query.expressions.tree import Of
from icm_ray.query.merge import Merge, MergedRows
from icm_ray.query.merged_shares import rows_of_merge
from icm_ray.query.owner_rows import OwnerRows
from icm_ray.query.pool import Pool, PooledRows, PooledShares, pooled
from icm_ray.query.row_set import Earlier
from icm_ray.query.secret_rows import SecretRows
from icm_ray.query.selection import SelectedRows, Selection
from icm_ray.query.statistics.catalogue import Statistic

__all__ = [
    "MOST_LETTERS",
    "Asked",
    "DatasetFacts",
    "Question",
    "SharedColumn",
    "Sharing",
    "decode_asked",
    "encode_asked",
]

MOST_LETTERS: Final = 1 << 16
"""Of a text that a question was asked in."""
DatasetFacts = Union[OwnerRows, SecretRows]  # noqa: UP007 - msgspec takes the members from a typing.Union


class Question(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="question"):
    """Statistics, answered together. to: who receives the results; "driver": the parties' shares meet there.
    selections: the rows that statistics speak of beside those of whole datasets. earlier: of datasets with a policy,
    which rows were asked for before: every party holds that against its own ledger. merges: the rows of two
    selections, merged. pools: the rows of several datasets, as those of one. texts: the words in which the question was
    asked, as the asker states them, for ledgers.
    """

    statistics: tuple[Statistic, ...]
    to: str
    selections: tuple[Selection, ...] = ()
    earlier: tuple[Earlier, ...] = ()
    merges: tuple[Merge, ...] = ()
    pools: tuple[Pool, ...] = ()
    texts: tuple[Annotated[str, msgspec.Meta(max_length=MOST_LETTERS)], ...] = ()


class SharedColumn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """name: of the column of shares. of: what its owners compute for it. domain: the words that text may be, in order
    and once each. log2_bound: of the largest magnitude, where it is not that of the dataset.
    """

    name: str
    of: Of
    domain: tuple[str, ...] = ()
    log2_bound: int | None = None


class Sharing(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="sharing"):
    """Owners' rows of a dataset become shares of the parties, a dataset `into` of its own.

    columns: those to share. f: fractional bits of floats, at most. default_bound: log2 of the largest magnitude of
    floats for which none was declared. where: the rows that are meant; the others stay, as zeros. most: the rows of a
    partition, of this dataset or of others that are shared alike.
    """

    dataset: str
    into: str
    columns: tuple[SharedColumn, ...]
    f: int
    default_bound: int
    where: Of | None = None
    most: Natural = 0


class Asked(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, dict=True
):  # dict: a place for what is computed once
    """What is asked, and the public facts of the datasets that it refers to."""

    what: Question | Sharing
    facts: tuple[DatasetFacts, ...]

    def rows(self, name: str) -> OwnerRows | SecretRows | SelectedRows | MergedRows:
        """The rows of a dataset, or of a selection. Errors: `ProgramError` where there is none of that name."""
        selected = self._selected.get(name)
        return self.facts_of(name) if selected is None else selected

    @cached_property
    def _selected(self) -> dict[str, SelectedRows | MergedRows]:
        """By name. Errors: those of `SelectedRows` and of `MergedRows`."""
        if not isinstance(self.what, Question):
            return {}
        found: dict[str, SelectedRows | MergedRows] = {item.name: self._rows_of(item) for item in self.what.selections}
        for merge in self.what.merges:
            sides = (self.facts_of(side.dataset) for side in (merge.left, merge.right))
            found[merge.name] = rows_of_merge(merge, *sides)
        return found

    def _rows_of(self, selection: Selection) -> SelectedRows:
        return SelectedRows(selection, self.facts_of(selection.dataset))

    @cached_property
    def _pooled(self) -> dict[str, PooledRows | PooledShares]:
        """By name. Errors: those of `pooled`; `ProgramError` for datasets of which nothing is said."""
        if not isinstance(self.what, Question):
            return {}
        stated = {facts.name: facts for facts in self.facts}
        if any(name not in stated for pool in self.what.pools for name in pool.datasets):
            raise ProgramError("nothing is said of a dataset whose rows are asked for among others")
        return {pool.name: pooled(pool, [stated[name] for name in pool.datasets]) for pool in self.what.pools}

    def facts_of(self, dataset: str) -> DatasetFacts:
        """The facts of a dataset. Errors: `ProgramError` where there are none."""
        for facts in self.facts:
            if facts.name == dataset:
                return facts
        if dataset in self._pooled:
            return self._pooled[dataset]
        raise ProgramError(f"nothing is said of the dataset {dataset!r} that is asked for")

    @cached_property
    def digest(self) -> bytes:
        """16 bytes that name the question and the facts."""
        return hashlib.sha256(encode_asked(self)).digest()[:16]


_DECODER = msgspec.msgpack.Decoder(Asked)


def encode_asked(asked: Asked) -> bytes:
    """As msgpack."""
    return msgspec.msgpack.encode(asked)


def decode_asked(payload: bytes) -> Asked:
    """What someone else asked; raises `ProgramError` where it is not well formed."""
    return decode_request(payload, _DECODER, "a question")
