"""The simplifications: what they change, and that the network still computes the same."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from analytics.nn.folding import fold_affines, fold_scales
from analytics.nn.weighted import WeightedGraph
from icm_ray.network.layers import AvgPool
from icm_ray.network.passes import drop_unused, merge_reshapes, relu_after_max_pool
from tests.analytics.nn.import_checks import imported, kinds, same

torch.set_num_threads(1)

IMAGE = (4, 8, 8)


class Times(nn.Module):
    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.factor


class Residual(nn.Module):
    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.inner(x)


def _folded(net: nn.Module, *shape: int) -> tuple[WeightedGraph, WeightedGraph]:
    before = imported(net, *shape)
    unchanged = {key: array.copy() for key, array in before.weights.items()}
    after = fold_scales(before)
    same(after, net, torch.randn(3, *shape, generator=torch.Generator().manual_seed(5)))
    assert all((before.weights[key] == array).all() for key, array in unchanged.items())
    return before, after


def _pools(graph: WeightedGraph) -> list[bool]:
    return [node.folded for node in graph.nodes if isinstance(node, AvgPool)]


def test_a_divisor_folds_into_the_next_product() -> None:
    before, after = _folded(nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(4, 3, 3)), *IMAGE)
    assert (_pools(before), _pools(after)) == ([False], [True])
    _, after = _folded(nn.Sequential(nn.AvgPool2d(3, 1, 1), nn.Flatten(), nn.Linear(256, 3)), *IMAGE)
    assert _pools(after) == [True]
    _, after = _folded(nn.Sequential(nn.AvgPool2d(2), nn.BatchNorm2d(4)), *IMAGE)
    assert _pools(after) == [True]


def test_a_divisor_stays_where_it_cannot_go() -> None:
    for net in (
        nn.Sequential(nn.AvgPool2d(2), nn.ReLU(), nn.Conv2d(4, 3, 3)),
        nn.Sequential(nn.AvgPool2d(2), Residual(nn.Conv2d(4, 4, 1))),
        nn.Sequential(nn.Conv2d(4, 3, 3), nn.AvgPool2d(2)),
        nn.Sequential(nn.AvgPool2d(3, 1, 1, count_include_pad=False), nn.Conv2d(4, 3, 3)),
    ):
        assert _pools(_folded(net, *IMAGE)[1]) == [False]


def test_divisors_that_are_powers_of_two_may_stay() -> None:
    net = nn.Sequential(
        nn.AvgPool2d(2), nn.Conv2d(4, 4, 3), nn.AvgPool2d((1, 3), 1, (0, 1)), Times(0.5), nn.Conv2d(4, 3, 1)
    )
    graph = fold_scales(imported(net, *IMAGE), keep_powers_of_two=True)
    assert _pools(graph) == [False, True]
    assert "scale" in kinds(graph)


@pytest.mark.parametrize(
    ("net", "expected"),
    [
        (nn.Sequential(Times(0.3), nn.Conv2d(4, 3, 3)), ["conv"]),
        (nn.Sequential(nn.Conv2d(4, 3, 3), Times(-0.3)), ["conv"]),
        (nn.Sequential(nn.Conv2d(4, 3, 3), nn.Flatten(), Times(0.3), nn.ReLU()), ["conv", "flatten", "relu"]),
        (nn.Sequential(nn.BatchNorm2d(4), Times(0.3)), ["affine"]),
        (nn.Sequential(Times(0.3), Times(3.0), nn.AvgPool2d(2), nn.Conv2d(4, 3, 3)), ["avg_pool", "conv"]),
        (nn.Sequential(nn.ReLU(), Times(0.3), nn.ReLU()), ["relu", "scale", "relu"]),
        (nn.Sequential(nn.Conv2d(4, 4, 1), Residual(Times(0.3))), ["conv", "scale", "add"]),
        (Times(0.3), ["scale"]),
    ],
)
def test_scales(net: nn.Module, expected: list[str]) -> None:
    assert kinds(_folded(net, *IMAGE)[1]) == expected


def test_relu_moves_behind_the_max_pool() -> None:
    net = nn.Sequential(nn.Conv2d(4, 3, 3), nn.ReLU(), nn.MaxPool2d(3, 2, 1), nn.Conv2d(3, 2, 1))
    before = imported(net, *IMAGE)
    after = before.simplified(relu_after_max_pool)
    assert kinds(after) == ["conv", "max_pool", "relu", "conv"]
    assert after.graph.node("relu_1").shape == before.graph.node("max_pool_1").shape
    x = torch.randn(3, *IMAGE)
    same(after, net, x)
    last = nn.Sequential(nn.ReLU(), nn.MaxPool2d(2))
    same(imported(last, *IMAGE).simplified(relu_after_max_pool), last, x)


def test_relu_with_another_reader_stays() -> None:
    class Both(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = x.relu()
            return nn.functional.max_pool2d(y, 2) + y[:, :, ::2, ::2]

    graph = imported(Both(), *IMAGE)
    assert graph.simplified(relu_after_max_pool) == graph


def test_passes_that_find_nothing_change_nothing() -> None:
    graph = imported(nn.Sequential(nn.Conv2d(4, 3, 3), nn.ReLU()), *IMAGE)
    for fold in (fold_affines, fold_scales):
        assert fold(graph) == graph
    for simplify in (drop_unused, merge_reshapes, relu_after_max_pool):
        assert simplify(graph.graph) == graph.graph
