"""What a prediction's error is expected to be: held to, and far below what is sure in deep networks."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import nn

from analytics.nn.calibration import random_samples
from analytics.nn.model import SecureModel
from icm_ray.runtime.carriers.threads import ThreadEngine
from tests.analytics.nn.import_checks import settle
from tests.analytics.nn.operation import Fn
from tests.analytics.nn.operations import OPERATIONS
from tests.analytics.nn.secure_checks import images, plain
from tests.analytics.nn.test_secure_layers import Apply


def convolutions(depth: int) -> nn.Module:
    torch.manual_seed(4)
    first = nn.Conv2d(3, 6, 3, padding=1, bias=False)
    rest = [nn.Conv2d(6, 6, 3, padding=1) for _ in range(depth)]

    def forward(x: torch.Tensor, *layers: nn.Module) -> torch.Tensor:
        x = layers[0](x)
        for layer in layers[1:-1]:
            x = torch.relu(layer(x) + x)
        return layers[-1](x.mean((2, 3)))

    return Apply(forward, first, *rest, nn.Linear(6, 5))


NETS = {
    "convolutions": (convolutions(8), (3, 6, 6), {}),
    "few_bits": (convolutions(2), (3, 6, 6), {"fraction_bits": 8}),
    "averages": (nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AvgPool2d(3, 1), nn.ReLU()), (3, 7, 7), {}),
    "products": (nn.Sequential(nn.Linear(12, 20), nn.ReLU(), nn.BatchNorm1d(20), nn.Linear(20, 4)), (12,), {}),
}


@pytest.mark.parametrize("name", NETS)
@pytest.mark.few(1)
def test_measured_errors_stay_below_what_is_expected(name: str) -> None:
    net, shape, settings = NETS[name]
    settle(net)
    x = images(*shape, batch=200)
    with ThreadEngine() as session:
        model = SecureModel(session, net, "alice", (x,), input_bound=4.0, calibrate=x[:16], batch_size=200, **settings)
        measured = (
            np.abs(model.predict(x, owner="bob").reveal(to="bob") - plain(net, x)).reshape(len(x), -1).max(axis=1)
        )
    assert (measured > model.expected_error).mean() <= 0.001
    assert measured.max() > model.expected_error / 64, "what is expected says nothing"
    assert model.expected_error <= model.error


def test_what_random_samples_say_is_not_taken_for_all_that_is_expected() -> None:
    net, shape, _ = NETS["products"]
    settle(net)
    with ThreadEngine() as session:
        strange = SecureModel(session, net, "alice", (images(*shape),), input_bound=4.0)
        given = random_samples(shape, 2, 16)
        known = SecureModel(session, net, "alice", (images(*shape),), input_bound=4.0, calibrate=given)
        assert strange.expected_error == min(4 * known.expected_error, strange.error)


PUBLIC = {
    "choice": lambda x: torch.where(x > 0.3, x, 0.1),
    "threshold": lambda x: nn.functional.threshold(x, 0.1, 0.3),
    "sum of choices": lambda x: x.masked_fill(x > 0.3, 0.1).sum(-1),
    "remainder": lambda x: x % 0.3,
    "leaky": lambda x: nn.functional.leaky_relu(x, 0.01),
    "clamp": lambda x: x.clamp(-1 / 3, 1 / 7),
    "hard sigmoid": nn.functional.hardsigmoid,
    "hard swish": nn.functional.hardswish,
    "scale": lambda x: x / 3,
    "upsampling": lambda x: nn.functional.interpolate(x, scale_factor=3, mode="linear"),
    "pools": lambda x: nn.functional.adaptive_avg_pool1d(x, 3),
    "padding": lambda x: nn.functional.pad(x, (1, 1), value=0.1),
}


@pytest.mark.slow
@pytest.mark.parametrize("bound", [4.0, 1024.0])
def test_rounded_public_numbers_are_expected(bound: float) -> None:
    x = (torch.rand(64, 6, 8, generator=torch.Generator().manual_seed(1)) * 2 - 1) * bound
    with ThreadEngine() as session:
        for name, function in PUBLIC.items():
            net = Fn(function).eval()
            model = SecureModel(session, net, "alice", (x[:2],), input_bound=bound, calibrate=x[:16])
            off = np.abs(model.predict(x, owner="bob").reveal(to="bob") - plain(net, x))
            assert (off > model.expected_error).mean() <= 0.001, name
            assert off.max() <= model.error, name


@pytest.fixture(scope="module")
def session() -> Iterator[ThreadEngine]:
    with ThreadEngine(("alice", "bob")) as engine:
        yield engine


@pytest.mark.slow
@pytest.mark.parametrize("name", OPERATIONS)
def test_errors_of_operations_are_expected(session: ThreadEngine, name: str) -> None:
    """Of 128 predictions at most 0.128 may be further off than expected, none further than stated."""
    case = OPERATIONS[name]
    torch.manual_seed(len(name))
    net = settle(case.module(case.shapes[0]))
    x = (torch.rand(128, *case.shapes[0], generator=torch.Generator().manual_seed(5)) * 2 - 1) * case.bound
    model = SecureModel(session, net, "alice", (x[:2],), input_bound=case.bound, calibrate=x[:16])
    wanted = plain(net, x)
    off = np.abs(model.predict(x, owner="bob").reveal(to="bob") - wanted)[~np.isnan(wanted)]
    of_float64 = 1e-14 * np.nanmax(np.abs(wanted))
    assert off.max() <= model.expected_error + of_float64
    assert model.expected_error <= model.error
