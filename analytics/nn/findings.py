"""What stands in the way of a network: one finding for each unsupported operation, with a hint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from icm_ray.errors import UnsupportedError

__all__ = ["Finding", "hint_for", "unsupported"]


@dataclass(frozen=True, slots=True)
class Finding:
    """An unsupported operation: `module` is its path in the network ('' for the root), `op` torch's name for it.

    source: the line of the network's code that it comes from, as 'net.py:12'; '' where that is not known.
    """

    module: str
    op: str
    hint: str
    source: str = ""

    def __str__(self) -> str:
        line = f" ({self.source})" if self.source else ""
        return f"{self.module or '(the network itself)'}: {self.op}{line}: {self.hint}"


_OUTSIDE = "leave it out and apply it to the revealed logits; the order of the classes does not change"
_SMOOTH = "train with ReLU in its place"
_NORM = "it divides by a statistic of private values; train with BatchNorm, which is folded away in eval mode"
_PRODUCT = "a product or quotient of two private activations is not supported; only constants may multiply"
_CLIP = "only max(x, 0) is supported: train with ReLU in its place"

_HINTS: Mapping[str, str] = MappingProxyType(
    {
        "softmax": _OUTSIDE,
        "_softmax": _OUTSIDE,
        "log_softmax": _OUTSIDE,
        "_log_softmax": _OUTSIDE,
        "sigmoid": "at the end, leave it out and apply it to the revealed logits; inside, train with ReLU",
        "argmax": "leave it out and ask for output='label'",
        "gelu": _SMOOTH,
        "silu": _SMOOTH,
        "tanh": _SMOOTH,
        "elu": _SMOOTH,
        "selu": _SMOOTH,
        "mish": _SMOOTH,
        "softplus": _SMOOTH,
        "leaky_relu": _SMOOTH,
        "prelu": _SMOOTH,
        "_prelu_kernel": _SMOOTH,
        "exp": _SMOOTH,
        "hardtanh": _CLIP,
        "relu6": _CLIP,
        "hardswish": _CLIP,
        "hardsigmoid": _CLIP,
        "layer_norm": _NORM,
        "native_layer_norm": _NORM,
        "group_norm": _NORM,
        "native_group_norm": _NORM,
        "instance_norm": _NORM,
        "_native_batch_norm_legit": _NORM + " and with track_running_stats=True",
        "pow": _PRODUCT,
        "square": _PRODUCT,
        "bmm": _PRODUCT,
        "scaled_dot_product_attention": _PRODUCT,
        "embedding": "looking a private index up in a table is not supported",
        "lstm": "recurrent layers are not supported",
        "gru": "recurrent layers are not supported",
        "conv3d": "only one- and two-dimensional convolutions are supported",
        "conv_transpose2d": "transposed convolutions are not supported",
        "upsample_nearest2d": "upsampling is not supported; pool to the smaller size instead",
        "upsample_bilinear2d": "upsampling is not supported; pool to the smaller size instead",
        "cond": "a branch on private values is not supported",
        "slice_scatter": "writing into a part of a tensor is not supported; build it with torch.cat or F.pad",
        "bernoulli": "dropout is on although the network is in eval mode; pass training=self.training",
        "native_dropout": "dropout is on although the network is in eval mode; pass training=self.training",
    }
)


def hint_for(op: str) -> str:
    """What to do about an operation, by torch's name for it ('aten.gelu.default' or 'gelu')."""
    parts = op.split(".")
    name = parts[1] if len(parts) > 1 and parts[0] == "aten" else parts[0]
    return _HINTS.get(name, "the engine does not have it; write the layer with convolutions, linear layers and ReLU")


def unsupported(findings: Sequence[Finding]) -> UnsupportedError:
    """The error that names every finding."""
    lines = "\n".join(f"  {finding}" for finding in findings)
    count = f"{len(findings)} operation" + ("s" if len(findings) > 1 else "")
    return UnsupportedError(
        f"the network has {count} that the engine does not support:\n{lines}",
        findings=[(finding.module, finding.op, finding.hint) for finding in findings],
    )
