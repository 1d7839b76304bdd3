"""Translations of recurrent layers, step by step: their weights are loaded once and used at every step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from types import MappingProxyType
from typing import Any, TypeAlias

import torch

from analytics.nn.torch_ops.building import Call, GraphBuilder, Refused, Translation, Wire
from analytics.nn.torch_ops.constants import affine, scaled
from analytics.nn.torch_ops.pointwise import multiplied
from icm_ray.network.layers import Add, Bent, Concat, Linear, Relu, Smooth

__all__ = ["RECURRENT"]

aten = torch.ops.aten
State: TypeAlias = tuple[Wire, ...]
First: TypeAlias = tuple[Wire | torch.Tensor, ...]
Step: TypeAlias = Callable[["_Cell", Wire, State | None], State]


class _Cell:
    """One direction of one layer: the weights of its steps. For a first state of zeros None stands."""

    def __init__(self, build: GraphBuilder, recurrent: torch.Tensor, bias: torch.Tensor | None) -> None:
        self.build, self._recurrent, self.bias = build, recurrent, bias
        self._key: str | None = None

    def again(self, h: Wire) -> Wire:
        """The recurrent weights times a state."""
        shape = (len(self._recurrent),)
        made = self.build.emit(Linear, h, shape=shape, weight=self._key or self._recurrent, bias=None)
        self._key = self._key or f"{made.name}.weight"
        return made

    def add(self, a: Wire, b: Wire) -> Wire:
        """Their sum."""
        return self.build.emit(Add, a, b, shape=a.shape)

    def times(self, a: Wire, b: Wire) -> Wire:
        """Their product."""
        return multiplied(self.build, a, b)

    def smooth(self, function: str, wire: Wire) -> Wire:
        """The function of a wire."""
        return self.build.emit(Smooth, wire, shape=wire.shape, function=function)

    def parts(self, wire: Wire, *counts: int) -> list[Wire]:
        """A wire cut into parts of so many states' sizes."""
        size = wire.shape[0] // sum(counts)
        ends = [size * sum(counts[:k]) for k in range(len(counts) + 1)]
        return [self.build.cut(wire, 0, start, stop) for start, stop in pairwise(ends)]


def _lstm_step(cell: _Cell, x: Wire, state: State | None) -> State:
    """i, f, g, o = W x + U h;  c = sigmoid(f) c + sigmoid(i) tanh(g);  h = sigmoid(o) tanh(c)."""
    gates = x if state is None else cell.add(x, cell.again(state[0]))
    both, g, o = cell.parts(gates, 2, 1, 1)
    i, f = cell.parts(cell.smooth("sigmoid", both), 1, 1)
    c = cell.times(i, cell.smooth("tanh", g))
    if state is not None:
        c = cell.add(cell.times(f, state[1]), c)
    return cell.times(cell.smooth("sigmoid", o), cell.smooth("tanh", c)), c


def _gru_step(cell: _Cell, x: Wire, state: State | None) -> State:
    """r, z = sigmoid(W x + U h);  n = tanh(W' x + r (U' h + b));  h = n + z (h - n)."""
    build = cell.build
    first, last = cell.parts(x, 2, 1)
    h = state[0] if state is not None else scaled(build, last, 0.0)
    # the bias stands in the recurrent weights' last column, behind a state that ends in 1
    one = build.emit(Bent, build.cut(h, 0, 0, 1), shape=(1,), offset=1.0, slope=0.0, bends=())
    again = cell.again(build.emit(Concat, h, one, shape=(h.shape[0] + 1,), axis=0))
    first_again, last_again = cell.parts(again, 2, 1)
    r, z = cell.parts(cell.smooth("sigmoid", cell.add(first, first_again)), 1, 1)
    n = cell.smooth("tanh", cell.add(last, cell.times(r, last_again)))
    return (cell.add(n, cell.times(z, cell.add(h, scaled(build, n, -1.0)))),)


def _plain_step(function: str) -> Step:
    def step(cell: _Cell, x: Wire, state: State | None) -> State:
        """h = function(W x + U h)."""
        total = x if state is None else cell.add(x, cell.again(state[0]))
        if function == "relu":
            return (cell.build.emit(Relu, total, shape=total.shape),)
        return (cell.smooth(function, total),)

    return step


