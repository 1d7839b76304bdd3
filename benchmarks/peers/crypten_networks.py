"""The two networks of cluster/bench/plain_networks.py in CrypTen: inputs and weights are shares.

Convolutions, products, ReLU, softmax and the inverse square root are CrypTen's. It has no GELU and no layer norm.
"""

import math
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2]))
from cluster.bench.plain_networks import NETWORKS


def residual(network, names):
    """ResNet-20 on images (batch, 3, height, width)."""

    def logits(x, *weights):
        own = dict(zip(names, weights, strict=True))

        def layer(h, name, stride=1):
            return h.conv2d(own[name], stride=stride, padding=1) + own[f"{name}_bias"].view(1, -1, 1, 1)

        h = layer(x, "first").relu()
        for name, inputs, outputs, stride in network.plan():
            more = (outputs - inputs) // 2
            kept = h[:, :, ::stride, ::stride].pad((0, 0, 0, 0, more, more)) if more else h
            h = (layer(layer(h, f"a{name}", stride).relu(), f"b{name}") + kept).relu()
        return h.mean((2, 3)) @ own["last"].t() + own["last_bias"]

    return logits


def gelu(x):
    """By tanh, which is within 5e-4 of the one by erf: x (1 + tanh u) / 2 = x sigmoid(2 u).

    CrypTen's erf is a Taylor polynomial: it is of no use beyond 2, and takes no less time.
    """
    doubled = (x.square() * 0.044715 + 1) * x * (2 * math.sqrt(2 / math.pi))
    return x * doubled.sigmoid()


def encoder(network, names):
    """The transformer on embeddings (batch, tokens, width)."""
    each = network.width // network.heads

    def normalised(x, own, name):
        centred = x - x.mean(-1, keepdim=True)
        scale = (centred.square().mean(-1, keepdim=True) + 1e-5).inv_sqrt()
        return centred * scale * own[f"{name}.weight"] + own[f"{name}.bias"]

    def linear(x, own, weight, bias):
        return x @ own[weight].t() + own[bias]

    def attention(x, own):
        batch = x.shape[0] // network.tokens
        mixed = linear(x, own, "self_attn.in_proj_weight", "self_attn.in_proj_bias")
        parts = mixed.view(batch, network.tokens, 3, network.heads, each).permute(2, 0, 3, 1, 4)
        scores = (parts[0] @ parts[1].transpose(-1, -2)) * each**-0.5
        found = (scores.softmax(-1) @ parts[2]).permute(0, 2, 1, 3).reshape(*x.shape)
        return linear(found, own, "self_attn.out_proj.weight", "self_attn.out_proj.bias")

    def values(x, *weights):
        every = dict(zip(names, weights, strict=True))
        shape, x = x.shape, x.reshape(-1, network.width)
        for place in range(network.layers):
            start = f"layers.{place}."
            own = {name.removeprefix(start): array for name, array in every.items() if name.startswith(start)}
            x = normalised(x + attention(x, own), own, "norm1")
            inner = gelu(linear(x, own, "linear1.weight", "linear1.bias"))
            x = normalised(x + linear(inner, own, "linear2.weight", "linear2.bias"), own, "norm2")
        return x.reshape(*shape)

    return values


def network_workloads(torch):
    """By name: the function, its arguments."""
    found = {}
    for name, network in NETWORKS.items():
        weights, x = network.weights(), network.inputs()
        made = (residual if x.ndim == 4 else encoder)(network, tuple(weights))
        found[name] = (made, [torch.from_numpy(array) for array in (x, *weights.values())])
    return found
