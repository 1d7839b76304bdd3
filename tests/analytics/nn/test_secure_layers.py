"""Every kind of layer, alone or with what it is fused with, for two and three parties."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from tests.analytics.nn.secure_checks import images, secure


class Apply(nn.Module):
    """A function as a module."""

    def __init__(self, function, *modules: nn.Module) -> None:
        super().__init__()
        self.parts = nn.ModuleList(modules)
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(x, *self.parts)


def conv(*sizes, **options) -> nn.Conv2d:
    torch.manual_seed(2)
    return nn.Conv2d(*sizes, **options)


def linear(*sizes) -> nn.Linear:
    torch.manual_seed(3)
    return nn.Linear(*sizes)


IMAGE, ROW = (4, 9, 8), (12,)
LAYERS = {
    "linear": (linear(12, 5), ROW),
    "linear_relu_linear": (nn.Sequential(linear(12, 9), nn.ReLU(), linear(9, 3)), ROW),
    "linear_linear": (nn.Sequential(linear(12, 9), linear(9, 3)), ROW),
    "linear_on_rows": (linear(8, 3), (4, 8)),
    "conv": (conv(4, 6, 3), IMAGE),
    "conv_stride_padding": (conv(4, 6, (3, 2), stride=(2, 1), padding=(1, 0)), IMAGE),
    "conv_groups_dilation": (conv(4, 6, 3, groups=2, dilation=2, bias=False), IMAGE),
    "conv_depthwise": (conv(4, 4, 3, groups=4, padding="same"), IMAGE),
    "conv1d": (nn.Conv1d(3, 4, 3, padding=1), (3, 10)),
    "conv_relu": (nn.Sequential(conv(4, 6, 3), nn.ReLU()), IMAGE),
    "conv_norm_relu_conv": (nn.Sequential(conv(4, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), conv(6, 3, 1)), IMAGE),
    "relu_alone": (nn.ReLU(), IMAGE),
    "norm_alone": (nn.BatchNorm2d(4), IMAGE),
    "norm_without_weights": (nn.BatchNorm2d(4, affine=False), IMAGE),
    "norm_of_rows": (nn.BatchNorm1d(12), ROW),
    "shift_alone": (Apply(lambda x: functional.relu(x + torch.arange(4.0).reshape(4, 1, 1))), IMAGE),
    "dropout": (nn.Sequential(nn.Dropout(), linear(12, 5)), ROW),
    "average_2": (nn.AvgPool2d(2), IMAGE),
    "average_2_conv": (nn.Sequential(nn.AvgPool2d(2), conv(4, 6, 3)), IMAGE),
    "average_3": (nn.AvgPool2d(3, stride=2), IMAGE),
    "average_3_relu": (nn.Sequential(nn.AvgPool2d(3, stride=1), nn.ReLU()), IMAGE),
    "average_3_conv": (nn.Sequential(conv(4, 4, 3), nn.ReLU(), nn.AvgPool2d(3), conv(4, 6, 2)), IMAGE),
    "average_counts": (nn.AvgPool2d(3, stride=2, padding=1, count_include_pad=False), IMAGE),
    "average_ceil": (nn.AvgPool2d(2, ceil_mode=True), IMAGE),
    "conv_average": (nn.Sequential(conv(4, 4, 3), nn.AvgPool2d(2)), IMAGE),
    "adaptive_average": (nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), linear(4, 3)), IMAGE),
    "maximum_2": (nn.MaxPool2d(2), IMAGE),
    "maximum_padded_below_zero": (Apply(lambda x: functional.max_pool2d(x - 3, 3, 2, 1)), IMAGE),
    "maximum_dilated": (nn.MaxPool2d(2, stride=1, dilation=2), IMAGE),
    "conv_relu_maximum": (nn.Sequential(conv(4, 6, 3), nn.ReLU(), nn.MaxPool2d(3, 2, 1), conv(6, 2, 1)), IMAGE),
    "conv_maximum_relu": (nn.Sequential(conv(4, 6, 3), nn.MaxPool2d(3, 2, 1), nn.ReLU()), IMAGE),
    "adaptive_maximum": (nn.Sequential(conv(4, 6, 3), nn.AdaptiveMaxPool2d(1), nn.Flatten()), IMAGE),
    "flatten": (nn.Sequential(conv(4, 2, 3), nn.Flatten(), linear(84, 3)), IMAGE),
    "permute": (Apply(lambda x: x.permute(0, 2, 3, 1)), IMAGE),
    "permute_linear": (Apply(lambda x, f: f(x.permute(0, 3, 2, 1)), linear(4, 3)), IMAGE),
    "slice": (Apply(lambda x: x[:, 1:3, ::2, 3:]), IMAGE),
    "pad": (Apply(lambda x: functional.pad(x, (1, 2, 0, 1))), IMAGE),
    "concatenate": (Apply(lambda x, f: torch.cat([x, functional.relu(f(x)), f(x)], 1), conv(4, 3, 1)), IMAGE),
    "scale": (Apply(lambda x: x * -0.3), IMAGE),
    "scale_relu": (Apply(lambda x, f: functional.relu(f(x)) * 0.7, conv(4, 3, 1)), IMAGE),
    "scale_by_8": (Apply(lambda x: functional.relu(x * 8)), IMAGE),
    "residual": (Apply(lambda x, f: functional.relu(f(x) + x), conv(4, 4, 3, padding=1)), IMAGE),
    "residual_of_products": (Apply(lambda x, f, g: functional.relu(f(x) + g(x)), conv(4, 2, 1), conv(4, 2, 1)), IMAGE),
    "residual_twice": (
        Apply(lambda x, f, g: g(functional.relu(f(functional.relu(f(x) + x)) + x)), conv(4, 4, 1), conv(4, 2, 3)),
        IMAGE,
    ),
    "sum_then_product": (Apply(lambda x, f, g: g(f(x) + x), conv(4, 4, 1), conv(4, 2, 3)), IMAGE),
    "sum_of_averages": (Apply(lambda x: functional.avg_pool2d(x, 2) + functional.max_pool2d(x, 2)), IMAGE),
}


OF_THREE = {
    *("linear_relu_linear", "conv_groups_dilation", "conv_norm_relu_conv", "average_3_conv", "average_counts"),
    *("maximum_padded_below_zero", "conv_relu_maximum", "adaptive_maximum", "permute_linear", "concatenate"),
    *("scale_relu", "residual_twice", "sum_of_averages"),
}
"""Layers that three parties compute in every run of the tests: each kind of them, and of what they are fused with."""


@pytest.mark.parametrize(
    ("name", "parties"),
    [
        *(pytest.param(name, 2, marks=pytest.mark.slow if name in OF_THREE else ()) for name in LAYERS),
        *(pytest.param(name, 3, marks=() if name in OF_THREE else pytest.mark.slow) for name in LAYERS),
    ],
)
@pytest.mark.few(20)
def test_layer(name: str, parties: int) -> None:
    net, shape = LAYERS[name]
    _, _, error = secure(net, images(*shape), parties)
    assert error <= 0.002, "a bound that says nothing"


@pytest.mark.parametrize("name", ["conv_norm_relu_conv", "linear_linear", "residual_twice", "conv_relu_maximum"])
def test_layer_with_a_declared_bound(name: str) -> None:
    net, shape = LAYERS[name]
    _, _, error = secure(net, images(*shape), 3, bound=64.0, weight_gain=16.0)
    assert error <= 0.002


def test_a_tiny_epsilon_beside_large_values() -> None:
    """2^-40 is raised as far as is needed; variances here are in the thousands, and squares narrowed in long rows."""
    net = nn.LayerNorm(512, eps=2.0**-40)
    actual, expected, _ = secure(net, 60 * images(512), input_bound=256.0)
    assert np.abs(actual - expected).max() <= 2**-10


def test_fraction_bits() -> None:
    net, shape = LAYERS["linear_relu_linear"]
    _, _, coarse = secure(net, images(*shape), fraction_bits=10)
    _, _, fine = secure(net, images(*shape), fraction_bits=20)
    assert fine < 2**-8 * coarse
