"""A program: operations composed, as immutable data that serialises without code and is checked as a whole."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property

import msgspec

from icm_ray.errors import Desynchronised, IcmError, OwnerError, ProgramError
from icm_ray.names import DRIVER
from icm_ray.ops.catalogue import Access, Edge, Node, Operation, Row, row_of
from icm_ray.ops.labels import Labels, flow
from icm_ray.ops.linear import Reveal
from icm_ray.ops.values import ValueType
from icm_ray.payload import decode
from icm_ray.program.source_fingerprint import engine_digest

__all__ = ["Node", "Operation", "Program", "decode_program", "encode_program"]


class Program(msgspec.Struct, frozen=True, forbid_unknown_fields=True, dict=True):  # dict: for what is computed once
    """What a lane computes: the parties in order, owners that are no party, and nodes in the order of dealing."""

    parties: tuple[str, ...]
    nodes: tuple[Node, ...]
    owners: tuple[str, ...] = ()

    def types(self) -> tuple[ValueType, ...]:
        """The type of every node; raises `ProgramError`, `ShapeError`, `BoundError` or `OwnerError` where one is
        wrong.
        """
        return self._types

    @cached_property
    def _types(self) -> tuple[ValueType, ...]:
        return self._checked(None)

    def check(self, types: Sequence[ValueType]) -> None:
        """Raise what `types` and `labels` raise, for whoever wrote the nodes down one by one and inferred every type.

        types: of every node what its operation infers from those of its inputs.
        """
        self.__dict__["_types"] = self._checked(types)
        self.labels()

    def _checked(self, known: Sequence[ValueType] | None) -> tuple[ValueType, ...]:
        if len(self.parties) < 2 or len(set(self.parties)) != len(self.parties):
            raise ProgramError(f"a program takes two or more different parties, not {self.parties}")
        members = self.parties + self.owners
        if len(set(members)) != len(members) or {DRIVER, "dealer"} & set(members):
            raise OwnerError(f"parties and owners have names of their own, not {members}")
        types: list[ValueType] = []
        passing: list[bool] = []
        for index, node in enumerate(self.nodes):
            op, inputs = node.op, node.inputs
            row = row_of(op)
            wanted = row.arity
            if wanted is not None and len(inputs) != wanted:
                raise ProgramError(f"node {index}: {type(op).__name__} takes {wanted} inputs, not {len(inputs)}")
            if wanted is None and not inputs:
                raise ProgramError(f"node {index}: {type(op).__name__} takes inputs")
            for source in inputs:
                if not 0 <= source < index:
                    raise ProgramError(f"node {index} takes {inputs}, which are not earlier nodes")
            for source in inputs:
                if not passing[source]:
                    raise ProgramError(f"node {index} takes a weight as a value; fixed weights are used by their keys")
            passing.append(row.passes_value)
            if row.owner is not None or type(op) is Reveal:
                self._check_names(op, row)
            if known is not None:
                continue
            try:
                types.append(op.infer(*[types[source] for source in inputs]))
            except IcmError:
                raise
            except (ArithmeticError, ValueError, IndexError) as error:  # numbers that no operation can have
                raise ProgramError(f"node {index}: {type(op).__name__} cannot be: {error}") from error
        return tuple(types if known is None else known)

    @cached_property
    def outward(self) -> tuple[tuple[int, Node], ...]:
        """Nodes that take or leave what is there beside the run, with their numbers: inputs, what is kept under a key,
        what is revealed. What is checked before every run is in these; most nodes are others.
        """
        rows = [row_of(node.op) for node in self.nodes]
        return tuple(
            (index, node)
            for index, (node, row) in enumerate(zip(self.nodes, rows, strict=True))
            if row.edge is not Edge.NONE or row.access is not Access.NONE
        )

    def labels(self) -> tuple[Labels, ...]:
        """Of every node whose rows it is made of; raises `ProgramError` where labels contradict one another."""
        return self._labels

    @cached_property
    def _labels(self) -> tuple[Labels, ...]:
        rows = [row_of(node.op) for node in self.nodes]
        brought = [
            row.labels(node.op) if row.labels is not None else () for row, node in zip(rows, self.nodes, strict=True)
        ]
        return flow([node.inputs for node in self.nodes], brought)

    def _check_names(self, op: Operation, row: Row) -> None:
        if row.owner is not None:
            owner = row.owner(op)
            if row.weight and owner not in self.parties:
                raise OwnerError(f"the owner of a fixed weight is a party; {owner!r} is none of {self.parties}")
            if owner not in self.parties + self.owners:
                raise OwnerError(f"owner {owner!r} is none of {self.parties + self.owners}")
        if isinstance(op, Reveal) and op.to not in (*self.parties, *self.owners, DRIVER):
            raise OwnerError(f"recipient {op.to!r} is none of {(*self.parties, *self.owners, DRIVER)}")

    @cached_property
    def digest(self) -> bytes:
        """32 bytes that name what is computed, and the engine that computes it."""
        return hashlib.sha256(engine_digest() + encode_program(self)).digest()


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Program)


def encode_program(program: Program) -> bytes:
    """The program as msgpack."""
    return _ENCODER.encode(program)


def decode_program(payload: bytes) -> Program:
    """The program that a peer or driver sent, checked; raises `ProgramError` where it is not well formed."""
    try:
        program = decode(payload, _DECODER, "a program", DRIVER)
    except Desynchronised as error:
        raise ProgramError(f"not a program: {error.__cause__ or error}") from error
    program.types()
    program.labels()
    return program
