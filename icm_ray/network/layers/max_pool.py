"""Max-pools."""

from __future__ import annotations

import math
from collections.abc import Sequence

from icm_ray.network.layer import Layer, NetworkBuild, Pair, Pairs, Shape
from icm_ray.network.layers.windows import overlap, slide
from icm_ray.ops import compare, linear
from icm_ray.program.build import Value

__all__ = ["MaxPool"]


class MaxPool(Layer, frozen=True, kw_only=True, tag="max_pool"):
    """Maxima over windows; padding counts as minus infinity, and includes what torch's ceil_mode adds."""

    kernel: Pair
    stride: Pair
    padding: Pairs
    dilation: Pair

    @property
    def overlap(self) -> int:
        """In how many windows a cell can be."""
        return overlap(self.kernel, self.stride, self.dilation)

    def output_shape(self, inputs: Sequence[Shape]) -> Shape:
        source = self.only(inputs)
        return (source[0], *slide(self, source, self.kernel, self.stride, self.padding, self.dilation))

    def lower(self, program: NetworkBuild) -> Value:
        """The windows' cells side by side on a last axis, then one tree along it."""
        x = program.settled(self.inputs[0])
        (top, bottom), (left, right) = self.padding
        padded = any((top, bottom, left, right))
        width, lift = x.type.width, 2 ** (x.type.width - 1)
        lifted = padded and not self._zeros_lose(program)
        if lifted:  # above zero for the time being, so that zeros are no maxima
            x = program.add(linear.AddPublic(lift), x)
        if padded:
            x = program.add(linear.Pad(((0, 0), (0, 0), (top, bottom), (left, right))), x)
        if not padded and self.kernel == x.type.shape[2:] and self.dilation == (1, 1):  # one window is all of the image
            stacked = program.add(linear.Reshape((program.batch, *self.shape, math.prod(self.kernel))), x)
        else:
            stacked = self._stacked(program, x)
        largest = program.add(compare.Maximum(stacked.type.width + 1), stacked)
        if lifted:
            largest = program.add(linear.AssumeWidth(width), program.add(linear.AddPublic(-lift), largest))
        return largest

    def _stacked(self, program: NetworkBuild, x: Value) -> Value:
        cells = [
            self._cell(program, x, row, column) for row in range(self.kernel[0]) for column in range(self.kernel[1])
        ]
        return cells[0] if len(cells) == 1 else program.add(linear.Concatenate(4), *cells)

    def _zeros_lose(self, program: NetworkBuild) -> bool:
        """Whether padding with zeros changes nothing that counts: the values, or what follows, are not below zero."""
        maker = program.maker(self.inputs[0])
        positive = maker is not None and maker.rectifies
        return positive or all(reader is not None and reader.rectifies for reader in program.readers(self.name))

    def _cell(self, program: NetworkBuild, x: Value, row: int, column: int) -> Value:
        batch, channels = x.type.shape[:2]
        _, rows, columns = self.shape
        down = _steps(row * self.dilation[0], self.stride[0], rows)
        across = _steps(column * self.dilation[1], self.stride[1], columns)
        cell = program.add(linear.Slice(((0, batch, 1), (0, channels, 1), down, across)), x)
        return program.add(linear.Reshape((batch, channels, rows, columns, 1)), cell)


def _steps(start: int, step: int, count: int) -> tuple[int, int, int]:
    return start, start + step * (count - 1) + 1, step
