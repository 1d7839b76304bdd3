"""A network with its weights: they fit, and stay silent."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from analytics.nn.layers import RULES
from analytics.nn.weighted import WeightedGraph
from icm_ray.errors import ProgramError
from icm_ray.network.graph import Graph
from icm_ray.network.layers import LAYERS, Linear, kind_of


def _network() -> WeightedGraph:
    head = Linear(
        name="linear_1",
        module="head",
        inputs=("input",),
        shape=(4,),
        weight="linear_1.weight",
        bias="linear_1.bias",
    )
    weights = {"linear_1.weight": np.full((4, 18), 0.1234567), "linear_1.bias": np.full(4, 0.1234567)}
    return WeightedGraph(Graph((head,), (18,), "linear_1"), weights)


def test_no_weight_is_printed_or_pickled() -> None:
    network = _network()
    assert "0.123" not in repr(network) + str(network)
    with pytest.raises(TypeError, match="graph"):
        pickle.dumps(network)


def test_weights_are_read_only() -> None:
    network = _network()
    with pytest.raises(ValueError, match="read-only"):
        network.weights["linear_1.bias"][0] = 1.0
    with pytest.raises(TypeError):
        network.weights["linear_1.bias"] = np.zeros(4)  # type: ignore[index]


def test_weights_that_do_not_fit() -> None:
    network = _network()
    with pytest.raises(ProgramError, match=r"linear_1\.bias"):
        WeightedGraph(network.graph, {"linear_1.weight": np.zeros((4, 18))})
    with pytest.raises(ProgramError, match="float64"):
        WeightedGraph(network.graph, {**network.weights, "linear_1.bias": np.zeros(4, np.float32)})
    with pytest.raises(ProgramError, match="float64"):
        WeightedGraph(network.graph, {**network.weights, "linear_1.bias": np.zeros(5)})


def test_every_kind_of_layer_has_its_rules_in_a_file_of_the_same_name() -> None:
    assert set(RULES) == set(LAYERS)
    for kind, rules in RULES.items():
        files = {defined.__module__.rpartition(".")[2] for defined in (kind, type(rules))}
        assert files == {kind_of(kind)}
