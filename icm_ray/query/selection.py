"""Some rows of a dataset, as a question names them: those where a condition is true, in groups of public keys."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import msgspec

from icm_ray.errors import ColumnError, InputError, ProgramError
from icm_ray.ops.labels import Labels
from icm_ray.policy import Policy
from icm_ray.program.build import Builder, Value
from icm_ray.program.derived_name import derived_name
from icm_ray.query.expressions.tree import Of, apply
from icm_ray.query.expressions.words import words
from icm_ray.query.kinds import NUMBERS
from icm_ray.query.lane_build import LaneBuild
from icm_ray.query.owner_rows import OwnerRows
from icm_ray.query.partials import PartialAggregate, join
from icm_ray.query.private_groups import KeyedGroups, brought, check_keys, merged, places, tables
from icm_ray.query.private_keys import STEP, PrivateKeys
from icm_ray.query.rows import cells, column_of
from icm_ray.query.secret_cells import conditions, of_lane
from icm_ray.query.secret_groups import brought_of_shares, places_of_shares, sorted_cells
from icm_ray.query.secret_rows import SecretRows
from icm_ray.query.tasks import ColumnInfo, GroupKey

__all__ = ["MOST_CELLS", "MOST_ROWS", "SelectedRows", "Selection", "check_key"]

MOST_CELLS = 1 << 16
MOST_ROWS = 1 << 21


class Selection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """dataset: of what. where: the rows that are meant, all for None. by: what they are grouped by, or private: where
    its values are private.
    """

    dataset: str
    where: Of | None = None
    by: tuple[GroupKey, ...] = ()
    private: PrivateKeys | None = None

    @property
    def name(self) -> str:
        """Under which statistics speak of it: equal selections have one."""
        return derived_name("rows", self)


@dataclass(frozen=True)
class SelectedRows:
    """A selection, and the rows that it is of. Everything that is said of the rows themselves, these say.

    Errors, when it is made: `ColumnError` for a condition that is none, or a key whose values are of another kind;
    `InputError` for groups that are none or too many.
    """

    selection: Selection
    base: OwnerRows | SecretRows

    def __post_init__(self) -> None:
        where = self.selection.where
        if where is not None and (kind := column_of(self.base, where).kind) != "bool":
            raise ColumnError(f"{words(where)}: rows are chosen by a condition, not by {kind}")
        if self.private is not None:
            self._check_private(self.private)
            return
        for key in self.by:
            check_key(key, column_of(self.base, key.of))
            if key.edges and self.base.shared:
                raise ColumnError(
                    f"{words(key.of)}: rows of a shared frame are not put in bins: do that before .share()"
                )
        if not 1 <= cells(self) <= MOST_CELLS:
            raise InputError(f"{cells(self)} groups; 1 to {MOST_CELLS} can be asked for at once")

    def _check_private(self, private: PrivateKeys) -> None:
        if self.by:
            raise InputError("rows are grouped by public keys or by private ones, not by both")
        check_keys(private, self.base)
        if isinstance(self.base, SecretRows):
            self._check_sizes(private, self.base)
        if not 1 <= self.groups <= MOST_ROWS:
            raise InputError(f"{self.groups} places for groups of private keys; 1 to {MOST_ROWS} can be asked for")

    def _check_sizes(self, private: PrivateKeys, base: SecretRows) -> None:
        for key in private.keys:
            if key.size < (size := base.key_size(key.of)):
                raise InputError(f"{words(key.of)}: shared with magnitudes to 2^{size}, and not to 2^{key.size}")

    @cached_property
    def name(self) -> str:
        return self.selection.name

    @property
    def where(self) -> Of | None:
        where, chosen = self.selection.where, self.base.where
        if where is None or chosen is None or chosen in conditions(where):
            return chosen if where is None else where
        return apply("and", (chosen, where))

    @property
    def by(self) -> tuple[GroupKey, ...]:
        return self.selection.by

    @property
    def private(self) -> PrivateKeys | None:
        return self.selection.private

    @cached_property
    def groups(self) -> int:
        if self.private is None:
            return math.prod(key.size for key in self.by) if self.by else 0
        if isinstance(self.base, SecretRows):
            return sum(rows for _, rows in places_of_shares(self.base, self.private, self.where))
        return places(self.base, self.private)

    @property
    def sorted_cells(self) -> bool:
        """Whether the rows are shares in so many groups of public values that they are sorted to be added up."""
        return sorted_cells(self.base, self.by, self.groups)

    @property
    def policy(self) -> Policy | None:
        return self.base.policy

    @property
    def source(self) -> str:
        return self.base.source

    @property
    def columns(self) -> tuple[ColumnInfo, ...]:
        return self.base.columns

    @property
    def count(self) -> int:
        return self.base.count

    @property
    def owners(self) -> Mapping[str, int]:
        return self.base.owners

    @property
    def shared(self) -> bool:
        return self.base.shared

    @property
    def lanes(self) -> frozenset[int]:
        return self.base.lanes

    def labels(self, lane: int) -> Labels:
        return self.base.labels(lane)

    @property
    def kept(self) -> Sequence[str]:
        return self.base.kept

    def rounding(self, column: Of) -> float:
        if self.private is not None and not self.shared and column_of(self.base, column).kind == "float":
            return 2.0**-STEP
        return self.base.rounding(column)

    def one_word(self, column: Of) -> bool:
        return self.base.one_word(column)

    def width(self, column: Of) -> int:
        return self.base.width(column)

    def step(self, column: Of) -> int:
        return self.base.step(column)

    def texts(self, column: Of) -> tuple[str, ...]:
        return self.base.texts(column)

    def partial(self, build: LaneBuild, partial: PartialAggregate) -> Value:
        """What the rows of one lane contribute."""
        private, base = self.private, self.base
        if isinstance(base, OwnerRows):
            if isinstance(partial, KeyedGroups) and private is not None:
                return join(build.builder, partial.rule, brought(build, base, self.where, private, partial))
            return base.partial(build, partial, self.where, self.by)
        if isinstance(partial, KeyedGroups) and private is not None:
            return brought_of_shares(build, base, self.where, private, partial)
        at_once = partial.of_lane(build, base, self.where, self.by)
        return of_lane(build, base, partial, self.where, self.by) if at_once is None else at_once

    def merged(self, builder: Builder, table: KeyedGroups, value: Value) -> Mapping[PartialAggregate, Value]:
        """What each partial is of every group of private keys, from what all lanes contribute."""
        if self.private is None:
            raise ProgramError("groups of rows that are not grouped by private keys")
        base, most = self.base, self.private.most
        times = len(base.lanes) if isinstance(base, SecretRows) else sum(1 for _ in tables(base, most))
        return merged(builder, self, times, table, value)


def check_key(key: GroupKey, info: ColumnInfo) -> None:
    """Refuse values to group a column by that cannot be. Errors: those of `SelectedRows`."""
    if key.edges:
        _check_edges(key, info)
        return
    if not key.domain:
        raise InputError(f"{info.name}: there are no values to group by")
    if len(set(key.domain)) != len(key.domain):
        raise InputError(f"{info.name}: a value to group by is there twice")
    kinds = {"string": str, "int": int, "bool": bool}
    if info.kind not in kinds:
        raise ColumnError(f"{info.name}: rows are grouped by text, whole numbers and booleans, not by {info.kind}")
    for value in key.domain:
        if type(value) is not kinds[info.kind]:
            raise ColumnError(f"{info.name}: it is {info.kind}, and {value!r} is not", column=info.name)


def _check_edges(key: GroupKey, info: ColumnInfo) -> None:
    if info.kind not in NUMBERS:
        raise ColumnError(f"{info.name}: bins are of numbers, not of {info.kind}")
    finite = all(math.isfinite(edge) for edge in key.edges)
    if key.domain or len(key.edges) < 2 or not finite or any(low > high for low, high in pairwise(key.edges)):
        raise InputError(f"{info.name}: bins have two or more finite edges in order, and no values beside")
