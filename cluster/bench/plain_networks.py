"""Two networks with random weights, and what they make of an input in float64: the same for every engine's bench.

numpy alone is needed, so that the peers' scripts take weights and inputs from here, too. Arrays are float32: each
engine has exactly these numbers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["NETWORKS", "TOLERANCE", "Encoder", "Residual", "Singles", "convolved"]

Plain = NDArray[np.float64]
Singles = NDArray[np.float32]


def convolved(x: Plain, weight: Plain, padding: int, stride: int = 1) -> Plain:
    """The convolution of x (n, channels, height, width) with a weight (channels out, channels, k, k)."""
    padded = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, weight.shape[2:], axis=(2, 3))
    out: Plain = np.tensordot(windows[:, :, ::stride, ::stride], weight, axes=((1, 4, 5), (1, 2, 3)))
    return out.transpose(0, 3, 1, 2)


@dataclass(frozen=True)
class Residual:
    """ResNet-20 for CIFAR-10 (He et al. 2015, section 4.2) with shortcuts A; its normalisations are in its weights."""

    batch: int = 16
    size: int = 32
    blocks: int = 3
    """Of each of the three stages."""
    channels: tuple[int, int, int] = (16, 32, 64)

    def plan(self) -> list[tuple[str, int, int, int]]:
        """Of each block its name, channels in and out, and stride."""
        found, inputs = [], self.channels[0]
        for stage, outputs in enumerate(self.channels):
            for place in range(self.blocks):
                found.append((f"{stage}_{place}", inputs, outputs, 2 if stage and not place else 1))
                inputs = outputs
        return found

    def weights(self) -> dict[str, Singles]:
        """By name: convolutions (out, in, 3, 3), the last layer (10, in), and the biases of all of them."""
        rng = np.random.default_rng(20)
        found: dict[str, Plain] = {}

        def convolution(name: str, inputs: int, outputs: int, gain: float) -> None:
            found[name] = rng.normal(size=(outputs, inputs, 3, 3)) * gain * math.sqrt(2 / (9 * inputs))
            found[f"{name}_bias"] = 0.1 * rng.normal(size=outputs)

        convolution("first", 3, self.channels[0], 1.0)
        for name, inputs, outputs, _ in self.plan():
            convolution(f"a{name}", inputs, outputs, 1.0)
            convolution(f"b{name}", outputs, outputs, 0.5)
        found["last"] = rng.normal(size=(10, self.channels[-1])) / math.sqrt(self.channels[-1])
        found["last_bias"] = 0.1 * rng.normal(size=10)
        return {name: array.astype(np.float32) for name, array in found.items()}

    def inputs(self) -> Singles:
        """Images (batch, 3, size, size)."""
        shape = (self.batch, 3, self.size, self.size)
        return np.random.default_rng(3).normal(size=shape).clip(-6, 6).astype(np.float32)

    def plain(self, x: Plain) -> Plain:
        """The logits (batch, 10)."""
        weights = {name: array.astype(np.float64) for name, array in self.weights().items()}

        def layer(x: Plain, name: str, stride: int = 1) -> Plain:
            out: Plain = convolved(x, weights[name], 1, stride) + weights[f"{name}_bias"][:, None, None]
            return out

        x = np.maximum(layer(x, "first"), 0)
        for name, inputs, outputs, stride in self.plan():
            more = (outputs - inputs) // 2
            y = layer(np.maximum(layer(x, f"a{name}", stride), 0), f"b{name}")
            x = np.maximum(y + np.pad(x[:, :, ::stride, ::stride], ((0, 0), (more, more), (0, 0), (0, 0))), 0)
        logits: Plain = x.mean(axis=(2, 3)) @ weights["last"].T + weights["last_bias"]
        return logits


@dataclass(frozen=True)
class Encoder:
    """A transformer's encoder: attention and two layers with GELU, each added to its input and normalised."""

    batch: int = 1
    tokens: int = 32
    width: int = 128
    heads: int = 4
    inner: int = 512
    layers: int = 2

    def weights(self) -> dict[str, Singles]:
        """By the names that torch.nn.TransformerEncoder's layers have: weights (out, in), biases."""
        rng = np.random.default_rng(21)
        found: dict[str, Plain] = {}

        def linear(name: str, outputs: int, inputs: int, *, bias: str) -> None:
            found[name] = rng.uniform(-1, 1, size=(outputs, inputs)) * math.sqrt(3 / inputs)
            found[bias] = 0.1 * rng.normal(size=outputs)

        for place in range(self.layers):
            layer = f"layers.{place}"
            linear(
                f"{layer}.self_attn.in_proj_weight", 3 * self.width, self.width, bias=f"{layer}.self_attn.in_proj_bias"
            )
            for name, outputs, inputs in (
                ("self_attn.out_proj", self.width, self.width),
                ("linear1", self.inner, self.width),
                ("linear2", self.width, self.inner),
            ):
                linear(f"{layer}.{name}.weight", outputs, inputs, bias=f"{layer}.{name}.bias")
            for name in ("norm1", "norm2"):
                found[f"{layer}.{name}.weight"] = 1 + 0.1 * rng.normal(size=self.width)
                found[f"{layer}.{name}.bias"] = 0.1 * rng.normal(size=self.width)
        return {name: array.astype(np.float32) for name, array in found.items()}

    def inputs(self) -> Singles:
        """Embeddings (batch, tokens, width)."""
        shape = (self.batch, self.tokens, self.width)
        return np.random.default_rng(5).normal(size=shape).clip(-6, 6).astype(np.float32)

    def plain(self, x: Plain) -> Plain:
        """The last layer's values (batch, tokens, width)."""
        weights = {name: array.astype(np.float64) for name, array in self.weights().items()}
        for place in range(self.layers):
            own = {name.removeprefix(f"layers.{place}."): array for name, array in weights.items()}
            x = _normalised(x + self._attention(x, own), own, "norm1")
            inner = x @ own["linear1.weight"].T + own["linear1.bias"]
            bent = 0.5 * inner * (1 + np.vectorize(math.erf)(inner / math.sqrt(2)))
            x = _normalised(x + bent @ own["linear2.weight"].T + own["linear2.bias"], own, "norm2")
        return x

    def _attention(self, x: Plain, own: Mapping[str, Plain]) -> Plain:
        each = self.width // self.heads
        mixed = x @ own["self_attn.in_proj_weight"].T + own["self_attn.in_proj_bias"]
        parts = mixed.reshape(*x.shape[:2], 3, self.heads, each).transpose(2, 0, 3, 1, 4)
        scores = parts[0] @ parts[1].swapaxes(-1, -2) / math.sqrt(each)
        powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
        found = (powers / powers.sum(axis=-1, keepdims=True)) @ parts[2]
        out: Plain = found.transpose(0, 2, 1, 3).reshape(x.shape) @ own["self_attn.out_proj.weight"].T
        return out + own["self_attn.out_proj.bias"]


def _normalised(x: Plain, own: Mapping[str, Plain], name: str) -> Plain:
    centred = x - x.mean(axis=-1, keepdims=True)
    scaled = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-5)
    out: Plain = scaled * own[f"{name}.weight"] + own[f"{name}.bias"]
    return out


NETWORKS: Mapping[str, Residual | Encoder] = {"resnet20_b16": Residual(), "transformer_b1": Encoder()}
"""By the names of the workloads."""

TOLERANCE = 0.05
"""By how much any number of an engine's result may be off; they are of variance 1."""