def _unrolled(step: Step, states: int, *, apart: bool = False) -> Translation:
    """The layer of a step; `apart`: its two biases are not added up."""

    def translate(build: GraphBuilder, call: Call) -> tuple[Wire, ...]:
        wire = call.wire("input")
        if len(wire.shape) != 2 or wire.at != (0 if call["batch_first"] else 1):
            raise Refused("its input has no batch where it expects it; batch_first=True takes (batch, steps, features)")
        if call["train"] and call["dropout"]:
            raise Refused("dropout is on although the network is in eval mode")
        at, wire = wire.at, Wire(wire.name, wire.shape)
        weights, firsts = _weights(call), _first_states(build, call)
        last: list[State] = []
        for _ in range(call["num_layers"]):
            ways = []
            for backwards in (False, True)[: 1 + bool(call["bidirectional"])]:
                rows, state = _run(build, step, wire, weights.pop(0), firsts.pop(0), backwards=backwards, apart=apart)
                ways.append(rows)
                last.append(state)
            wire = ways[0] if len(ways) == 1 else _joined(build, ways, 1)
        ends = [
            _joined(build, [build.reshape(state[k], (1, *state[k].shape)) for state in last], 0) for k in range(states)
        ]
        return (Wire(wire.name, wire.shape, at=at), *(Wire(end.name, end.shape, at=1) for end in ends))

    return translate


def _run(
    build: GraphBuilder,
    step: Step,
    wire: Wire,
    weights: Sequence[torch.Tensor],
    first: First,
    *,
    backwards: bool,
    apart: bool,
) -> tuple[Wire, State]:
    """All steps of one direction: their states, (steps, size), and the last one."""
    inner, recurrent, *biases = weights
    bias = biases[0] if biases else None
    if apart:
        column = biases[1] if biases else torch.zeros(len(recurrent))
        recurrent = torch.cat([recurrent, column.unsqueeze(1)], 1)
    elif biases:
        bias = biases[0] + biases[1]
    cell = _Cell(build, recurrent, bias)
    size = weights[1].shape[1]
    steps = wire.shape[0]
    all_inputs = build.emit(Linear, wire, shape=(steps, len(inner)), weight=inner, bias=bias)
    state = _begun(build, first, build.reshape(build.cut(build.cut(all_inputs, 0, 0, 1), 1, 0, size), (size,)))
    rows: list[Wire] = []
    for place in reversed(range(steps)) if backwards else range(steps):
        x = build.reshape(build.cut(all_inputs, 0, place, place + 1), (len(inner),))
        state = step(cell, x, state)
        rows.append(build.reshape(state[0], (1, *state[0].shape)))
    if state is None:
        raise Refused("it has no steps")
    return _joined(build, rows[::-1] if backwards else rows, 0), state


def _joined(build: GraphBuilder, parts: list[Wire], axis: int) -> Wire:
    if len(parts) == 1:
        return parts[0]
    shape = list(parts[0].shape)
    shape[axis] = sum(part.shape[axis] for part in parts)
    return build.emit(Concat, *parts, shape=tuple(shape), axis=axis)


def _weights(call: Call) -> list[list[torch.Tensor]]:
    """The weights of each layer and direction: inner, recurrent, and two biases where there are any."""
    given = list(call["params"])
    if any(not isinstance(item, torch.Tensor) for item in given):
        raise Refused("its weights depend on the private input")
    each = 4 if call["has_biases"] else 2
    if len(given) != each * call["num_layers"] * (1 + bool(call["bidirectional"])):
        raise Refused("a recurrent layer with projections is not supported")
    return [given[k : k + each] for k in range(0, len(given), each)]


def _first_states(build: GraphBuilder, call: Call) -> list[First]:
    """Of each layer and direction, each (size,)."""
    given = call["hx"] if isinstance(call["hx"], list | tuple) else [call["hx"]]
    return [
        tuple(_first_state(build, state, place) for state in given)
        for place in range(call["num_layers"] * (1 + bool(call["bidirectional"])))
    ]


def _first_state(build: GraphBuilder, given: Wire | torch.Tensor, place: int) -> Wire | torch.Tensor:
    if isinstance(given, Wire):
        if given.at != 1 or given.merged:
            raise Refused("its first state has no batch where it expects it, behind the layers")
        return build.reshape(build.cut(replace(given, at=0), 0, place, place + 1), given.shape[1:])
    rows = given[place]
    if not torch.equal(rows, rows[:1].expand_as(rows)):
        raise Refused("its first state depends on the place in the batch")
    return rows[0]


def _begun(build: GraphBuilder, first: First, like: Wire) -> State | None:
    """The state before the first step; None where it is zero. like: a wire (size,)."""
    if not any(isinstance(part, Wire) or bool(part.any()) for part in first):
        return None
    return tuple(
        part if isinstance(part, Wire) else affine(build, scaled(build, like, 0.0), shift=part) for part in first
    )


RECURRENT: Mapping[Any, Translation] = MappingProxyType(
    {
        aten.lstm.input: _unrolled(_lstm_step, 2),
        aten.gru.input: _unrolled(_gru_step, 1, apart=True),
        aten.rnn_tanh.input: _unrolled(_plain_step("tanh"), 1),
        aten.rnn_relu.input: _unrolled(_plain_step("relu"), 1),
    }
)
