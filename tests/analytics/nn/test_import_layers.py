"""Each kind of layer alone, and small combinations, against torch."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn
from torch.export import ExportedProgram
from torch.nn import functional

from analytics.nn.importer import import_model, preflight
from analytics.nn.reference import run_reference
from icm_ray.network.layers import AvgPool, Conv, Scale
from tests.analytics.nn.import_checks import imported, kinds, same

torch.set_num_threads(1)

Forward = Callable[[torch.Tensor], torch.Tensor]


class Fn(nn.Module):
    """A module out of a function."""

    def __init__(self, function: Forward) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(x)


IMAGE = (4, 9, 11)

CONVOLUTIONS = {
    "plain": nn.Conv2d(4, 6, 3),
    "wide": nn.Conv2d(4, 6, (3, 5), stride=(2, 1), padding=(1, 2), dilation=(1, 2)),
    "groups": nn.Conv2d(4, 8, 3, groups=2, bias=False),
    "depthwise": nn.Conv2d(4, 4, 3, groups=4, padding=1),
    "same": nn.Conv2d(4, 6, (4, 3), padding="same"),
    "valid": nn.Conv2d(4, 6, 2, padding="valid"),
}


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_convolution(name: str) -> None:
    assert kinds(imported(CONVOLUTIONS[name], *IMAGE)) == ["conv"]


@pytest.mark.slow
def test_convolution_of_one_dimension() -> None:
    net = nn.Sequential(
        nn.Conv1d(3, 5, 3, stride=2, padding=1), nn.BatchNorm1d(5), nn.ReLU(), nn.Conv1d(5, 2, 2, dilation=2)
    )
    graph = imported(net, 3, 16)
    assert kinds(graph).count("conv") == 2
    assert "affine" not in kinds(graph)
    assert kinds(imported(nn.Conv1d(3, 5, 4, padding="same"), 3, 16)) == ["reshape", "conv", "reshape"]


def test_linear_and_matrices() -> None:
    w = nn.Parameter(torch.randn(7, 5))

    class Matrices(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w = w
            self.v = nn.Buffer(torch.randn(5, 3))
            self.bias = nn.Parameter(torch.randn(3))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.addmm(self.bias, torch.mm(x @ self.w, self.v), self.v.t() @ self.v, beta=0.5, alpha=2)

    assert kinds(imported(nn.Linear(7, 3), 7)) == ["linear"]
    assert kinds(imported(nn.Linear(7, 3, bias=False), 4, 7)) == ["linear"]
    assert kinds(imported(Matrices(), 7)) == ["linear"] * 3


@pytest.mark.slow
def test_batch_norm_folds_into_the_product_before_it() -> None:
    assert kinds(imported(nn.Sequential(nn.Conv2d(4, 6, 3), nn.BatchNorm2d(6)), *IMAGE)) == ["conv"]
    assert kinds(imported(nn.Sequential(nn.Linear(7, 3, bias=False), nn.BatchNorm1d(3)), 7)) == ["linear"]
    assert kinds(imported(nn.BatchNorm2d(4, affine=False), *IMAGE)) == ["affine"]
    assert kinds(imported(nn.Sequential(nn.BatchNorm2d(4), nn.BatchNorm2d(4), nn.ReLU()), *IMAGE)) == ["affine", "relu"]


def test_batch_norm_stays_where_the_product_has_another_reader() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.bn = nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = self.conv(x)
            return self.bn(y) + y

    assert kinds(imported(Two(), *IMAGE)) == ["conv", "affine", "add"]


def test_one_module_called_twice_folds_each_call() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.a, self.b = nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4), nn.BatchNorm2d(4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.b(self.conv(self.a(self.conv(x))))

    graph = imported(Twice(), *IMAGE)
    assert kinds(graph) == ["conv", "conv"]
    assert [node.module for node in graph.nodes] == ["conv", "conv"]


POOLS = {
    "max": nn.MaxPool2d(2),
    "max padded": nn.MaxPool2d(3, 2, 1),
    "max ceil": nn.MaxPool2d((3, 2), (2, 3), 1, ceil_mode=True),
    "max dilated": nn.MaxPool2d(2, 1, dilation=3),
    "max indices": Fn(lambda x: functional.max_pool2d(x, 2, return_indices=True)[0]),
    "avg": nn.AvgPool2d(3),
    "avg padded": nn.AvgPool2d(3, 2, 1),
    "avg without padding": nn.AvgPool2d(3, 2, 1, count_include_pad=False),
    "avg ceil": nn.AvgPool2d(2, 2, ceil_mode=True),
    "avg ceil padded": nn.AvgPool2d((3, 4), (2, 3), (1, 2), ceil_mode=True),
    "avg ceil without padding": nn.AvgPool2d(4, 3, 2, ceil_mode=True, count_include_pad=False),
    "avg divisor": nn.AvgPool2d(3, 2, 1, divisor_override=5),
    "avg global": nn.AdaptiveAvgPool2d(1),
    "avg adaptive": nn.AdaptiveAvgPool2d((3, 11)),
    "max global": nn.AdaptiveMaxPool2d(1),
    "max adaptive": nn.AdaptiveMaxPool2d((3, 1)),
    "mean": Fn(lambda x: x.mean([2, 3])),
    "mean kept": Fn(lambda x: x.mean((-1, -2), keepdim=True)),
    "mean of one axis": Fn(lambda x: x.mean(3)),
    "sum": Fn(lambda x: x.sum((2, 3))),
    "amax": Fn(lambda x: x.amax((2, 3))),
}


@pytest.mark.parametrize("name", POOLS)
@pytest.mark.few(5)
def test_pool(name: str) -> None:
    graph = imported(POOLS[name], *IMAGE)
    assert kinds(graph)[0] == ("max_pool" if "max" in name else "avg_pool")


@pytest.mark.parametrize(
    "pool",
    [nn.MaxPool1d(3, 2, 1), nn.AvgPool1d(3, 2, 1), nn.AdaptiveAvgPool1d(4), Fn(lambda x: x.mean(2)), nn.MaxPool1d(2)],
)
def test_pool_of_one_dimension(pool: nn.Module) -> None:
    imported(pool, 3, 12)


def test_divisors_stand_on_the_node() -> None:
    (whole,) = imported(nn.AvgPool2d(3, 2, 1), *IMAGE).nodes
    assert isinstance(whole, AvgPool)
    assert (whole.divisor, whole.counts) == (9.0, None)
    (ragged,) = imported(nn.AvgPool2d(3, 2, 1, count_include_pad=False), *IMAGE).nodes
    assert isinstance(ragged, AvgPool)
    assert ragged.divisor is None
    assert ragged.counts == ((2.0, 3.0, 3.0, 3.0, 2.0), (2.0, 3.0, 3.0, 3.0, 3.0, 2.0))


def _without_gradients(x: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return functional.relu(x)


MEAN = torch.tensor([0.485, 0.456, 0.406, 0.5]).view(1, 4, 1, 1)

POINTWISE: dict[str, tuple[Forward, list[str]]] = {
    "relu": (functional.relu, ["relu"]),
    "clamp": (lambda x: x.clamp(min=0), ["relu"]),
    "half": (lambda x: x * 0.5, ["scale"]),
    "quarter": (lambda x: x / 4, ["scale"]),
    "left": (lambda x: 2 * x, ["scale"]),
    "minus": (lambda x: -x, ["scale"]),
    "one": (lambda x: x * 1, []),
    "plus": (lambda x: x + 1.5, ["affine"]),
    "less": (lambda x: 1 - x, ["scale", "affine"]),
    "normalised": (lambda x: (x - MEAN) / 0.25, ["affine", "scale"]),
    "channels": (lambda x: (x - MEAN) / MEAN * MEAN[0], ["affine"]),
    "whole numbers": (lambda x: x / torch.tensor([3, 7, 9, 11]).view(4, 1, 1), ["affine"]),
    "no gradients": (_without_gradients, ["relu"]),
    "twice": (lambda x: x + x, ["add"]),
    "alpha": (lambda x: torch.add(x, functional.relu(x), alpha=0.5), ["relu", "scale", "add"]),
    "difference": (lambda x: functional.relu(x) - x, ["relu", "scale", "add"]),
    "identity": (lambda x: functional.dropout(x.contiguous().clone().detach(), 0.5, False), []),
    "double": (lambda x: functional.relu(x.double()), ["relu"]),
}


@pytest.mark.parametrize("name", POINTWISE)
@pytest.mark.few(5)
def test_pointwise(name: str) -> None:
    function, expected = POINTWISE[name]
    assert kinds(imported(Fn(function), *IMAGE)) == expected


def test_a_factor_in_the_code_is_public_and_a_parameter_is_not() -> None:
    class Learned(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gain = nn.Parameter(torch.tensor(1.75))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * self.gain

    assert kinds(imported(Learned(), *IMAGE)) == ["affine"]
    (node,) = imported(Fn(lambda x: x / 8), *IMAGE).nodes
    assert isinstance(node, Scale)
    assert node.factor == 0.125


LAYOUT: dict[str, tuple[Forward, list[str]]] = {
    "flatten": (lambda x: x.flatten(1), ["flatten"]),
    "view": (lambda x: x.view(x.size(0), -1), ["flatten"]),
    "reshape": (lambda x: x.reshape(x.size(0), 2, -1), ["reshape"]),
    "back": (lambda x: x.flatten(1).view_as(x), []),
    "unsqueeze": (lambda x: x.unsqueeze(-1), ["reshape"]),
    "squeeze": (lambda x: x.mean(3, keepdim=True).squeeze(-1), ["avg_pool", "reshape"]),
    "slice": (lambda x: x[:, 1:3, ::2, 1::3], ["slice"] * 3),
    "crop": (lambda x: functional.pad(x, (-1, -2, 0, 3)), ["slice", "pad"]),
    "select": (lambda x: x[:, -1], ["slice", "reshape"]),
    "pad": (lambda x: functional.pad(x, (1, 2, 0, 3)), ["pad"]),
    "zero pad": (nn.ZeroPad2d(2), ["pad"]),
    "option A": (lambda x: functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 2, 2)), ["slice", "slice", "pad"]),
    "concat": (lambda x: torch.cat([x, functional.relu(x)], 1), ["relu", "concat"]),
    "concat along the width": (lambda x: torch.cat((x, x), dim=-1), ["concat"]),
    "chunk": (lambda x: torch.cat(x.chunk(3, 1)[::-1], 1), ["slice", "slice", "concat"]),
    "split": (lambda x: x.split([1, 3], 1)[1], ["slice"]),
    "permute": (lambda x: x.permute(0, 2, 3, 1), ["permute"]),
    "shuffle": (
        lambda x: x.view(-1, 2, 2, 9, 11).transpose(1, 2).reshape(-1, 4, 9, 11),
        ["reshape", "permute", "reshape"],
    ),
}


OF_ONE = ("view", "reshape", "back", "squeeze", "select", "chunk", "shuffle")
"""Where a batch of one could be taken for an axis like others."""


@pytest.mark.parametrize(("name", "batch"), [*((name, 3) for name in LAYOUT), *((name, 1) for name in OF_ONE)])
@pytest.mark.few(5)
def test_layout(name: str, batch: int) -> None:
    function, expected = LAYOUT[name]
    assert kinds(imported(Fn(function), *IMAGE, batch=batch)) == expected


@pytest.mark.slow
def test_in_place_operations_change_what_reads_the_tensor_later() -> None:
    def forward(x: torch.Tensor) -> torch.Tensor:
        y = x * 3
        z = y.view(y.size(0), -1)
        functional.relu_(z)
        y += 1
        return y + z.view_as(y)

    imported(Fn(forward), *IMAGE)


def test_constants_are_computed_from_parameters() -> None:
    net = nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Conv2d(4, 3, 3)), nn.ReLU())
    assert kinds(imported(net, *IMAGE)) == ["conv", "relu"]


def test_constants_take_no_random_numbers_where_they_are_told_not_to() -> None:
    """Learned queries attend to one another, as those of decoders do, and pass dropouts that are off."""

    class Queries(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.queries, self.drop, self.slope = nn.Parameter(torch.randn(1, 3, 4)), nn.Dropout(), nn.RReLU()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            q = self.slope(self.drop(self.queries).expand(x.shape[0], -1, -1))
            return x + functional.scaled_dot_product_attention(q, q, q)

    imported(Queries(), 3, 4)


def test_half_precision_weights_are_widened() -> None:
    net = nn.Linear(7, 3).half().eval()
    graph = import_model(net, (torch.zeros(1, 7, dtype=torch.float16),))
    assert torch.equal(torch.tensor(graph.weights["linear_1.weight"]), net.weight.detach().double())


def test_layers_that_the_output_does_not_need_are_dropped() -> None:
    class Head(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.unused = nn.Linear(7, 3), nn.Sequential(nn.Linear(7, 3), nn.GELU())

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.unused(x)
            return self.used(x)

    assert kinds(imported(Head(), 7)) == ["linear"]


def test_module_paths() -> None:
    net = nn.Sequential(nn.Conv2d(4, 4, 3), nn.Sequential(nn.ReLU(), nn.Conv2d(4, 2, 3)))
    graph = imported(net, *IMAGE)
    assert [node.module for node in graph.nodes] == ["0", "1.0", "1.1"]
    assert isinstance(graph.nodes[0], Conv)


def test_a_network_that_changes_no_tensor_is_not_decomposed(monkeypatch):
    monkeypatch.delattr(ExportedProgram, "run_decompositions")
    block = nn.Sequential(nn.Conv2d(4, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.Dropout(), nn.MaxPool2d(2))
    imported(nn.Sequential(block, nn.Flatten(), nn.Linear(72, 3)), *IMAGE)


def changed_view(x):
    y = x * 1.0
    y.view(y.size(0), -1).add_(3.0)
    return y.relu()


def changed_copy(x):
    y = torch.ones(4).expand(x.size(0), 4).clone()
    y.mul_(x)
    return y


def changed_result(x):
    y = x + 0
    torch.add(x, 1, out=y)
    return y * 2


@pytest.mark.parametrize("function", [changed_view, changed_copy, changed_result])
@pytest.mark.few(1)
def test_a_tensor_that_is_changed_is_what_it_was_changed_to(function):
    imported(Fn(function), 4)


@pytest.mark.parametrize("operation", [torch.any, torch.all])
def test_truth_along_several_axes_where_the_batch_is_last(operation) -> None:
    net = Fn(lambda x: operation(x.permute(1, 2, 0) > 0.8, dim=(1,), keepdim=True).permute(2, 0, 1).float()).eval()
    x = torch.rand(3, 4, 4, generator=torch.Generator().manual_seed(3))
    same(import_model(net, (x,)), net, x)


def test_a_flag_and_a_mask_of_nothing() -> None:
    """One truth value names no places; a mask may name none."""

    class Flagged(torch.nn.Module):
        def __init__(self, flag: torch.Tensor) -> None:
            super().__init__()
            self.flag = torch.nn.Buffer(flag)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.cat([x, x[:, self.flag].flatten(1)], 1)

    x = torch.rand(3, 4, generator=torch.Generator().manual_seed(4))
    assert preflight(Flagged(torch.tensor(True)).eval(), (x,))
    net = Flagged(torch.tensor([True, False, True, True])).eval()
    same(import_model(net, (x,)), net, x)
    net = Flagged(torch.zeros(4, dtype=torch.bool)).eval()
    assert preflight(net, (x,)) or same(import_model(net, (x,)), net, x) is None


@pytest.mark.parametrize("options", [{"mode": mode} for mode in ("sum", "mean", "max")] + [{"padding_idx": 0}])
@pytest.mark.few(1)
def test_bags_of_embeddings(options) -> None:
    torch.manual_seed(6)
    net, tokens = torch.nn.EmbeddingBag(5, 3, **options).eval(), torch.tensor([[0, 4, 2, 2], [0, 0, 0, 0]])
    graph = import_model(net, (tokens,))
    with torch.no_grad():
        np.testing.assert_allclose(run_reference(graph, tokens.double().numpy()), net.double()(tokens), atol=1e-9)
