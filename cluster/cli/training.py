"""Small networks of the demonstration, trained in seconds, and what they say without any secret."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["plain_logits", "trained"]


def trained(
    net: Any, images: NDArray[np.float32], labels: NDArray[np.int64], epochs: int, batch: int, rate: float
) -> Any:
    """A torch.nn.Module, in eval mode once it has learned so many epochs. images: as it takes them, (n, ...)."""
    import torch
    from torch import nn

    optimiser = torch.optim.Adam(net.parameters(), rate)
    inputs, targets = torch.from_numpy(images), torch.from_numpy(labels)
    for _ in range(epochs):
        order = torch.randperm(len(inputs))
        for start in range(0, len(order), batch):
            chosen = order[start : start + batch]
            optimiser.zero_grad()
            loss: Any = nn.functional.cross_entropy(net(inputs[chosen]), targets[chosen])
            loss.backward()
            optimiser.step()
    return net.eval()


def plain_logits(net: Any, images: NDArray[np.float32]) -> NDArray[np.float64]:
    """What a network says of images that need not be hidden: (n, classes)."""
    import torch

    with torch.no_grad():
        logits: NDArray[np.float64] = net(torch.from_numpy(images)).double().numpy()
    return logits
