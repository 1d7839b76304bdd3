"""Whole networks on real images: trained weights of one party, images of another."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from analytics.nn.model import SecureModel
from icm_ray.errors import BoundError, BoundExceeded
from icm_ray.runtime.carriers.threads import ThreadEngine
from tests.analytics.nn.models import CifarResNet, SkinNet, loaded, minionn
from tests.analytics.nn.secure_checks import PARTIES, plain, secure


def lesions(shared_data: Path, count: int) -> torch.Tensor:
    with np.load(shared_data / "ham10000_28_test_1000.npz", allow_pickle=False) as file:
        return (torch.from_numpy(file["images"][:count]).permute(0, 3, 1, 2).float() / 127.5 - 1).contiguous()


def cifar(shared_data: Path, count: int) -> torch.Tensor:
    with np.load(shared_data / "cifar10_test_1000.npz", allow_pickle=False) as file:
        images = torch.from_numpy(file["images"][:count]).permute(0, 3, 1, 2).float() / 255
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    return ((images - mean.view(3, 1, 1)) / std.view(3, 1, 1)).contiguous()


def leads(logits: np.ndarray) -> np.ndarray:
    """By how much the highest logit leads, for each image."""
    ordered = np.sort(logits, axis=1)
    return ordered[:, -1] - ordered[:, -2]


@pytest.mark.parametrize(
    ("settings", "stated", "decided"),
    [
        ({}, 1.0, 16),
        ({"bound": 16.0, "weight_gain": 128.0, "fraction_bits": 20}, 0.125, 29),
    ],
    ids=["sound", "declared"],
)
@pytest.mark.few(1)
def test_skinnet_on_32_images(shared_data: Path, settings: dict, stated: float, decided: int) -> None:
    net = loaded(SkinNet(), load_file(shared_data / "ham10000_28_skinnet.safetensors"))
    x = lesions(shared_data, 32)
    expected = plain(net, x)
    with ThreadEngine(lanes=2) as session:
        model = SecureModel(session, net, "alice", (x[:1],), input_bound=1.0, **settings)
        prediction = model.predict(x, owner="bob")
        logits = prediction.reveal(to="bob")
        named = model.predict(x, owner="bob", output="label")
        labels = named.reveal(to="bob")
    assert prediction.error <= stated
    assert np.abs(logits - expected).max() <= min(prediction.error, 1e-3)  # the bound is for the worst of images
    assert labels.dtype == np.int64
    sure = leads(expected) > named.error
    assert sure.sum() >= decided
    np.testing.assert_array_equal(labels[sure], expected.argmax(axis=1)[sure])
    likely = leads(expected) > 2e-3
    assert likely.sum() >= 30
    np.testing.assert_array_equal(labels[likely], expected.argmax(axis=1)[likely])


@pytest.mark.slow
def test_minionn(shared_data: Path) -> None:
    torch.manual_seed(1)
    actual, expected, error = secure(minionn(), cifar(shared_data, 1))
    assert error <= 0.01
    assert np.abs(actual - expected).max() < 1e-4


@pytest.mark.parametrize("parties", [pytest.param(2, marks=pytest.mark.slow), 3])
@pytest.mark.slow
def test_resnet20_with_a_declared_bound(shared_data: Path, parties: int) -> None:
    net = loaded(CifarResNet(3), load_file(shared_data / "cifar10_resnet20.safetensors"))
    x = cifar(shared_data, 2)
    expected = plain(net, x)
    with ThreadEngine(PARTIES[parties]) as session:
        model = SecureModel(session, net, "alice", (x[:1],), input_bound=4.0, bound=64.0)
        prediction = model.predict(x, owner="bob")
        assert "one flag, whether the checked bound" in prediction.explain(to="bob")
        logits = prediction.reveal(to="bob")
        labels = model.predict(x, owner="bob", output="label").reveal(to="bob")
    # 20 layers deep, no bound for the worst of images says anything; for these the rounding is known
    assert np.abs(logits - expected).max() < 0.01
    np.testing.assert_array_equal(labels, expected.argmax(axis=1))


def test_resnet20_has_no_sound_bound(shared_data: Path) -> None:
    net = loaded(CifarResNet(3), load_file(shared_data / "cifar10_resnet20.safetensors"))
    with ThreadEngine() as session, pytest.raises(BoundError, match=r"layer3.*declare a bound.*bound=64") as caught:
        SecureModel(session, net, "alice", (torch.zeros(1, 3, 32, 32),), input_bound=4.0, bound="sound")
    assert caught.value.where["module"].startswith("layer3")


@pytest.mark.slow
def test_a_bound_that_is_too_small_withholds_the_result(shared_data: Path) -> None:
    net = loaded(CifarResNet(3), load_file(shared_data / "cifar10_resnet20.safetensors"))
    x = cifar(shared_data, 2)
    with ThreadEngine() as session:
        model = SecureModel(session, net, "alice", (x[:1],), input_bound=4.0, bound=4.0, weight_gain=256.0)
        for output in ("logits", "label"):
            with pytest.raises(BoundExceeded, match="withheld"):
                model.predict(x[:1], owner="bob", output=output).reveal(to="bob")


def test_the_bound_is_checked_exactly() -> None:
    layers = [layer for _ in range(6) for layer in (nn.Linear(2, 2, bias=False), nn.ReLU())]
    net = nn.Sequential(*layers).eval()
    with torch.no_grad():
        for layer in layers[::2]:
            layer.weight.copy_(torch.eye(2))
    with ThreadEngine() as session:
        example = (torch.zeros(1, 2),)
        model = SecureModel(session, net, "alice", example, input_bound=1024.0, bound=4.0, weight_gain=256.0)
        assert model._public.scheme.bounds
        for value, kept in ((3.9, True), (4.0, False), (-900.0, True), (1000.0, False)):
            x = torch.tensor([[0.5, 1.0], [value, 0.25]])
            prediction = model.predict(x, owner="bob")
            if kept:
                np.testing.assert_allclose(prediction.reveal(to="bob"), x.clamp(min=0).numpy(), atol=prediction.error)
            else:
                with pytest.raises(BoundExceeded):
                    prediction.reveal(to="bob")
