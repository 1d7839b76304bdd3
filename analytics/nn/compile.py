"""From a graph to programs: one that loads the weights, and one for each batch size that predicts.

Ranges. The ring holds 64 bits, so every value needs a bound that all know. There are two ways to one:

sound       Intervals follow from the bound of the images and the weights. The weights' owner publishes one power of two
            for each product: that much is learned of the weights. Nothing is checked while the program runs.
calibrated  The owner declares a bound for activations, and one constant (`gain`) for the sums of magnitudes behind an
            output, which it checks itself. Where ranges would grow beyond the ring, ReLUs are compared with the bound
            on shares; the counts are added up, and one flag is opened before any result is.

Either way the owner publishes the error bound of the result (`analysis.error_bound`), rounded up to a power of two.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np
from msgspec.structs import replace

from analytics.nn.analysis import bits_of, error_bound, ranges
from analytics.nn.weighted import WeightedGraph
from icm_ray.errors import BoundError
from icm_ray.network.graph import Graph
from icm_ray.network.layer import INPUT
from icm_ray.network.layers import ProductLayer
from icm_ray.network.model import Lowered, PublicModel, lower_one
from icm_ray.network.programs import bias_name
from icm_ray.network.scheme import Scheme, TooWide
from icm_ray.ring.array import RingArray
from icm_ray.ring.fixed import encode

__all__ = ["Compiled", "compile_graph"]


_FEWEST, _ENOUGH = 12, 20  # fractional bits of weights: fewer are refused; more checks are made before fewer are taken


@dataclass(frozen=True, slots=True)
class Compiled:
    """What all members know of a model, and the network with its weights, which the owner alone has."""

    model: PublicModel
    network: WeightedGraph = field(repr=False)

    def weights(self) -> dict[str, RingArray]:
        """Ring elements of weights and biases, by the names that a `WeightLoad` asks for; private, the owner's."""
        found: dict[str, RingArray] = {}
        for name, kind in self.model.lowered.weights.items():
            node = self.model.graph.product(name)
            key, bias = node.weight_key, node.bias_key
            plain = np.ones(node.shape[0]) if key is None else self.network.weights[key]
            found[name] = encode(plain, kind.f, 62 - kind.f, name).reshape(kind.shape)
            if bias is not None:
                bits = self.model.lowered.result_bits[name]
                found[bias_name(name)] = encode(self.network.weights[bias], bits, 62 - bits, bias_name(name))
        return found


def compile_graph(network: WeightedGraph, f: int, inputs: int, gain: int, bound: int | None) -> Compiled:
    """Choose the public numbers for a network that has its weights.

    f: fractional bits of activations. inputs, gain, bound: logarithms; `bound` None asks for sound ranges.
    Raises `BoundError` naming the layer that does not fit the ring, or whose weights are beyond the gain.
    """
    graph = network.graph
    if bound is None:
        scheme = Scheme(f, inputs, gain, least=_FEWEST)
        known = ranges(network, scheme)
        layers = {
            node.name: bits_of(float(known[node.name].magnitude.max()))
            for node in graph.nodes
            if isinstance(node, ProductLayer)
        }
        scheme, lowered = _sound(graph, replace(scheme, layers=layers))
    else:
        scheme, lowered = _calibrated(graph, Scheme(f, inputs, gain, bound, least=_ENOUGH))
        known = ranges(network, scheme)
    error = 2.0 ** bits_of(error_bound(network, scheme, lowered, known))
    compiled = Compiled(PublicModel(graph.anonymous(), scheme, error), network)
    if bound is not None:
        _check_gain(compiled)
    return compiled


def _sound(graph: Graph, scheme: Scheme) -> tuple[Scheme, Lowered]:
    try:
        return scheme, lower_one(graph, scheme)
    except TooWide as error:
        reach = scheme.layers.get(error.where["node"])
        raise BoundError(
            f"layer {error.where['module']!r}: sound bounds"
            + (f" of its values reach 2^{reach}, which" if reach is not None else "")
            + f" does not fit the ring with {scheme.f} fractional bits; declare a bound of activations that is checked"
            " while the program runs, as in bound=64.0, or a smaller input_bound",
            **error.where,
        ) from error


def _calibrated(graph: Graph, scheme: Scheme) -> tuple[Scheme, Lowered]:
    """Check as few ReLUs as the ring allows: where a layer does not fit, the nearest ReLU before it is checked."""
    while True:
        try:
            return scheme, lower_one(graph, scheme)
        except TooWide as error:
            nearest = _unchecked_before(graph, error.where["node"], scheme.checked)
            if nearest is not None:
                scheme = replace(scheme, checked=tuple(sorted((*scheme.checked, nearest))))
            elif scheme.least > _FEWEST:
                scheme = replace(scheme, least=_FEWEST)
            else:
                raise


def _unchecked_before(graph: Graph, name: str, checked: tuple[str, ...]) -> str | None:
    queue = deque(graph.node(name).inputs)
    while queue:
        source = queue.popleft()
        if source == INPUT:
            continue
        node = graph.node(source)
        if node.rectifies and source not in checked:
            return source
        queue.extend(node.inputs)
    return None


def _check_gain(compiled: Compiled) -> None:
    """The owner's own check: sums of encoded magnitudes behind an output, and biases, stay within the declared gain."""
    gain, coded, lowered = compiled.model.scheme.gain, compiled.weights(), compiled.model.lowered
    for name, kind in lowered.weights.items():
        magnitudes = np.abs(coded[name].view(np.int64).astype(np.float64)).reshape(kind.shape[0], -1)
        worst = {"weights behind one output": float(magnitudes.sum(axis=1).max()) * 2.0**-kind.f}
        if bias_name(name) in coded:
            biases = np.abs(coded[bias_name(name)].view(np.int64).astype(np.float64))
            worst["bias"] = float(biases.max()) * 2.0 ** -lowered.result_bits[name]
        for what, value in worst.items():
            if value > 2.0**gain:
                module = compiled.network.graph.node(name).module
                raise BoundError(
                    f"layer {module!r}: its {what} are beyond weight_gain=2^{gain} in magnitude; declare a larger one",
                    module=module,
                    gain=gain,
                )
