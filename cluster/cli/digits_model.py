"""The model of the demonstration: a small CNN on scikit-learn's 8 x 8 digits, trained in seconds."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cluster.cli.training import trained

__all__ = ["train_digits"]

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
    return trained(net, images, labels, _EPOCHS, _BATCH, 2e-3)
