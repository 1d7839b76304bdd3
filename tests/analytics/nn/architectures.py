"""Architectures of image classifiers as torchvision builds them, of any depth and width, with random weights."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn


def normed(channels: int, planes: int, kernel: int, stride: int = 1, groups: int = 1, relu: bool = True) -> nn.Module:
    """Convolution, batch normalisation and, unless told otherwise, ReLU."""
    conv = nn.Conv2d(channels, planes, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(planes), *([nn.ReLU(inplace=True)] if relu else []))


class Block(nn.Module):
    """A residual block: `body`, and a projection where shapes change."""

    def __init__(self, body: nn.Module, channels: int, planes: int, stride: int) -> None:
        super().__init__()
        self.body, same = body, channels == planes and stride == 1
        self.shortcut = nn.Identity() if same else normed(channels, planes, 1, stride, relu=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.body(x) + self.shortcut(x))


class Head(nn.Module):
    """The mean of every channel, and ten classes."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.pool, self.linear = nn.AdaptiveAvgPool2d(1), nn.Linear(channels, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(torch.flatten(self.pool(x), 1))


def resnet(blocks: Sequence[int], width: int, bottleneck: bool) -> nn.Module:
    """ResNet-18 is (2, 2, 2, 2) without bottlenecks, ResNet-50 (3, 4, 6, 3) with them; width 64."""
    layers: list[nn.Module] = [normed(3, width, 7, 2), nn.MaxPool2d(3, 2, 1)]
    channels = width
    for stage, count in enumerate(blocks):
        inner = width << stage
        planes = 4 * inner if bottleneck else inner
        for place in range(count):
            stride = 2 if stage and not place else 1
            if bottleneck:
                body = [
                    normed(channels, inner, 1),
                    normed(inner, inner, 3, stride),
                    normed(inner, planes, 1, relu=False),
                ]
            else:
                body = [normed(channels, inner, 3, stride), normed(inner, planes, 3, relu=False)]
            layers.append(Block(nn.Sequential(*body), channels, planes, stride))
            channels = planes
    return nn.Sequential(*layers, Head(channels))


def regnet(blocks: Sequence[int], width: int, group: int) -> nn.Module:
    """RegNetX: bottlenecks of grouped convolutions; (1, 2, 7, 12), 32, 16 is near 400MF."""
    layers: list[nn.Module] = [normed(3, width, 3, 2)]
    channels = width
    for stage, count in enumerate(blocks):
        planes = width << stage
        for place in range(count):
            stride = 1 if place else 2
            grouped = normed(planes, planes, 3, stride, max(planes // group, 1))
            body = nn.Sequential(normed(channels, planes, 1), grouped, normed(planes, planes, 1, relu=False))
            layers.append(Block(body, channels, planes, stride))
            channels = planes
    return nn.Sequential(*layers, Head(channels))


class Dense(nn.Module):
    """Normalisation before convolutions; what comes in is kept beside what is made."""

    def __init__(self, channels: int, growth: int) -> None:
        super().__init__()
        first = [nn.BatchNorm2d(channels), nn.ReLU(inplace=True), nn.Conv2d(channels, 4 * growth, 1, bias=False)]
        second = [nn.BatchNorm2d(4 * growth), nn.ReLU(inplace=True), nn.Conv2d(4 * growth, growth, 3, 1, 1, bias=False)]
        self.body = nn.Sequential(*first, *second)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([x, self.body(x)], 1)


def densenet(blocks: Sequence[int], growth: int) -> nn.Module:
    """DenseNet-121 is (6, 12, 24, 16), growth 32."""
    channels = 2 * growth
    layers: list[nn.Module] = [normed(3, channels, 7, 2), nn.MaxPool2d(3, 2, 1)]
    for stage, count in enumerate(blocks):
        for _ in range(count):
            layers.append(Dense(channels, growth))
            channels += growth
        if stage < len(blocks) - 1:
            halves = [
                nn.BatchNorm2d(channels),
                nn.ReLU(inplace=True),
                nn.Conv2d(channels, channels // 2, 1, bias=False),
            ]
            layers += [*halves, nn.AvgPool2d(2)]
            channels //= 2
    return nn.Sequential(*layers, nn.BatchNorm2d(channels), nn.ReLU(inplace=True), Head(channels))


class Inception(nn.Module):
    """Four branches side by side."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            [
                normed(channels, 2 * width, 1),
                nn.Sequential(normed(channels, 2 * width, 1), normed(2 * width, 4 * width, 3)),
                nn.Sequential(normed(channels, width, 1), normed(width, width, 3)),
                nn.Sequential(nn.MaxPool2d(3, 1, 1, ceil_mode=True), normed(channels, width, 1)),
            ]
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([branch(x) for branch in self.branches], 1)


def googlenet(blocks: Sequence[int], width: int) -> nn.Module:
    """GoogLeNet is (2, 5, 2); width about 32."""
    layers: list[nn.Module] = [
        normed(3, 2 * width, 7, 2),
        nn.MaxPool2d(3, 2, ceil_mode=True),
        normed(2 * width, 6 * width, 3),
    ]
    channels = 6 * width
    for count in blocks:
        layers.append(nn.MaxPool2d(3, 2, ceil_mode=True))
        for _ in range(count):
            layers.append(Inception(channels, width))
            channels = 8 * width
    return nn.Sequential(*layers, Head(channels))


def warmed(net: nn.Module, *shape: int) -> nn.Module:
    """In eval mode, with the statistics of a batch of noise, as a trained network has those of its data."""
    torch.manual_seed(11)
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None
    with torch.no_grad():
        net.train()(torch.randn(16, *shape))
    return net.eval()
