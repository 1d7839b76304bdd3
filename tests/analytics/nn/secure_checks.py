"""The one body of the secure tests: what is predicted is what torch computes in float64, within the stated bound."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from torch import nn

from analytics.nn.model import SecureModel
from icm_ray.runtime.carriers.threads import ThreadEngine
from tests.analytics.nn.import_checks import settle

torch.set_num_threads(1)

PARTIES = {2: ("alice", "bob"), 3: ("alice", "bob", "carol")}


def plain(net: nn.Module, x: torch.Tensor) -> np.ndarray:
    """The logits in float64."""
    with torch.no_grad():
        return copy.deepcopy(net).double()(x.double()).numpy()


def images(*shape: int, batch: int = 2, seed: int = 5) -> torch.Tensor:
    """Normal numbers, none beyond 4 in magnitude."""
    return torch.randn(batch, *shape, generator=torch.Generator().manual_seed(seed)).clamp(-4, 4)


def secure(net: nn.Module, x: torch.Tensor, parties: int = 2, **settings: Any) -> tuple[np.ndarray, np.ndarray, float]:
    """Secure and plaintext logits, and the stated bound, which is held to."""
    settle(net)
    expected = plain(net, x)
    with ThreadEngine(PARTIES[parties]) as session:
        model = SecureModel(session, net, "alice", (x[:1],), **{"input_bound": 4.0, **settings})
        prediction = model.predict(x, owner="bob")
        actual = prediction.reveal(to="bob")
    assert actual.shape == expected.shape
    assert actual.dtype == np.float64
    assert np.abs(actual - expected).max() <= prediction.error
    return actual, expected, prediction.error
