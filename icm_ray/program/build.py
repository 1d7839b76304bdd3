"""Writing programs down: a builder that adds nodes and knows the type of each."""

from __future__ import annotations

from dataclasses import dataclass

from icm_ray.ops.values import ValueType
from icm_ray.program.program import Node, Operation, Program

__all__ = ["Builder", "Value"]


@dataclass(frozen=True, slots=True)
class Value:
    """A node of the program being built, and its type."""

    node: int
    type: ValueType


class Builder:
    """Collects nodes; every addition is checked at once."""

    def __init__(self, parties: tuple[str, ...], owners: tuple[str, ...] = ()) -> None:
        self.parties, self._owners = parties, owners
        self._nodes: list[Node] = []
        self._types: list[ValueType] = []
        self._own = True  # every value that was taken is one of these nodes

    def add(self, op: Operation, *inputs: Value) -> Value:
        """Append `op` on `inputs`; raises what the operation's typing raises."""
        kind = op.infer(*[value.type for value in inputs])
        types = self._types
        for value in inputs:
            if value.node >= len(types) or types[value.node] is not value.type:
                self._own = False
        self._nodes.append(Node(op, tuple([value.node for value in inputs])))
        types.append(kind)
        return Value(len(self._nodes) - 1, kind)

    def build(self) -> Program:
        """The program so far, checked as a whole."""
        program = Program(self.parties, tuple(self._nodes), self._owners)
        if self._own:
            program.check(self._types)
        else:  # of another builder: what it is here is found anew
            program.types()
            program.labels()
        return program
