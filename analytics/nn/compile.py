"""From a graph to programs: one that loads the weights, and one for each batch size that predicts.

Ranges. The ring holds 64 bits, so every value needs a bound that all know. There are three ways to one:

sound       Intervals follow from the bound of the images and the weights. The weights' owner publishes one power of two
            for each product: that much is learned of the weights. Nothing is checked while the program runs.
calibrated  Where intervals grow beyond the ring, the last value before (a ReLU's, where there is one near) gets a bound
            of its own: what samples measured times a margin, as a power of two. The program counts on shares what is
            beyond, adds the counts up and opens one flag before any result; intervals start anew from there.
declared    The same with one bound for all activations that the owner declares. With a `gain`, one constant for the
            sums of magnitudes behind any output, nothing about single layers is published.

Either way the owner publishes the error bound of the result (`analysis.error_bound`), rounded up to a power of two.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from msgspec.structs import replace

from analytics.nn.analysis import Reach, bits_of, error_bound
from analytics.nn.calibration import Extent, Samples, limits, measured
from analytics.nn.domains import domain_of
from analytics.nn.folding import fold_scales
from analytics.nn.weighted import WeightedGraph
from icm_ray.errors import BoundError
from icm_ray.network.layer import INPUT, Layer
from icm_ray.network.layers import OnDomain, ProductLayer
from icm_ray.network.model import Lowered, PublicModel, lower_one
from icm_ray.network.passes import moves_first, relu_after_max_pool
from icm_ray.network.programs import bias_name
from icm_ray.network.scheme import WEIGHT_BITS, Domain, Scheme, TooWide, place_of
from icm_ray.query.held import HeldWeight
from icm_ray.ring.array import RingArray
from icm_ray.ring.fixed import encode

__all__ = ["Compiled", "compile_calibrated", "compile_graph", "compile_within", "enough_bits", "simplified"]


_FEWEST, _ENOUGH = 12, 20  # fractional bits of weights: fewer are refused; more checks are made before fewer are taken
_STEP = 2


@dataclass(frozen=True, slots=True)
class Compiled:
    """What all members know of a model, and the network with its weights, which the owner alone has."""

    model: PublicModel
    network: WeightedGraph = field(repr=False)

    def weights(self) -> dict[str, RingArray]:
        """Ring elements of weights and biases, by the names that a `WeightLoad` asks for; private, the owner's."""
        found: dict[str, RingArray] = {}
        for name, kind in self.model.lowered.weights.items():
            if self.model.graph.loaders[name] != name:
                continue
            node = self.model.graph.product(name)
            key, bias = node.weight_key, node.bias_key
            plain = np.ones(node.shape[0]) if key is None else self.network.weights[key]
            found[name] = encode(plain, kind.f, 62 - kind.f, name).reshape(kind.shape)
            if bias is not None:
                bits = self.model.lowered.result_bits[name]
                found[bias_name(name)] = encode(self.network.weights[bias], bits, 62 - bits, bias_name(name))
        return found

    def brought(self) -> tuple[Mapping[str, RingArray], Mapping[str, HeldWeight]]:
        """`weights`, which the owner's own process brings."""
        return self.weights(), {}


def enough_bits(f: int) -> int:
    """Fractional bits of weights that go with `f` of activations: as many, within limits."""
    return min(max(f, _FEWEST), _ENOUGH)


def simplified(imported: WeightedGraph) -> WeightedGraph:
    """What programs are made of: a network that computes the same with less."""
    return fold_scales(imported, keep_powers_of_two=True).simplified(relu_after_max_pool).simplified(moves_first)


def compile_within(
    network: WeightedGraph, f: int, inputs: int, bound: str | int, gain: int | None, samples: Samples, margin: float
) -> Compiled:
    """Choose the public numbers as `SecureModel` is asked to: bound is "sound", "auto" or a logarithm."""
    if bound == "sound":
        return compile_graph(network, f, inputs)
    if isinstance(bound, int):
        return compile_graph(network, f, inputs, gain, bound, samples=samples, margin=margin)
    try:
        return compile_graph(network, f, inputs, least=enough_bits(f))
    except BoundError as error:
        if "node" not in error.where:  # not for its ranges
            raise
    return compile_calibrated(network, f, inputs, samples, margin)


