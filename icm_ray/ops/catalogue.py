"""The operations, a row for each: all that other layers have to know of one beside its type and its kernel.

An operation is added by its type (here in `ops`, with its typing rule), a row of `CATALOGUE` and its kernel's row in
`protocols.table`. How it is cut, ordered, counted and explained follows from its row.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, Final, Protocol, Union

import msgspec

from icm_ray.ops import compare, cuts, groups, linear, products, smooth, sorting, wide
from icm_ray.ops.cuts import Cut
from icm_ray.ops.forms import Elementwise
from icm_ray.ops.labels import Label, Labels
from icm_ray.ops.values import ValueType

__all__ = ["CATALOGUE", "Access", "Edge", "Long", "Node", "Operation", "Row", "row_of"]


class Edge(Enum):
    """Where a value stands in a program: what is at an edge has no working set of its own."""

    NONE = auto()
    GIVEN = auto()
    """It comes from an owner or from what is kept."""
    LEFT = auto()
    """It is kept or revealed."""
    REVEALED = auto()
    """The same, and it is opened for one recipient."""
    OTHER = auto()
    """What passes is no value of the program: a weight that is masked, a flag."""


class Access(Enum):
    """What is done with the place that `Row.place` names: steps that touch one place keep their order."""

    NONE = auto()
    READS = auto()
    WRITES = auto()
    NAMES = auto()
    """A name is given to a result; nothing is kept between runs."""


class Long(Enum):
    """What is done with more rows than fit in flight where blocks of rows are none."""

    NONE = auto()
    GOES = auto()
    """`at_once` bounds the comparisons of one go."""
    LEVELS = auto()
    """A single row is folded in halves before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """arity: how many earlier nodes it takes; None: one or more.

    cut: the same operation on some of its rows; None where it needs them all. sums_rows: the whole is the sum of its
    blocks. long: see `Long`. compares: it holds chunk words first, then the tree's masks, then what selects, never all
    of them. multiplications: of words, for a product that may be worth several threads. edge, access: see there. place:
    the key or the name that it reads or writes. owner: the member that it names as such. weight: it loads or uses a
    fixed weight, whose owner is a party. passes_value: whether others may take what it makes. labels: whose rows it
    brings, beside those behind its inputs. width: bits of what it opens of a value, where it says so. reads:
    how many low bits of its inputs it looks at, where so many of its result are looked at; None: all. words: what
    people are told of it, with the type of its result.
    """

    arity: int | None = 1
    cut: Cut | None = None
    sums_rows: bool = False
    long: Long = Long.NONE
    compares: bool = False
    multiplications: Callable[[Any, Sequence[ValueType], ValueType], int] | None = None
    edge: Edge = Edge.NONE
    access: Access = Access.NONE
    place: Callable[[Any], str] | None = None
    owner: Callable[[Any], str] | None = None
    weight: bool = False
    passes_value: bool = True
    labels: Callable[[Any], Labels] | None = None
    width: Callable[[Any], int] | None = None
    reads: Callable[[Any, int], int] | None = None
    words: Callable[[Any, ValueType], str] | None = None


def _key(op: linear.Load | linear.Store | products.LoadWeight | products.OwnedProduct) -> str:
    return op.key


def _owner(op: linear.Input | products.LoadWeight | products.OwnedProduct) -> str:
    return op.owner


def _name(op: linear.Reveal) -> str:
    return op.name


def _labels(op: linear.Input | linear.Load) -> Labels:
    return op.labels


def _weight_label(op: products.LoadWeight | products.OwnedProduct) -> Labels:
    return (Label(op.key, op.owner),)


