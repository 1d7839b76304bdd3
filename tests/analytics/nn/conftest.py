"""Two lanes that tests of predictions share, and small networks."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import nn

from analytics.nn.model import SecureModel
from icm_ray.runtime.carriers.threads import ThreadEngine
from icm_ray.runtime.driver.engine import Execution, LaneJob


class Watched(ThreadEngine):
    """Keeps the jobs that it was given."""

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.jobs: list[LaneJob] = []

    def execute(self, jobs: Sequence[LaneJob]) -> list[Execution]:
        self.jobs += jobs
        return super().execute(jobs)


@pytest.fixture(scope="session")
def lanes():
    """alice and bob, and carol who brings images alone, in two lanes."""
    with Watched(owners=("carol",), lanes=2) as session:
        yield session


def small_net() -> nn.Module:
    """From 4 numbers to 5 logits."""
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 5)).eval()


def passing(count: int) -> nn.Module:
    """Logits that are the input's own numbers."""
    net = nn.Linear(count, count, bias=False).eval()
    with torch.no_grad():
        net.weight.copy_(torch.eye(count))
    return net


def bounded() -> nn.Module:
    """Twelve layers that pass two positive numbers on: a declared bound on them is checked on shares."""
    layers = [layer for _ in range(6) for layer in (passing(2), nn.ReLU())]
    return nn.Sequential(*layers).eval()


@pytest.fixture(scope="session")
def small(lanes):
    """A small model in those lanes, in batches of 3."""
    net = small_net()
    return net, SecureModel(lanes, net, "alice", (torch.zeros(1, 4),), batch_size=3)


@pytest.fixture(scope="session")
def checked(lanes):
    """Numbers of 4 and more are beyond its bound; batches of 4."""
    settings = {"input_bound": 1024.0, "bound": 4.0, "weight_gain": 256.0}
    return SecureModel(lanes, bounded(), "alice", (torch.zeros(1, 2),), batch_size=4, **settings)
