"""Whole networks: the trained ones of shared/data, and MiniONN's."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from analytics.nn.folding import fold_scales
from analytics.nn.importer import import_model, preflight
from analytics.nn.reference import run_reference
from icm_ray.network.layers import Relu
from tests.analytics.nn.import_checks import imported, kinds, same
from tests.analytics.nn.models import CifarResNet, SkinNet, loaded, minionn

torch.set_num_threads(1)


def _cifar(shared_data: Path, count: int) -> torch.Tensor:
    with np.load(shared_data / "cifar10_test_1000.npz", allow_pickle=False) as file:
        images = torch.from_numpy(file["images"][:count]).permute(0, 3, 1, 2).float() / 255
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    return ((images - mean.view(3, 1, 1)) / std.view(3, 1, 1)).contiguous()


def _lesions(shared_data: Path, count: int) -> torch.Tensor:
    with np.load(shared_data / "ham10000_28_test_1000.npz", allow_pickle=False) as file:
        return (torch.from_numpy(file["images"][:count]).permute(0, 3, 1, 2).float() / 127.5 - 1).contiguous()


@pytest.mark.parametrize(
    ("name", "blocks", "relus"),
    [("resnet20", 3, 188_416), pytest.param("resnet32", 5, 303_104, marks=pytest.mark.slow)],
)
@pytest.mark.slow
def test_resnet(shared_data: Path, name: str, blocks: int, relus: int) -> None:
    net = loaded(CifarResNet(blocks), load_file(shared_data / f"cifar10_{name}.safetensors"))
    images = _cifar(shared_data, 4)
    assert preflight(net, (images[:1],)) == ()
    graph = import_model(net, (images[:1],))
    same(graph, net, images)
    same(fold_scales(graph), net, images)
    assert sum(math.prod(node.shape) for node in graph.nodes if isinstance(node, Relu)) == relus
    assert "affine" not in kinds(graph)
    assert kinds(graph).count("conv") == 6 * blocks + 1
    modules = {node.module for node in graph.nodes}
    assert {"conv1", "layer1.0.conv1", "layer3.2.conv2", "linear"} <= modules


def test_resnet20_gives_the_logits_of_the_readme(shared_data: Path) -> None:
    net = loaded(CifarResNet(3), load_file(shared_data / "cifar10_resnet20.safetensors"))
    images = _cifar(shared_data, 1)
    logits = run_reference(import_model(net, (images,)), images.double().numpy())[0]
    expected = [-5.3097, -0.4958, 0.8773, 23.7305, -4.1050, 4.4637, -0.2343, -5.4179, -3.7118, -9.8822]
    np.testing.assert_allclose(logits, expected, atol=1e-3)


def test_skinnet(shared_data: Path) -> None:
    net = loaded(SkinNet(), load_file(shared_data / "ham10000_28_skinnet.safetensors"))
    images = _lesions(shared_data, 8)
    graph = import_model(net, (images[:2],))
    same(graph, net, images)
    same(fold_scales(graph), net, images)
    assert sum(math.prod(node.shape) for node in graph.nodes if isinstance(node, Relu)) == 65_856
    assert kinds(graph).count("conv") == 6


def test_minionn() -> None:
    torch.manual_seed(1)
    graph = imported(minionn(), 3, 32, 32)
    assert kinds(graph).count("relu") == 7
    assert all(getattr(node, "bias", None) is None for node in graph.nodes)
    assert graph.graph.output_shape == (10,)


def test_the_network_is_left_as_it_was() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True)).eval()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    import_model(net, (torch.randn(1, 3, 8, 8),))
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())
    assert not net.training
    assert all(parameter.requires_grad for parameter in net.parameters())
