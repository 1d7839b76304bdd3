"""Architectures whose sound ranges fit no ring: made without a declared number, and right."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from analytics.nn.model import SecureModel
from icm_ray.runtime.carriers.threads import ThreadEngine
from tests.analytics.nn.architectures import densenet, googlenet, regnet, resnet, warmed
from tests.analytics.nn.secure_checks import plain

SMALL: dict[str, Callable[[], nn.Module]] = {
    "densenet": lambda: densenet((2, 3), 4),
    "googlenet": lambda: googlenet((1, 1), 4),
    "regnet": lambda: regnet((1, 1, 2), 8, 8),
    "resnet": lambda: resnet((1, 1, 1), 4, bottleneck=True),
}
DEEP: dict[str, Callable[[], nn.Module]] = {
    "resnet18": lambda: resnet((2, 2, 2, 2), 16, bottleneck=False),
    "resnet50": lambda: resnet((3, 4, 6, 3), 8, bottleneck=True),
    "densenet121": lambda: densenet((6, 12, 24, 16), 8),
    "googlenet": lambda: googlenet((2, 5, 2), 8),
    "regnet": lambda: regnet((1, 2, 7, 12), 16, 16),
}


def right(net: nn.Module, size: int) -> SecureModel:
    warmed(net, 3, size, size)
    random = torch.Generator().manual_seed(9)
    x = torch.randn(2, 3, size, size, generator=random).clamp(-4, 4)
    samples = torch.randn(4, 3, size, size, generator=random).clamp(-4, 4)  # without, four times as much is expected
    expected = plain(net, x)
    with ThreadEngine() as session:
        model = SecureModel(session, net, "alice", (x,), input_bound=4.0, batch_size=2, calibrate=samples)
        difference = np.abs(model.predict(x, owner="bob").reveal(to="bob") - expected).max()
    assert difference <= model.expected_error <= 0.05 * np.abs(expected).max()
    return model


@pytest.mark.parametrize(
    "name", ["densenet", "resnet", *(pytest.param(name, marks=pytest.mark.slow) for name in ("googlenet", "regnet"))]
)
@pytest.mark.slow
def test_small(name: str) -> None:
    right(SMALL[name](), 24)


@pytest.mark.slow
@pytest.mark.parametrize("name", DEEP)
def test_deep(name: str) -> None:
    assert right(DEEP[name](), 64)._public.scheme.bounds
