"""A program: operations composed, as immutable data that serialises without code and is checked as a whole."""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import Union

import msgspec

from icm_ray.errors import IcmError, OwnerError, ProgramError
from icm_ray.ops import compare, domain, linear, products, smooth, sorting, wide
from icm_ray.ops.cost import Cost
from icm_ray.ops.values import ValueType
from icm_ray.protocols.edges import DRIVER
from icm_ray.protocols.table import TABLE

__all__ = ["Node", "Operation", "Program", "decode_program", "encode_program"]

Operation = Union[  # noqa: UP007 - msgspec takes the members from a typing.Union
    linear.Add,
    linear.AddLast,
    linear.AddPublic,
    linear.Concatenate,
    linear.Declare,
    linear.Expand,
    linear.Input,
    linear.Load,
    linear.Pad,
    linear.Permute,
    linear.Rescale,
    linear.Reshape,
    linear.Reveal,
    linear.Scale,
    linear.ScaleLast,
    linear.Slice,
    linear.Store,
    linear.Subtract,
    linear.Sum,
    linear.SumAxis,
    linear.WindowSum,
    products.LoadWeight,
    products.OwnedProduct,
    products.Product,
    products.Relu,
    products.SumOfSquares,
    products.Truncate,
    compare.ArgMax,
    compare.AtLeast,
    compare.CountAtLeast,
    compare.Guard,
    compare.Maximum,
    compare.Select,
    domain.GroupCount,
    domain.GroupSum,
    sorting.ArgSort,
    sorting.Shuffle,
    sorting.Sort,
    sorting.SortBy,
    wide.SquareParts,
    smooth.ExpNegative,
    smooth.Periodic,
    smooth.Piecewise,
    wide.WideProduct,
    wide.Widen,
]

_ARITY: dict[type, int | None] = {
    linear.Input: 0,
    linear.Load: 0,
    products.LoadWeight: 0,
    linear.Add: 2,
    linear.Subtract: 2,
    products.Product: 2,
    compare.Select: 2,
    compare.Guard: 2,
    domain.GroupSum: 2,
    sorting.SortBy: 2,
    wide.WideProduct: 2,
    linear.Concatenate: None,
}


class Node(msgspec.Struct, frozen=True):
    """One operation and the earlier nodes that it takes."""

    op: Operation
    inputs: tuple[int, ...] = ()


class Program(msgspec.Struct, frozen=True, dict=True):  # dict: a place for what is computed once
    """What a lane executes: the parties in order, owners that are no party, and nodes in the order of dealing.

    rows: the public number of rows behind what is revealed (0: not a statistic); policies judge it.
    """

    parties: tuple[str, ...]
    nodes: tuple[Node, ...]
    owners: tuple[str, ...] = ()
    rows: int = 0

    def types(self) -> tuple[ValueType, ...]:
        """The type of every node; raises `ProgramError`, `ShapeError`, `BoundError` or `OwnerError` where one is
        wrong.
        """
        return self._types

    @cached_property
    def _types(self) -> tuple[ValueType, ...]:
        if len(self.parties) < 2 or len(set(self.parties)) != len(self.parties):
            raise ProgramError(f"a program takes two or more different parties, not {self.parties}")
        members = self.parties + self.owners
        if len(set(members)) != len(members) or {DRIVER, "dealer"} & set(members):
            raise OwnerError(f"parties and owners have names of their own, not {members}")
        types: list[ValueType] = []
        for index, node in enumerate(self.nodes):
            wanted = _ARITY.get(type(node.op), 1)
            if wanted is not None and len(node.inputs) != wanted:
                raise ProgramError(
                    f"node {index}: {type(node.op).__name__} takes {wanted} inputs, not {len(node.inputs)}"
                )
            if wanted is None and not node.inputs:
                raise ProgramError(f"node {index}: {type(node.op).__name__} takes inputs")
            if any(not 0 <= source < index for source in node.inputs):
                raise ProgramError(f"node {index} takes {node.inputs}, which are not earlier nodes")
            if any(isinstance(self.nodes[source].op, products.LoadWeight) for source in node.inputs):
                raise ProgramError(f"node {index} takes a weight as a value; fixed weights are used by their keys")
            self._check_names(node.op)
            try:
                types.append(node.op.infer(*(types[source] for source in node.inputs)))
            except IcmError:
                raise
            except (ArithmeticError, ValueError, IndexError) as error:  # numbers that no operation can have
                raise ProgramError(f"node {index}: {type(node.op).__name__} cannot be: {error}") from error
        return tuple(types)

    def _check_names(self, op: Operation) -> None:
        owner = getattr(op, "owner", None)
        if isinstance(op, (products.LoadWeight, products.OwnedProduct)) and owner not in self.parties:
            raise OwnerError(f"the owner of a fixed weight is a party; {owner!r} is none of {self.parties}")
        if owner is not None and owner not in self.parties + self.owners:
            raise OwnerError(f"owner {owner!r} is none of {self.parties + self.owners}")
        if isinstance(op, linear.Reveal) and op.to not in (*self.parties, *self.owners, DRIVER):
            raise OwnerError(f"recipient {op.to!r} is none of {(*self.parties, *self.owners, DRIVER)}")

    @cached_property
    def digest(self) -> bytes:
        """16 bytes that name the program: in every frame, and in every key."""
        return hashlib.sha256(encode_program(self)).digest()[:16]

    def costs(self) -> tuple[Cost, ...]:
        """What every node declares."""
        types = self.types()
        return tuple(
            TABLE[type(node.op)].cost(node.op, [types[source] for source in node.inputs], self.parties, types[index])
            for index, node in enumerate(self.nodes)
        )

    def cost(self) -> Cost:
        """The whole: bytes add up; rounds are those of the longest chain, since independent operations share rounds."""
        costs, ends = self.costs(), [0] * len(self.nodes)
        total = Cost.free(len(self.parties))
        for index, (node, cost) in enumerate(zip(self.nodes, costs, strict=True)):
            ends[index] = cost.rounds + max((ends[source] for source in node.inputs), default=0)
            total = total.then(cost)
        return Cost(max(ends, default=0), total.sent, total.dealt)


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Program)


def encode_program(program: Program) -> bytes:
    """The program as msgpack."""
    return _ENCODER.encode(program)


def decode_program(payload: bytes) -> Program:
    """The program that a peer or driver sent, checked; raises `ProgramError` where it is not well formed."""
    try:
        program = _DECODER.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ProgramError(f"not a program: {error}") from error
    program.types()
    return program
