"""What an owner's worker is asked for: tables to open, and inputs of programs made from them. Data, no code."""

from __future__ import annotations

import math
from typing import Annotated, Literal, Union

import msgspec

from icm_ray.query.dialect import Dialect
from icm_ray.query.expressions.tree import Of, Scalar
from icm_ray.query.held import HeldImageSource, HeldWeight
from icm_ray.query.image_tasks import ImageRows, ImageSource
from icm_ray.query.key_digits import KeyDigits

__all__ = [
    "MOST_GROUPS",
    "MOST_TEXT",
    "Aggregate",
    "ColumnInfo",
    "ColumnValues",
    "CsvSource",
    "FileInfo",
    "Given",
    "GroupKey",
    "GroupRows",
    "HeldSource",
    "InputTask",
    "NoiseDraw",
    "ParquetSource",
    "PrivateKey",
    "PushedSource",
    "RowOrder",
    "Source",
    "TableInfo",
]


MOST_GROUPS = 1 << 20
"""Groups of private keys that one owner brings at the most."""
MOST_TEXT = 64
"""Bytes of a text that is a private key, at the most."""
_PADS = 1 << 31
"""Rows of all tables of a merge, at the most."""


class ParquetSource(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="source", tag="parquet"):
    """Files on the owner's node; a path may hold wildcards, or be a directory. columns: None for all."""

    paths: tuple[str, ...]
    columns: tuple[str, ...] | None = None


class CsvSource(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="source", tag="csv"):
    """Files with a header line; a path may hold wildcards, or be a directory. columns: None for all."""

    paths: tuple[str, ...]
    columns: tuple[str, ...] | None = None
    dialect: Dialect = Dialect()


class PushedSource(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="source", tag="pushed"):
    """Arrow IPC streams that the driver sends over its link, one for each partition."""

    partitions: Annotated[int, msgspec.Meta(ge=0, lt=1 << 24)]


class HeldSource(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="source", tag="held"):
    """Rows that the owner's instance has in its catalogue under a name: where they lie, nobody else says."""

    dataset: Annotated[str, msgspec.Meta(max_length=256)]


Source = Union[  # noqa: UP007 - msgspec takes the members from a typing.Union
    ParquetSource, CsvSource, PushedSource, HeldSource, HeldImageSource, ImageSource
]


