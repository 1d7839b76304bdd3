"""The networks that the tests import: the trained ones of shared/data, and the shape of MiniONN's CIFAR-10 net."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn
from torch.nn import functional


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and the parameter-free shortcut, option A of the ResNet paper."""

    def __init__(self, channels: int, planes: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, planes, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.changes = channels != planes
        self.sides = planes // 4

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(x)))))
        if self.changes:
            x = functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.sides, self.sides))
        return functional.relu(y + x)


class CifarResNet(nn.Module):
    """ResNet-(6n + 2) for CIFAR-10 with the keys of shared/data."""

    def __init__(self, blocks: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = self._stage(16, 16, blocks, 1)
        self.layer2 = self._stage(16, 32, blocks, 2)
        self.layer3 = self._stage(32, 64, blocks, 2)
        self.linear = nn.Linear(64, 10)

    @staticmethod
    def _stage(channels: int, planes: int, blocks: int, stride: int) -> nn.Sequential:
        rest = [BasicBlock(planes, planes, 1) for _ in range(blocks - 1)]
        return nn.Sequential(BasicBlock(channels, planes, stride), *rest)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        x = functional.avg_pool2d(x, x.size(3))
        return self.linear(x.view(x.size(0), -1))


class SkinNet(nn.Module):
    """Six convolutions on 28 x 28 images of skin lesions, with the keys of shared/data."""

    def __init__(self) -> None:
        super().__init__()

        def block(channels: int, planes: int) -> nn.Sequential:
            conv = nn.Conv2d(channels, planes, 3, padding=1, bias=False)
            return nn.Sequential(conv, nn.BatchNorm2d(planes), nn.ReLU())

        self.features = nn.Sequential(
            block(3, 24),
            block(24, 24),
            nn.AvgPool2d(2),
            block(24, 48),
            block(48, 48),
            nn.AvgPool2d(2),
            block(48, 96),
            block(96, 96),
        )
        self.linear = nn.Linear(96, 7)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(self.features(x).mean((2, 3)))


def minionn() -> nn.Sequential:
    """MiniONN's network for CIFAR-10, with random weights and no biases."""

    def conv(channels: int, planes: int, kernel: int) -> nn.Conv2d:
        return nn.Conv2d(channels, planes, kernel, padding=kernel // 2, bias=False)

    return nn.Sequential(
        *(conv(3, 64, 3), nn.ReLU(), conv(64, 64, 3), nn.ReLU(), nn.AvgPool2d(2)),
        *(conv(64, 64, 3), nn.ReLU(), conv(64, 64, 3), nn.ReLU(), nn.AvgPool2d(2)),
        *(conv(64, 64, 3), nn.ReLU(), conv(64, 64, 1), nn.ReLU(), conv(64, 16, 1), nn.ReLU()),
        *(nn.Flatten(), nn.Linear(1024, 10, bias=False)),
    )


def loaded(net: nn.Module, state: Mapping[str, torch.Tensor]) -> nn.Module:
    """The network in eval mode with the weights of a file."""
    net.load_state_dict(dict(state))
    return net.eval()
