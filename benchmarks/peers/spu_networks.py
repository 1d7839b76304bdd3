"""The two networks of cluster/bench/plain_networks.py in jax, for SPU: inputs and weights are shares.

GELU is jax's own, by tanh (within 5e-4 of the one by erf); softmax, tanh and the inverse square root are SPU's.
"""

import sys
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).resolve().parents[2]))
from cluster.bench.plain_networks import NETWORKS

NUMBERS = ("NHWC", "HWIO", "NHWC")


def residual(network, names):
    """ResNet-20 on images (batch, height, width, 3)."""
    import jax.numpy as jnp
    from jax.lax import conv_general_dilated

    def logits(x, *weights):
        own = dict(zip(names, weights, strict=True))

        def layer(h, name, stride=1):
            pads = [(1, 1), (1, 1)]
            out = conv_general_dilated(h, own[name], (stride, stride), pads, dimension_numbers=NUMBERS)
            return out + own[f"{name}_bias"]

        h = jnp.maximum(layer(x, "first"), 0)
        for name, inputs, outputs, stride in network.plan():
            more = (outputs - inputs) // 2
            kept = jnp.pad(h[:, ::stride, ::stride], ((0, 0), (0, 0), (0, 0), (more, more)))
            h = jnp.maximum(layer(jnp.maximum(layer(h, f"a{name}", stride), 0), f"b{name}") + kept, 0)
        return h.mean(axis=(1, 2)) @ own["last"] + own["last_bias"]

    return logits


def encoder(network, names):
    """The transformer on embeddings (batch, tokens, width)."""
    import jax

    each = network.width // network.heads

    def normalised(x, own, name):
        centred = x - x.mean(axis=-1, keepdims=True)
        scale = jax.lax.rsqrt((centred * centred).mean(axis=-1, keepdims=True) + 1e-5)
        return centred * scale * own[f"{name}.weight"] + own[f"{name}.bias"]

    def attention(x, own):
        mixed = x @ own["self_attn.in_proj_weight"] + own["self_attn.in_proj_bias"]
        parts = mixed.reshape(*x.shape[:2], 3, network.heads, each).transpose(2, 0, 3, 1, 4)
        scores = parts[0] @ parts[1].swapaxes(-1, -2) * each**-0.5
        found = jax.nn.softmax(scores, axis=-1) @ parts[2]
        out = found.transpose(0, 2, 1, 3).reshape(x.shape)
        return out @ own["self_attn.out_proj.weight"] + own["self_attn.out_proj.bias"]

    def values(x, *weights):
        every = dict(zip(names, weights, strict=True))
        for place in range(network.layers):
            start = f"layers.{place}."
            own = {name.removeprefix(start): array for name, array in every.items() if name.startswith(start)}
            x = normalised(x + attention(x, own), own, "norm1")
            inner = jax.nn.gelu(x @ own["linear1.weight"] + own["linear1.bias"])
            x = normalised(x + inner @ own["linear2.weight"] + own["linear2.bias"], own, "norm2")
        return x

    return values


def laid_out(array):
    """Images and weights of convolutions with the channels last, matrices to multiply with from the right."""
    return array.transpose(2, 3, 1, 0) if array.ndim == 4 else array.T if array.ndim == 2 else array


def network_workloads():
    """By name: the function, its arguments."""
    found = {}
    for name, network in NETWORKS.items():
        weights, x = network.weights(), network.inputs()
        images = x.ndim == 4
        made = (residual if images else encoder)(network, tuple(weights))
        given = x.transpose(0, 2, 3, 1) if images else x
        arrays = [given, *(laid_out(array) for array in weights.values())]
        found[name] = (made, [np.ascontiguousarray(array) for array in arrays])
    return found