class ColumnInfo(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """kind: "int", "float" or "bool"; else no arithmetic is offered: "string", "null" (no values at all), the Arrow
    type's name, or, where there is a fault, "unequal", or "" (a part of the table lacks the column).

    origin: where the kind comes from, for messages: a file, a row of it. fault: why the column cannot be used, "" where
    it can; said when it is used, for nobody may ever ask for it. nullable: whether a value may be missing (null, or a
    float's NaN). categories: public values among which all others are, in their order; () where there are none.
    """

    name: str
    kind: str
    origin: str = ""
    fault: str = ""
    nullable: bool = True
    categories: tuple[Scalar, ...] = ()


class FileInfo(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file that a worker read: its size in bytes, and when it was modified, in ns since 1970."""

    path: str
    size: int
    modified: int
    rows: int


class TableInfo(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The public facts of one owner's table: columns, rows of each partition, and the files where it is of files. ids:
    of images, in their order, where they have some.
    """

    columns: tuple[ColumnInfo, ...]
    rows: tuple[int, ...]
    files: tuple[FileInfo, ...] = ()
    ids: tuple[str | int, ...] = ()


class ColumnValues(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="task", tag="values"):
    """One partition of a column, or of an expression, as ring elements (rows,), f fractional bits, magnitudes to
    2^bound.

    read_as: the kind that all owners agreed on, where this owner's may be another that fits into it; "": its own.
    where: the rows that are meant; those of others are zero. nullable: whether values may be missing, which are zero;
    else they are refused. domain: the words that text may be, in order: it is the number of each, from 1 on.
    """

    table: str
    column: Of
    partition: int
    f: int
    bound: int
    read_as: str = ""
    where: Of | None = None
    nullable: bool = False
    domain: tuple[str, ...] = ()


class GroupKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What rows are grouped by. domain: the public values of the groups; rows of no such value are in none. edges: of
    bins of numbers instead, as numpy.histogram has them: [a, b) between two, the last one closed.
    """

    of: Of
    domain: tuple[Scalar, ...] = ()
    edges: tuple[int | float, ...] = ()

    @property
    def size(self) -> int:
        """The number of groups."""
        return len(self.edges) - 1 if self.edges else len(self.domain)


class Aggregate(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="task", tag="aggregate"):
    """What the owner computes itself over some partitions of a column, or of an expression.

    kind      result (uint64 words), exact, one for each cell
    sum       wide: the sum, of integers and booleans (cells, 4), of floats (cells, 67) with 1074 fractional bits
    squares   wide: the sum of squares, of integers and booleans (cells, 4), of floats (cells, 67) with 2148 fractional
              bits
    cubes     wide: the sum of third powers, (cells, 6), or of floats (cells, 101) with 3222 fractional bits
    fourths   wide: the sum of fourth powers, (cells, 7), or of floats (cells, 135) with 4296 fractional bits
    products  wide: the sum of products with the values of `times`, as of squares
    min, max  (2, cells): the least or largest value as an order key in two words (`ring.fixed.words_of_key`), integers
              as they are, floats by `ring.fixed.key_of_float`; beyond all of them where there is no value
    histogram (bins,): numpy.histogram's counts for `edges`, which compare exactly, integers beyond 2^53 too
    count     (cells,): the number of values; columns of any kind
    keys      (rows, cells, thresholds): how many order keys lie below each value of the next digit, for `digits`
    contributions  (7, cells): how much of the sum of magnitudes single rows are, or those of one entity
              (`icm_ray.query.contributions`)
    record keys  (cells,): the sum of the keys of the rows that have a value (`icm_ray.query.cell_keys`)
    entities  (cells,): what the rows that have a value weigh (`icm_ray.query.entities`)

    read_as: as for `ColumnValues`. where: the rows that count, those where it is true. by: their groups; the cells are
    the combinations of their values, the last key's values following one another; no keys: one cell. nullable: whether
    values may be missing, which are skipped; else they are refused. degree: of what a sum becomes a part of: it has as
    many limbs as sums of powers of that degree. times: of the same kind as the column; a row that lacks one has none.
    entity: the column that says whose the rows are; "" where each is its own. keys_of: the name of the policy for
    which rows have keys; starts: the number of the first row of each partition then, among all of the table.
    """

    table: str
    column: Of
    partitions: tuple[int, ...]
    kind: str
    edges: tuple[int | float, ...] = ()
    read_as: str = ""
    where: Of | None = None
    by: tuple[GroupKey, ...] = ()
    nullable: bool = False
    digits: KeyDigits | None = None
    degree: Annotated[int, msgspec.Meta(ge=2, le=4)] = 2
    times: Of | None = None
    entity: str = ""
    keys_of: str = ""
    starts: tuple[int, ...] = ()

    @property
    def cells(self) -> int:
        """The number of groups."""
        return math.prod(key.size for key in self.by)


class PrivateKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What rows are grouped by, its values private. kind: that all owners agreed on.

    size: of integers log2 of the largest magnitude, 63 for all of int64; of text the most bytes (UTF-8); of booleans 0.
    """

    of: Of
    kind: Literal["int", "bool", "string"]
    size: Annotated[int, msgspec.Meta(ge=0, le=MOST_TEXT)]


class RowOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How rows of several tables are sorted, those of one key beside one another, by one word that no two rows share.

    The word is, from the top: the key, or a hash of it where it is long, in `bits` bits, and above all of these numbers
    that pad; a zero; `slots` bits: 0 of a right table, 1 and the cell of a left one; where there are several tables of
    a side a zero and `members` bits, the table's number. Zeros: so that a difference says which part differs.
    upper: bits of another hash of the key, by which rows are sorted before this word; 0: none, else rows that pad are
    beyond all others by it, and words may be equal. check: bits of one by which
    keys are compared. right: the side. member: the table's number. start: rows of the tables before, whose pads are
    others. cells: groups of public values; a left table has a row for each key and cell, a right one the number of the
    cell in each row. by: of a right table what merged rows are grouped by, its values private; none is missing.
    """

    bits: Annotated[int, msgspec.Meta(ge=1, le=62)]
    slots: Annotated[int, msgspec.Meta(ge=1, le=20)]
    members: Annotated[int, msgspec.Meta(ge=0, le=20)]
    hashed: bool
    right: bool
    member: Annotated[int, msgspec.Meta(ge=0, lt=1 << 20)]
    start: Annotated[int, msgspec.Meta(ge=0, lt=1 << 31)]
    cells: tuple[GroupKey, ...] = ()
    upper: Annotated[int, msgspec.Meta(ge=0, le=40)] = 0
    check: Annotated[int, msgspec.Meta(ge=1, le=40)] = 40
    by: tuple[PrivateKey, ...] = ()

    @property
    def pad(self) -> int:
        """Above all keys: the first of the numbers that pad, of a hash below 2^`bits`."""
        return (1 << self.bits) - (_PADS if self.hashed and not self.upper else 0)

    @property
    def slot(self) -> int:
        """Where the slot begins."""
        return self.members + (self.members > 0)

    @property
    def key(self) -> int:
        """Where the key begins."""
        return self.slot + self.slots + 1


class GroupRows(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="task", tag="groups"):
    """The owner's own groups by private keys, one in a row: (most, words) ring elements.

    A row holds the words of its key (`query.private_keys.key_widths`), then those of each aggregate
    (`query.private_keys.word_widths`). Rows beyond the owner's groups are padded: a key beyond all keys, and zeros.
    values: aggregates over `partitions` of this table, without groups of their own. where: the rows that count. limb:
    bits of the words of sums. order: in place of the words of the key one or two by which rows are sorted, another hash
    where these are hashes, the number of the row's cell, from 1 on, where there are cells (0: in none), and the words
    of what the row is grouped by. cells: where there is no order, groups of public values that rows are in beside: a
    row of each key in each cell, before its words the number of the cell, from 1 on; pads are zeros.
    """

    table: str
    partitions: tuple[int, ...]
    keys: tuple[PrivateKey, ...]
    most: Annotated[int, msgspec.Meta(ge=1, le=MOST_GROUPS)]
    values: tuple[Aggregate, ...]
    where: Of | None = None
    limb: Annotated[int, msgspec.Meta(ge=8, le=48)] = 48
    order: RowOrder | None = None
    cells: tuple[GroupKey, ...] = ()

    @property
    def count_of_cells(self) -> int:
        """How many groups of public values there are beside; 1 where there are none."""
        return math.prod(key.size for key in self.cells)


class Given(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="task", tag="given"):
    """An array that the driver, acting for the owner, sends over its link: uint64 ring elements."""


class NoiseDraw(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="task", tag="noise"):
    """A party's own noise of a number that is to be opened: (cells,) ring elements, or (cells, limbs).

    dataset: whose policy asks for it. number: the name of what it is added to, of which there is one draw. kind, scale:
    as of `icm_ray.policy.Noise`. change: what one row can change. unit: it is a multiple of 2^-unit, rounded to
    multiples of 2^-f where these are larger. width: drawn again where it does not fit that.
    """

    dataset: str
    number: str
    kind: Literal["gaussian", "laplace"]
    scale: float
    change: float
    unit: int
    cells: Annotated[int, msgspec.Meta(ge=1, le=1 << 16)]
    f: int
    limbs: int
    width: int


InputTask = Union[ColumnValues, Aggregate, GroupRows, Given, NoiseDraw, ImageRows, HeldWeight]  # noqa: UP007
