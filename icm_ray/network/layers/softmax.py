"""Softmax, and its logarithm."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from icm_ray.functions.activations import sigmoid
from icm_ray.functions.row_functions import log_softmax, softmax
from icm_ray.network.layer import Layer, NetworkBuild, Shape
from icm_ray.network.layers.smooth import exact
from icm_ray.ops import linear
from icm_ray.program.build import Value

__all__ = ["Softmax"]

_MOST: Final = 1 << 24  # places of the last two axes, where some are closed: the program has a number for each


class Softmax(Layer, frozen=True, kw_only=True, tag="softmax"):
    """e^x / sum e^x along the last axis, or the logarithm of that. A second input is 1 where places take no part.

    closed: places of the last two axes, in row-major order, that take no part: their results are 0. They are public, as
    the pattern of a mask that is written in the network's code.
    """

    log: bool = False
    closed: tuple[int, ...] = ()

    def output_shape(self, inputs: Sequence[Shape]) -> Shape:
        self.arity(len(inputs) in {1, 2}, inputs)
        source = inputs[0]
        self.need(len(source) >= 1 and source[-1] >= (3 if self.log or len(inputs) > 1 else 2), source)
        self.need(inputs[-1] == source and (len(inputs) == 1 or not self.log), inputs[-1])
        if self.closed:
            self.need(len(source) >= 2 and source[-1] >= 3 and not self.log, source)
            rows, columns = source[-2:]
            self.need(rows * columns <= _MOST, source)
            inside = all(0 <= place < rows * columns for place in self.closed)
            self.need(inside and tuple(sorted(set(self.closed))) == self.closed, source)
            taken = Counter(place // columns for place in self.closed)
            self.need(max(taken.values()) < columns, source)
        return source

    def lower(self, program: NetworkBuild) -> Value:
        x = exact(program, self)
        if self.shape[-1] == 2:
            y = _of_two(program, x)
        else:
            y = (log_softmax if self.log else softmax)(program.builder, self._masked(program, self._closed(program, x)))
        program.off(self.name, y.type.error)
        return y

    def _closed(self, program: NetworkBuild, x: Value) -> Value:
        """Closed places so far below all others that nothing is left of their exponentials."""
        if not self.closed:
            return x
        rows, columns = self.shape[-2:]
        drop = (1 << x.type.width) + (16 << x.type.f)
        constants = [0] * (rows * columns)
        for place in self.closed:
            constants[place] = -drop
        flat = program.add(linear.Reshape((*x.type.shape[:-2], rows * columns)), x)
        lowered = program.add(linear.AddLast(tuple(constants)), flat)
        return program.add(linear.Reshape(x.type.shape), lowered)

    def _masked(self, program: NetworkBuild, x: Value) -> Value:
        """The same for places that a private mask closes."""
        if len(self.inputs) == 1:
            return x
        drop = (1 << x.type.width) + (16 << x.type.f)
        mask = program.add(linear.AssumeWidth(2, 0.0), program.values[self.inputs[1]])
        return program.add(linear.Subtract(), x, program.add(linear.Scale(drop, x.type.f - mask.type.f), mask))


def _of_two(program: NetworkBuild, x: Value) -> Value:
    """e^a / (e^a + e^b) = sigmoid(a - b)."""
    lead = (0, x.type.shape[0], 1), *((0, size, 1) for size in x.type.shape[1:-1])
    a, b = (program.add(linear.Slice((*lead, (k, k + 1, 1))), x) for k in (0, 1))
    first = sigmoid(program.builder, program.add(linear.Subtract(), a, b))
    second = program.add(linear.AddPublic(1 << first.type.f), program.add(linear.Scale(-1), first))
    joined = program.add(linear.Concatenate(len(x.type.shape) - 1), first, second)
    return program.add(linear.AssumeWidth(first.type.f + 2), joined)
