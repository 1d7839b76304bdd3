"""The one body of the import tests: the graph computes what the torch module computes in float64."""

from __future__ import annotations

import copy

import numpy as np
import torch
from torch import nn

from analytics.nn.importer import import_model
from analytics.nn.reference import run_reference
from analytics.nn.weighted import WeightedGraph
from icm_ray.network.layers import kind_of


def settle(net: nn.Module) -> nn.Module:
    """Eval mode, with batch normalisation that is not the identity."""
    generator = torch.Generator().manual_seed(7)
    for module in net.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.running_mean is not None:
            assert module.running_var is not None
            module.running_mean.normal_(generator=generator)
            module.running_var.uniform_(0.5, 2.0, generator=generator)
            if module.affine:
                nn.init.normal_(module.weight, generator=generator)
                nn.init.normal_(module.bias, generator=generator)
    return net.eval()


def same(graph: WeightedGraph, net: nn.Module, x: torch.Tensor) -> None:
    """The graph's output is the network's, in float64, to 1e-9 of the largest value."""
    with torch.no_grad():
        expected = copy.deepcopy(net).double()(x.double()).numpy()
    actual = run_reference(graph, x.double().numpy())
    assert actual.shape == expected.shape == (len(x), *graph.graph.output_shape)
    np.testing.assert_allclose(actual, expected, rtol=1e-9, atol=1e-9 * max(float(np.abs(expected).max()), 1e-300))


def imported(net: nn.Module, *shape: int, batch: int = 2) -> WeightedGraph:
    """Import `net` on a batch of per-sample `shape`, and compare on another batch size where the network takes it."""
    settle(net)
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(batch, *shape, generator=generator)
    graph = import_model(net, (x,))
    same(graph, net, x)
    return graph


def kinds(graph: WeightedGraph) -> list[str]:
    """The kinds of the nodes, in order."""
    return [kind_of(node) for node in graph.nodes]