def compile_graph(
    network: WeightedGraph,
    f: int,
    inputs: int,
    gain: int | None = None,
    bound: int | None = None,
    least: int = _FEWEST,
    samples: Samples | None = None,
    margin: float = 1.0,
) -> Compiled:
    """Choose the public numbers for a network that has its weights, with sound or declared bounds.

    f: fractional bits of activations. inputs, gain, bound: logarithms; `bound` None asks for sound ranges, `gain` None
    for a bound by layer. least: fewest fractional bits of weights, of sound ranges. samples, margin: what says where
    functions are computed, where bounds are declared and ranges do not say it.
    Raises `BoundError` naming the layer that does not fit the ring, or whose weights are beyond the gain.
    """
    if bound is None:
        return _finished(*_sound(network, Scheme(f, inputs, least=least)))
    limits = {node.name: bound for node in network.nodes if node.rectifies}
    scheme = Scheme(f, inputs, gain, least=_ENOUGH if gain is not None else enough_bits(f))
    plan = _Plan(network, scheme, limits, None if samples is None else _Measure(network, samples), margin)
    compiled = _finished(plan, plan.lowered())
    if gain is not None:
        _check_gain(compiled, gain)
    return compiled


def compile_calibrated(network: WeightedGraph, f: int, inputs: int, samples: Samples, margin: float) -> Compiled:
    """Choose the public numbers where sound ranges do not fit: values are held to what samples measure.

    margin: how much larger than in all samples values may be, and smaller where functions need that.

    Raises `BoundError` naming the layer that does not fit the ring even so.
    """
    measure = _Measure(network, samples)
    plan = _Plan(network, Scheme(f, inputs, least=enough_bits(f)), limits(measure.extents, margin), measure, margin)
    return _finished(plan, plan.lowered())


@dataclass(frozen=True)
class _Measure:
    """What values are like in samples, which are looked at when it is first asked for."""

    network: WeightedGraph
    samples: Samples

    @cached_property
    def extents(self) -> Mapping[str, Extent]:
        return measured(self.network, self.samples.all())


class _Plan:
    """The public numbers under construction: products' bounds and functions' domains as layers are added, and bounds of
    checked values.
    """

    def __init__(
        self,
        network: WeightedGraph,
        scheme: Scheme,
        limits: Mapping[str, int],
        measure: _Measure | None = None,
        margin: float = 1.0,
    ) -> None:
        self.network, self.graph, self.limits = network, network.graph, limits
        self._measure, self._margin = measure, margin
        self.by_layer = scheme.gain is None
        self._order = {name: place for place, name in enumerate((INPUT, *self.graph.by_name))}
        self._readers = self.graph.consumers()
        self._start(scheme)

    def _start(self, scheme: Scheme) -> None:
        self.scheme = replace(scheme, layers={}, bounds=dict(scheme.bounds), domains={})
        self.reach = Reach(self.network, self.scheme)
        self._exact: Reach | None = None  # for domains alone

    def lowered(self) -> Lowered:
        """Check as few values as the ring allows: where a layer does not fit, the nearest one before it is checked.

        Where any value is checked, more are, so that products come in the low bits in which they are cheaper.
        """
        left: set[str] = set()
        while True:
            try:
                lowered = lower_one(self.graph, self.scheme, self._declare)
            except TooWide as error:
                self._relieve(error)
                continue
            wide = [(name, source) for name, source in lowered.long.items() if name not in left]
            if wide and self.scheme.bounds:
                name, source = wide[0]
                nearest = self._nearest([source])
                if nearest is None or not self.graph.node(nearest).rectifies:  # other checks cost more than they save
                    left.add(name)
                else:
                    self._check(nearest)
                continue
            bounds = sorted(self.scheme.bounds.items(), key=lambda item: self._order[item[0]])
            self.scheme = replace(self.scheme, bounds=dict(bounds))
            return lowered

    def _declare(self, node: Layer) -> None:
        if isinstance(node, OnDomain) and node.name not in self.scheme.domains:
            self.scheme.domains[node.name] = self._domain(node)
        if not self.by_layer:
            return
        if (isinstance(node, ProductLayer) or node.widens) and node.name not in self.scheme.layers:
            self.scheme.layers[node.name] = self.reach.bits(node.name)

    def _domain(self, node: OnDomain) -> Domain:
        if self._exact is None:
            self._exact = Reach(self.network, self.scheme, exact=True)
        extent = None if self._measure is None else self._measure.extents[node.source]
        return domain_of(node, self._exact.of(node.source), self.reach.of(node.source), extent, self._margin)

    def _relieve(self, error: TooWide) -> None:
        node = error.where["node"]
        nearest = self._nearest(self.graph.node(node).inputs if node else (self.graph.output,))
        if nearest is not None:
            self._check(nearest)
        elif self.limits and self.scheme.least > _FEWEST:
            self._start(replace(self.scheme, least=max(self.scheme.least - _STEP, _FEWEST)))
        else:
            raise error

    def _check(self, name: str) -> None:
        """Hold a value to its bound; what was known of those behind it is worked out anew."""
        self.scheme.bounds[name] = self.limits[name]
        self.reach.forget(name)
        self._exact = None
        for known in (self.scheme.layers, self.scheme.domains):
            for later in [later for later in known if self._order[later] >= self._order[name]]:
                del known[later]

    def _nearest(self, names: Iterable[str]) -> str | None:
        """The nearest value, from these on backwards, that a bound makes smaller: a ReLU's, or else any layer's."""
        queue = deque(names)
        seen: set[str] = set()
        other: str | None = None
        while queue:
            source = queue.popleft()
            if source == INPUT or source in seen or source in self.scheme.bounds:
                continue
            seen.add(source)
            node = self.graph.node(source)
            if self._helps(source):
                if node.rectifies:
                    return source
                other = other or source
            queue.extend(node.inputs)
        return other

    def _helps(self, name: str) -> bool:
        if name not in self.limits:
            return False
        readers = self._readers[name]
        if len(readers) == 1 and readers[0] and self.graph.node(readers[0]).rectifies:
            return False  # the ReLU's value is the one to check
        return not self.by_layer or self.limits[name] < self.reach.bits(name)


