"""The model of the demonstration: a small CNN on scikit-learn's 8 x 8 digits, trained in seconds."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["plain_logits", "train_digits"]

_EPOCHS = 12
_BATCH = 100


def train_digits(images: NDArray[np.float32], labels: NDArray[np.int64]) -> Any:
    """A torch.nn.Module in eval mode: two convolutions, batch norm, pooling, one linear layer. images: (n, 1, 8, 8)."""
    import torch
    from torch import nn

    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(512, 10),
    )
    optimiser = torch.optim.Adam(net.parameters(), 2e-3)
    pixels, targets = torch.from_numpy(images), torch.from_numpy(labels)
    for _ in range(_EPOCHS):
        order = torch.randperm(len(pixels))
        for start in range(0, len(order), _BATCH):
            chosen = order[start : start + _BATCH]
            optimiser.zero_grad()
            loss: Any = nn.functional.cross_entropy(net(pixels[chosen]), targets[chosen])
            loss.backward()
            optimiser.step()
    return net.eval()


def plain_logits(net: Any, images: NDArray[np.float32]) -> NDArray[np.float64]:
    """What the model says of images that need not be hidden: (n, 10)."""
    import torch

    with torch.no_grad():
        logits: NDArray[np.float64] = net(torch.from_numpy(images)).double().numpy()
    return logits
