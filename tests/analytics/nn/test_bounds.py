"""Bounds that samples measure: published where sound ranges do not fit, checked on shares, for any kind of layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from msgspec.structs import replace
from torch import nn

from analytics.nn.calibration import Samples, random_samples
from analytics.nn.compile import Compiled, compile_calibrated, compile_graph
from analytics.nn.intake import Intake
from analytics.nn.loaded import LoadedWeights
from analytics.nn.model import SecureModel
from analytics.nn.reference import run_reference
from analytics.nn.weighted import WeightedGraph, named
from icm_ray.errors import BoundError, BoundExceeded, NullError, ShapeError
from icm_ray.network.graph import Graph
from icm_ray.network.layer import INPUT
from icm_ray.network.layers import Linear, Relu
from icm_ray.network.programs import WeightLoad, program_of
from icm_ray.ops.compare import AtLeast, CheckFlag
from icm_ray.runtime.carriers.threads import ThreadEngine
from tests.analytics.nn.secure_checks import images, plain


def rotations(depth: int, relu: bool, size: int = 16) -> nn.Sequential:
    """Orthogonal layers: values stay about as large as they are, while sums of magnitudes double at each and more."""
    torch.manual_seed(depth)
    layers: list[nn.Module] = []
    for _ in range(depth):
        linear = nn.Linear(size, size)
        nn.init.orthogonal_(linear.weight)
        nn.init.uniform_(linear.bias, 0.0, 0.5 if relu else 0.1)
        layers += [linear, nn.ReLU()] if relu else [linear]
    return nn.Sequential(*layers).eval()


def graph_of(net: nn.Sequential) -> WeightedGraph:
    """Of linear layers and ReLUs; what an import makes of them, sooner."""
    nodes: list[Any] = []
    weights: dict[str, np.ndarray] = {}
    for place, module in enumerate(net):
        facts: dict[str, Any] = {"inputs": (nodes[-1].name if nodes else INPUT,), "module": str(place)}
        if isinstance(module, nn.Linear):
            names = {"weight": f"w{place}", "bias": f"b{place}"}
            nodes.append(Linear(name=f"linear_{place}", shape=(module.out_features,), **names, **facts))
            weights |= {names[key]: value.detach().double().numpy() for key, value in module.named_parameters()}
        else:
            nodes.append(Relu(name=f"relu_{place}", shape=nodes[-1].shape, **facts))
    return WeightedGraph(Graph(tuple(nodes), (net[0].in_features,), nodes[-1].name), weights)


@pytest.mark.parametrize("relu", [True, False])
@pytest.mark.few(1)
def test_deep_networks_need_no_declared_number(relu: bool) -> None:
    net, x = rotations(26, relu, size=64), images(64, batch=3).clamp(-1, 1)
    with pytest.raises(BoundError, match="sound bounds"):
        compile_graph(graph_of(net), 16, 0)
    with ThreadEngine() as session:
        model = SecureModel(session, net, "alice", (x,), input_bound=1.0)
        bounds = model._public.scheme.bounds
        assert 0 < len(bounds) < 13
        assert all(name.startswith("relu" if relu else "linear") for name in bounds)
        prediction = model.predict(x, owner="bob")
        assert f"checked on shares: values of {len(bounds)} layers stay below 2^" in prediction.explain()
        difference = np.abs(prediction.reveal(to="bob") - plain(net, x)).max()
    assert difference <= model.expected_error <= min(model.error, 2**-8)


def test_three_products_in_a_row_fit() -> None:
    torch.manual_seed(3)
    net = nn.Sequential(*(nn.Linear(32, 32) for _ in range(3))).eval()
    assert compile_graph(graph_of(net), 16, 3, bound=6).model.scheme.bounds == {}


@pytest.mark.slow
def test_checks_of_any_number_are_one_flag() -> None:
    network = graph_of(rotations(130, relu=True, size=2))
    model = compile_graph(network, 16, 2, gain=8, bound=6).model
    assert len(model.scheme.bounds) > 64
    question = WeightLoad(model=model, version="1", owner="alice").prediction(
        images="bob", count=32, output="label", to="bob"
    )
    program = program_of(question, ("alice", "bob"))
    types = program.types()
    (flag,) = [types[node.inputs[1]] for node in program.nodes if isinstance(node.op, CheckFlag)]
    (count,) = [types[node.inputs[0]] for node in program.nodes if isinstance(node.op, AtLeast)]
    assert (flag.count, flag.width) == (1, 2)
    assert count.width <= 16


class Between(nn.Module):
    """What is checked stands between two products that change nothing."""

    def __init__(self, middle: Callable[[torch.Tensor], torch.Tensor], size: int) -> None:
        super().__init__()
        self.first, self.last, self.middle = nn.Linear(2, 2, bias=False), nn.Linear(size, size, bias=False), middle
        with torch.no_grad():
            self.first.weight.copy_(torch.eye(2))
            self.last.weight.copy_(torch.eye(size))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.middle(self.first(x)))


BETWEEN = {
    "linear_1": (lambda x: x, 2),
    "relu_1": (torch.relu, 2),
    "add_1": (lambda x: 0.5 * x + 0.5 * x, 2),
    "concat_1": (lambda x: torch.cat([x, torch.relu(x)], 1), 4),
}


@pytest.mark.parametrize("name", BETWEEN)
@pytest.mark.few(2)
def test_any_layers_value_is_held_to_its_bound_exactly(name: str, lanes: ThreadEngine) -> None:
    net = Between(*BETWEEN[name]).eval()
    model = SecureModel(lanes, net, "alice", (torch.zeros(1, 2),), input_bound=1024.0)
    assert model._compiled is not None
    public = replace(model._public, scheme=replace(model._public.scheme, bounds={name: 2}))
    made = Compiled(public, model._compiled.network)
    model._compiled, model._loaded = made, LoadedWeights(lanes, made, "alice", model._loaded.quota)
    for value in (3.99, 4.0, -3.99, -4.0, 900.0, -900.0):
        x = torch.tensor([[0.5, 1.0], [value, 0.25]])
        prediction = model.predict(x, owner="bob")
        if abs(value) < 4 or (name == "relu_1" and value < 0):  # a ReLU's values are never below zero
            np.testing.assert_allclose(prediction.reveal(to="bob"), plain(net, x), atol=1e-3)
        else:
            with pytest.raises(BoundExceeded, match="withheld"):
                prediction.reveal(to="bob")


def test_samples_of_the_owner_are_what_bounds_follow_from() -> None:
    network, x = graph_of(rotations(26, relu=True, size=64)), images(64, batch=20)
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, torch.zeros(20)), batch_size=3)

    def found(given: Any, margin: float = 4.0) -> dict[str, int]:
        samples = Samples(given, network.graph, 2, Intake())
        assert sum(map(len, samples.few())) == 16
        return compile_calibrated(network, 16, 2, samples, margin).model.scheme.bounds

    bounds = found(x)
    assert bounds == found(x.numpy()) == found(iter([x[:4], x[4:]])) == found(loader)
    largest = {
        name: max(
            run_reference(named(replace(network.graph, output=name), network.weights), x.double().numpy()).max(), 0
        )
        for name in bounds
    }
    assert all(2 * value < 2.0 ** bounds[name] <= 8.1 * value for name, value in largest.items())
    assert min(found(x, 64.0).values()) >= min(bounds.values()) + 3


def test_random_samples_are_within_the_declared_range_and_always_the_same() -> None:
    first, second = (random_samples((2, 7, 6), 3, 16) for _ in range(2))
    assert np.array_equal(first, second)
    assert first.shape == (16, 2, 7, 6)
    assert 4 < np.abs(first).max() <= 8


def test_weights_have_as_many_bits_as_activations_or_both_share() -> None:
    network = graph_of(rotations(5, relu=True))
    errors = {}
    for f in (12, 16, 20, 22):
        found = compile_graph(network, f, 4).model
        assert min(kind.f for kind in found.lowered.weights.values()) >= min(found.scheme.f - 1, 20)
        errors[f] = found.error
    assert errors[22] <= errors[20] <= errors[16] < errors[12]


@pytest.mark.parametrize(
    ("samples", "error"),
    [
        (np.zeros((2, 5)), ShapeError),
        ([], ShapeError),
        (iter([]), ShapeError),
        (7, ShapeError),
        (np.full((1, 4), np.nan), NullError),
        (np.full((1, 4), 9.0), BoundError),
        (np.zeros((1, 4), dtype=complex), ShapeError),
        (np.ma.masked_array(np.zeros((1, 4)), mask=True), NullError),
    ],
)
def test_bad_samples_are_refused(samples: Any, error: type[Exception]) -> None:
    graph = graph_of(rotations(1, relu=True, size=4)).graph
    with pytest.raises(error):
        Samples(samples, graph, 2, Intake())


def test_samples_are_prepared_as_images_are() -> None:
    graph, x = graph_of(rotations(1, relu=True, size=4)).graph, images(4).numpy()
    (found,) = Samples(x, graph, 2, Intake.of(0.5, (0.25, 2.0), (4,))).all()
    np.testing.assert_allclose(found, (0.5 * x.astype(float) - 0.25) / 2)