def _sound(network: WeightedGraph, scheme: Scheme) -> tuple[_Plan, Lowered]:
    """Sound ranges; where weights would have fewer bits than activations, both get about as many."""
    plan = _Plan(network, scheme, {})
    try:
        lowered = plan.lowered()
    except TooWide as error:
        reach = plan.scheme.layers.get(error.where["node"])
        raise BoundError(
            f"{place_of(error.where['module'])}: sound bounds"
            + (f" of its values reach 2^{reach}, which" if reach is not None else "")
            + f" does not fit the ring with {scheme.f} fractional bits; leave bound= out (values are measured on"
            " samples and checked while the program runs), declare a bound of activations, as in bound=64.0, or a"
            " smaller input_bound",
            **error.where,
        ) from error
    fewest = _fewest_bits(lowered)
    if fewest >= min(scheme.f, _ENOUGH):
        return plan, lowered
    # a bit less of activations is a bit more of weights; the coarser of the two makes the error
    evened = _Plan(network, replace(scheme, f=max((scheme.f + fewest + 1) // 2, _FEWEST)), {})
    finer = evened.lowered()
    return (evened, finer) if min(evened.scheme.f, _fewest_bits(finer)) > fewest else (plan, lowered)


def _fewest_bits(lowered: Lowered) -> int:
    return min((kind.f for kind in lowered.weights.values()), default=WEIGHT_BITS)


def _finished(plan: _Plan, lowered: Lowered) -> Compiled:
    error = 2.0 ** bits_of(error_bound(plan.network, plan.scheme, lowered, plan.reach.all()))
    return Compiled(PublicModel(plan.graph.anonymous(), plan.scheme, error), plan.network)


def _check_gain(compiled: Compiled, gain: int) -> None:
    """The owner's own check: sums of encoded magnitudes behind an output, and biases, stay within the declared gain."""
    coded, lowered = compiled.weights(), compiled.model.lowered
    for name, kind in lowered.weights.items():
        if name not in coded:
            continue
        magnitudes = np.abs(coded[name].view(np.int64).astype(np.float64)).reshape(kind.shape[0], -1)
        worst = {"weights behind one output": float(magnitudes.sum(axis=1).max()) * 2.0**-kind.f}
        if bias_name(name) in coded:
            biases = np.abs(coded[bias_name(name)].view(np.int64).astype(np.float64))
            worst["bias"] = float(biases.max()) * 2.0 ** -lowered.result_bits[name]
        for what, value in worst.items():
            if value > 2.0**gain:
                module = compiled.network.graph.node(name).module
                raise BoundError(
                    f"{place_of(module)}: its {what} are beyond weight_gain=2^{gain}; declare a larger one",
                    module=module,
                    gain=gain,
                )