def _size(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "1"


def _shared(op: linear.Input, kind: ValueType) -> str:
    return f"shared by {op.owner}: {op.name} ({_size(kind.shape)}, public size)"


def _revealed(op: linear.Reveal, kind: ValueType) -> str:
    return f"opened to {op.to}: {op.name} ({_size(kind.shape)}), error at most {kind.error:.3g}"


def _weighted(op: products.OwnedProduct, _: ValueType) -> str:
    return f"product with a weight that {op.owner} keeps: {_size(op.weight.shape)}, public size"


def _flagged(op: compare.CheckFlag, _: ValueType) -> str:
    return f"opened to all parties: one flag, whether {op.clause}"


def _multiplied(op: products.Product, inputs: Sequence[ValueType], out: ValueType) -> int:
    x, y = (kind.shape for kind in inputs)
    return 0 if isinstance(op.form, Elementwise) else math.prod(out.shape) * op.form.growth(x, y)


def _multiplied_owned(op: products.OwnedProduct, inputs: Sequence[ValueType], out: ValueType) -> int:
    if isinstance(op.form, Elementwise):
        return 0
    return math.prod(out.shape) * op.form.growth(inputs[0].shape, op.weight.shape)


def _width(op: compare.AtLeast | compare.CountAtLeast | compare.Select | compare.Maximum | compare.ArgMax) -> int:
    return op.width


def _epilogue_width(op: products.Truncate | products.Relu | products.Product | products.OwnedProduct) -> int:
    return op.epilogue.width if op.epilogue is not None else 0


def _as_read(_: Any, bits: int) -> int:
    """Linear over Z_2^64, so modulo any power of two below."""
    return bits


def _compared(op: compare.AtLeast | compare.CountAtLeast, _: int) -> int:
    return op.width


def _opened(op: products.Truncate | products.Relu | products.Product | products.OwnedProduct, bits: int) -> int:
    """What is opened counts modulo 2^w."""
    return bits if op.epilogue is None else op.epilogue.width


def _edges_width(op: smooth.ExpNegative | smooth.Periodic) -> int:
    return op.edges.width if op.edges is not None else 0


_LOCAL: Final = Row(cut=cuts.as_it_is, reads=_as_read)
_LAST_AXIS: Final = Row(cut=cuts.by_row, reads=_as_read)
_SORT: Final = Row(long=Long.GOES)

CATALOGUE: Final[Mapping[type, Row]] = {
    linear.Add: Row(arity=2, cut=cuts.as_it_is, reads=_as_read),
    linear.AddLast: _LAST_AXIS,
    linear.AddPublic: _LOCAL,
    linear.AssumeWidth: _LOCAL,
    linear.Concatenate: Row(arity=None, reads=_as_read),
    linear.Expand: Row(cut=cuts.expand, reads=_as_read),
    linear.Input: Row(arity=0, edge=Edge.GIVEN, owner=_owner, labels=_labels, words=_shared),
    linear.Load: Row(arity=0, edge=Edge.GIVEN, access=Access.READS, place=_key, labels=_labels),
    linear.Pad: Row(cut=cuts.pad, reads=_as_read),
    linear.Permute: Row(cut=cuts.permute, reads=_as_read),
    linear.Rescale: _LOCAL,
    linear.Reshape: Row(cut=cuts.reshape, reads=_as_read),
    linear.Reveal: Row(edge=Edge.REVEALED, access=Access.NAMES, place=_name, words=_revealed),
    linear.RunningSum: Row(reads=_as_read),
    linear.Scale: _LOCAL,
    linear.ScaleLast: _LAST_AXIS,
    linear.Slice: Row(cut=cuts.slice_, reads=_as_read),
    linear.Store: Row(edge=Edge.LEFT, access=Access.WRITES, place=_key),
    linear.Subtract: Row(arity=2, cut=cuts.as_it_is, reads=_as_read),
    linear.Sum: Row(sums_rows=True, reads=_as_read),
    linear.SumAxis: _LAST_AXIS,
    linear.Take: Row(cut=cuts.take, reads=_as_read),
    linear.WindowSum: _LOCAL,
    products.LoadWeight: Row(
        arity=0,
        edge=Edge.OTHER,
        access=Access.WRITES,
        place=_key,
        owner=_owner,
        weight=True,
        labels=_weight_label,
        passes_value=False,
    ),
    products.OwnedProduct: Row(
        arity=None,
        cut=cuts.owned_product,
        multiplications=_multiplied_owned,
        access=Access.READS,
        place=_key,
        owner=_owner,
        weight=True,
        labels=_weight_label,
        width=_epilogue_width,
        reads=_opened,
        words=_weighted,
    ),
    products.Product: Row(arity=2, cut=cuts.product, multiplications=_multiplied, width=_epilogue_width, reads=_opened),
    products.Relu: Row(cut=cuts.as_it_is, compares=True, width=_epilogue_width, reads=_opened),
    products.SumOfSquares: Row(sums_rows=True),
    products.Truncate: Row(cut=cuts.as_it_is, width=_epilogue_width, reads=_opened),
    compare.ArgMax: Row(cut=cuts.by_row, width=_width),
    compare.AtLeast: Row(cut=cuts.as_it_is, compares=True, width=_width, reads=_compared),
    compare.CheckFlag: Row(arity=2, edge=Edge.OTHER, words=_flagged),
    compare.CountAtLeast: Row(sums_rows=True, compares=True, width=_width, reads=_compared),
    compare.Maximum: Row(cut=cuts.by_row, long=Long.LEVELS, compares=True, width=_width),
    compare.Select: Row(arity=2, cut=cuts.as_it_is, compares=True, width=_width),
    groups.GroupCount: Row(sums_rows=True),
    groups.GroupSum: Row(arity=2, sums_rows=True),
    groups.GroupTable: Row(arity=None, sums_rows=True),
    smooth.ExpNegative: Row(cut=cuts.as_it_is, width=_edges_width),
    smooth.Periodic: Row(cut=cuts.as_it_is, width=_edges_width),
    smooth.Piecewise: Row(cut=cuts.as_it_is),
    sorting.ArgSort: _SORT,
    sorting.Arrange: Row(arity=2),
    sorting.Shuffle: Row(),
    sorting.Sort: _SORT,
    sorting.SortBy: Row(arity=2, long=Long.GOES),
    wide.SquareParts: Row(sums_rows=True),
    wide.WideProduct: Row(arity=2),
    wide.Widen: Row(),
}

if TYPE_CHECKING:

    class Operation(Protocol):
        """Any type of the catalogue."""

        def infer(self, *inputs: Any, **none: Any) -> ValueType:
            """The type of the result from those of the inputs; raises where there is none."""
else:
    Operation = Union[tuple(CATALOGUE)]  # noqa: UP007 - msgspec takes the members from a typing.Union


def row_of(op: Operation) -> Row:
    """What the catalogue says of it."""
    return CATALOGUE[type(op)]


class Node(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One operation and the earlier nodes that it takes."""

    op: Operation
    inputs: tuple[int, ...] = ()
