"""A case for each operation that models may hold: a module, and the shapes of samples that it takes."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - as torch's own documentation has it

from tests.analytics.nn.operation import (
    IMAGES,
    ROWS,
    SERIES,
    TOKENS,
    VOLUMES,
    Fn,
    Operation,
    fn,
    made,
    plain,
    seeded,
    with_parameter,
)
from tests.analytics.nn.operations_places import MASKS, MOVED, PRIVATE, SCATTERED, WARPS
from tests.analytics.nn.operations_recurrent import RECURRENT

__all__ = ["FAMILIES", "OPERATIONS", "RARE", "Fn", "Operation", "Several", "groups", "seeded"]


def written(x: torch.Tensor) -> torch.Tensor:
    """Values and constants in parts of a copy."""
    y = x.clone()
    y[:, 0] = 0
    y[:, :, 1:3] = x[:, :, 2:4] * 2
    y[..., -1] = 0.5
    return y


def put(x: torch.Tensor) -> torch.Tensor:
    """Numbers in the places of masks: one of values, one that the code has."""
    y = x.clone()
    y[x < -0.5] = 0.25
    y[:, :, torch.arange(x.shape[2]) % 2 == 1] = -1.0
    return y


MOVEMENT = {
    "expand": fn(lambda x: x.mean((2, 3), keepdim=True).expand(-1, -1, 3, 2)),
    "repeat": fn(lambda x: x.repeat(1, 2, 1, 3)),
    "tile": fn(lambda x: x.tile(1, 1, 2, 1)),
    "repeat_interleave": fn(lambda x: x.repeat_interleave(2, dim=2)),
    "stack": fn(lambda x: torch.stack([x, 2 * x], 2)),
    "stack at the end": fn(lambda x: torch.stack([x, x], -1)),
    "roll": fn(lambda x: x.roll((1, -2), (1, 3))),
    "flip": fn(lambda x: x.flip(1, 3)),
    "index_select": fn(lambda x: x.index_select(1, torch.tensor([2, 0, 0]))),
    "index": fn(lambda x: x[:, :, torch.tensor([3, 1])]),
    "index of two axes": fn(lambda x: x[:, :, torch.tensor([3, 1]), torch.tensor([0, 4])]),
    "unbind": fn(lambda x: torch.cat(x.unbind(1)[::-1], 1)),
    "chunk": fn(lambda x: torch.cat(x.chunk(2, 1)[::-1], 1)),
    "select": fn(lambda x: x[:, 1] + x[:, -1]),
    "narrow": fn(lambda x: x.narrow(2, 1, 2)),
    "movedim": fn(lambda x: x.movedim(1, -1)),
    "cat with constants": fn(
        lambda x: torch.cat(
            [torch.ones(x.shape[0], 1, 3, 2), x[:, :, :3, :2], torch.full((x.shape[0], 2, 3, 2), 0.5)], 1
        )
    ),
    "class token": with_parameter(
        lambda x, t: torch.cat([t.expand(x.shape[0], -1, -1), x], 1), lambda s: (1, 1, s[1]), TOKENS
    ),
    "channel_shuffle": plain(nn.ChannelShuffle(2)),
    "pixel_shuffle": plain(nn.PixelShuffle(2)),
    "pixel_unshuffle": plain(nn.PixelUnshuffle(2), ((1, 4, 6), (3, 2, 4))),
    "unfold images": fn(lambda x: F.unfold(x, (2, 3), padding=(1, 0), stride=2)),
    "unfold an axis": fn(lambda x: x.unfold(2, 3, 2), ((2, 7), (3, 8))),
    "pad with a value": fn(lambda x: F.pad(x, (1, 2, 0, 1), value=-1.5)),
    "pad reflect": fn(lambda x: F.pad(x, (2, 1, 1, 0), mode="reflect")),
    "pad replicate": fn(lambda x: F.pad(x, (2, 1, 1, 3), mode="replicate")),
    "pad circular": fn(lambda x: F.pad(x, (2, 1, 0, 1), mode="circular")),
    "where": fn(lambda x: torch.where(torch.ones(x.shape[-2:]).tril() > 0, x, 2 * x)),
    "where with a constant": fn(lambda x: torch.where(torch.ones(x.shape[-2:]).tril() > 0, torch.tensor(0.5), x)),
    "masked_fill": fn(lambda x: x.masked_fill(torch.ones(x.shape[-2:], dtype=torch.bool).tril(), 0.5)),
    "parts written": fn(written),
    "triangles": fn(lambda x: x.tril() - x.triu(1), ((2, 4, 4), (3, 5, 2))),
    "diagonal": fn(lambda x: x.diagonal(1, 2, 3) + x.rot90(1, (2, 3)).diagonal(-1, 2, 3), ((2, 4, 4), (3, 5, 5))),
    "gather": fn(lambda x: x.gather(1, (torch.arange(6).reshape(2, 3) % 2).expand(x.shape[0], 2, 3)), TOKENS),
    "hstack": fn(lambda x: torch.hstack([x, 2 * x])),
    "fold": fn(lambda x: F.fold(F.unfold(x, 2, stride=2, padding=1), x.shape[2:], 2, stride=2, padding=1)),
    "pixel_shuffle with an axis more": fn(lambda x: F.pixel_shuffle(x.unsqueeze(1).repeat(1, 2, 1, 1, 1), 2)),
    "nearest": plain(nn.Upsample(scale_factor=2)),
    "nearest of a size": plain(nn.Upsample(size=(7, 9))),
    "nearest of a series": plain(nn.Upsample(size=10), SERIES),
}

ARITHMETIC = {
    "add a pixel's": with_parameter(lambda x, p: x + p, lambda s: s[1:]),
    "add a channel's": with_parameter(lambda x, p: x - p, lambda s: (s[0], 1, 1)),
    "add all": with_parameter(lambda x, p: 2 * p - x, lambda s: s),
    "position embedding": with_parameter(lambda x, p: x + p, lambda s: (1, *s), TOKENS),
    "multiply the last axis": with_parameter(lambda x, p: x * p, lambda s: s[-1:]),
    "multiply the middle axis": with_parameter(lambda x, p: x * p, lambda s: (s[1], 1)),
    "broadcast up to a constant": with_parameter(lambda x, p: x[:, :, :1] * p, lambda s: s),
    "add a broadcast branch": fn(lambda x: x + x.mean((2, 3), keepdim=True)),
    "multiply branches": fn(lambda x: x * (x + 1)),
    "multiply a gate": fn(lambda x: x * x.mean((2, 3), keepdim=True)),
    "square": fn(lambda x: x.square()),
    "pow": fn(lambda x: x**2 + x**3, bound=2.0),
    "fourth power": fn(lambda x: x**4, bound=2.0, error=0.02),
    "matmul": fn(lambda x: x @ x.transpose(1, 2), TOKENS),
    "matmul of heads": fn(lambda x: x.transpose(2, 3) @ x),
    "matmul by constants": with_parameter(lambda x, p: x @ p, lambda s: (s[0], s[2], 3)),
    "constant times activation": with_parameter(lambda x, p: p @ x, lambda s: (3, s[0]), TOKENS),
    "einsum": fn(lambda x: torch.einsum("bchw,bcwk->bchk", x, x.transpose(2, 3))),
    "einsum with constants": with_parameter(
        lambda x, p: torch.einsum("bchw,kch->bwk", x, p), lambda s: (3, s[0], s[1])
    ),
    "einsum for each head": with_parameter(
        lambda x, p: torch.einsum("cwk,bchw->bhkc", p, x), lambda s: (s[0], s[2], 3)
    ),
    "einsum of three": with_parameter(
        lambda x, p: torch.einsum("bchw,cd,bdhw->bw", x, p @ p.T, x), lambda s: (s[0], 2), bound=2.0
    ),
    "einsum of one": fn(lambda x: torch.einsum("b...w->b...", x)),
    "einsum of any axes": with_parameter(lambda x, p: torch.einsum("...w,wk->...k", x, p), lambda s: (s[2], 3)),
    "tensordot": with_parameter(lambda x, p: torch.tensordot(x, p, 1), lambda s: (s[2], 3)),
    "baddbmm": with_parameter(
        lambda x, p: torch.baddbmm(p, x, x.transpose(1, 2), beta=0.5, alpha=2), lambda s: (1, s[0], s[0]), TOKENS
    ),
    "product": fn(lambda x: x.prod(2), ((2, 3, 4), (3, 2, 5)), bound=2.0),
    "bilinear form": Operation(lambda s: Fn(lambda x, layer: layer(x, x.flip(1)), nn.Bilinear(s[1], s[1], 3)), TOKENS),
    "power of two": fn(lambda x: torch.ldexp(x, torch.arange(x.shape[1])[:, None, None] % 4 - 2)),
    "bmm": fn(lambda x: torch.bmm(x, x.transpose(1, 2)), TOKENS),
    "product and relu": fn(lambda x: F.relu(x * x.flip(1))),
    "mean over channels": fn(lambda x: x.mean(1)),
    "mean over all": fn(lambda x: x.mean((1, 2, 3))),
    "sum over the last": fn(lambda x: x.sum(-1), TOKENS),
    "mean of features": fn(lambda x: x.mean(1, keepdim=True), ROWS),
    "amax over channels": fn(lambda x: x.amax(1)),
    "amin": fn(lambda x: x.amin((2, 3))),
    "max": fn(lambda x: x.max(2).values),
}

PIECEWISE = {
    "relu6": plain(nn.ReLU6(), bound=8.0),
    "leaky_relu": plain(nn.LeakyReLU(0.1)),
    "prelu": made(nn.PReLU),
    "prelu of one": plain(nn.PReLU()),
    "hardtanh": plain(nn.Hardtanh(-0.5, 2.0)),
    "clamp": fn(lambda x: x.clamp(-1, 1.7)),
    "clamp_min": fn(lambda x: x.clamp(min=-0.3)),
    "clamp_max": fn(lambda x: x.clamp(max=0.3)),
    "abs": fn(torch.abs),
    "hardsigmoid": plain(nn.Hardsigmoid()),
    "hardswish": plain(nn.Hardswish()),
    "maximum": fn(lambda x: torch.maximum(x, x.flip(1))),
    "fmax and fmin": fn(lambda x: torch.fmax(x, x.flip(1)) - torch.fmin(x, x.flip(2))),
    "minimum": fn(lambda x: torch.minimum(x, x.flip(1))),
    "maximum with constants": with_parameter(torch.maximum, lambda s: (s[0], 1, 1)),
    "minimum with constants": with_parameter(torch.minimum, lambda s: s[1:]),
    "rrelu": plain(nn.RReLU()),
    "elu": plain(nn.ELU(0.7)),
    "selu": plain(nn.SELU()),
    "celu": plain(nn.CELU(2.0)),
}

SMOOTH = {
    "sigmoid": plain(nn.Sigmoid()),
    "tanh": plain(nn.Tanh(), bound=8.0),
    "silu": plain(nn.SiLU()),
    "glu": plain(nn.GLU(1)),
    "erf": fn(lambda x: torch.erf(x) - torch.erfc(2 * x)),
    "sine and cosine": fn(lambda x: torch.sin(x) + torch.cos(3 * x)),
    "mish": plain(nn.Mish()),
    "what torch says a difference is made of": fn(lambda x: x.diff(dim=1)),
    "gelu": plain(nn.GELU()),
    "gelu tanh": plain(nn.GELU(approximate="tanh")),
    "softplus": plain(nn.Softplus()),
    "softplus beta": plain(nn.Softplus(beta=2.0), bound=8.0),
    "logsigmoid": plain(nn.LogSigmoid()),
    "softmax": plain(nn.Softmax(-1)),
    "softmax of channels": plain(nn.Softmax(1)),
    "softmax of two": plain(nn.Softmax(1), ((2,), (2, 3))),
    "log_softmax": plain(nn.LogSoftmax(1), ROWS),
}

FUNCTIONS = {
    "quotient": fn(lambda x: x / (x.abs() + 1)),
    "quotient by less than zero": fn(lambda x: x / (-1 - x.square())),
    "quotient by a row's sum": fn(lambda x: x.abs() / (x.abs().sum(-1, keepdim=True) + 0.5)),
    "reciprocal": fn(lambda x: 1 / (x.abs() + 0.5)),
    "constants by activations": with_parameter(lambda x, p: p / (x.abs() + 1), lambda s: (s[0], 1, 1)),
    "square root": fn(lambda x: torch.sqrt(x.relu())),
    "reciprocal root": fn(lambda x: torch.rsqrt(x.square() + 0.1)),
    "powers": fn(lambda x: x.abs() ** 1.5 + (x.abs() + 1) ** -2 + (x.abs() + 1) ** (-1 / 3) + (0.5 * x) ** 5),
    "exponential": fn(lambda x: x.exp() + torch.expm1(-x) + 2**x + torch.exp2(x)),
    "logarithm": fn(lambda x: torch.log(x.relu() + 0.1) + torch.log1p(x.relu()) - torch.log2(x.square() + 1)),
    "logsumexp": fn(lambda x: x.logsumexp((1, 3))),
    "variance": fn(lambda x: x.var(-1, unbiased=False) + x.std((2, 3), keepdim=True).flatten(2), error=0.5),
    "length": fn(lambda x: x.norm(dim=1) + torch.linalg.vector_norm(x, 1, dim=1), error=0.1),
    "lengths of other orders": fn(
        lambda x: torch.linalg.norm(x, 3, dim=1) + x.norm(float("inf"), dim=1) - x.norm(-float("inf"), dim=1),
        error=0.5,
    ),
    "hypotenuse": fn(lambda x: torch.hypot(x, x.flip(1) + 1), error=0.1),
    "distances": fn(
        lambda x: torch.cdist(x, x[:, :, 1:] + 1) + torch.cdist(x, x[:, :, :2], p=1).mean(-1, True), error=0.5
    ),
    "distances to constants": with_parameter(
        lambda x, p: torch.cdist(x, p) - torch.cdist(x, p, p=1), lambda s: (3, *s), ROWS, error=0.5
    ),
    "distances of rows to constants": with_parameter(torch.cdist, lambda s: (3, s[1]), TOKENS, error=0.5),
    "cosine": fn(lambda x: F.cosine_similarity(x, x.flip(1), dim=1), error=256.0),
    "written unit rows": fn(lambda x: x * torch.rsqrt(x.square().sum(1, keepdim=True)).clamp(max=1e6), error=256.0),
    "written norm": fn(lambda x: x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-3), error=256.0),
    "written softmax": fn(lambda x: x.exp() / x.exp().sum(-1, keepdim=True), error=16.0),
    "softsign": plain(nn.Softsign()),
    "names of numpy": fn(
        lambda x: (
            torch.negative(torch.multiply(torch.subtract(x, 0.5), torch.multiply(x, 2.0)))
            - torch.subtract(x, x.flip(1))
        )
    ),
    "addcmul, addcdiv and lerp": fn(
        lambda x: torch.addcdiv(torch.addcmul(x, x, x.flip(1), value=0.5), x, x.square() + 1).lerp(x, 0.3)
    ),
}

ANGLES = {
    "tangent": fn(lambda x: torch.tan(0.3 * x.clamp(-3, 3)), error=0.1),
    "arctangent": fn(lambda x: torch.atan(x) + torch.atan(0.2 * x), bound=16.0),
    "arcsine and arccosine": fn(lambda x: torch.asin(0.9 * torch.sin(x)) - torch.acos(0.2 * x), error=4.0),
    "hyperbolic functions": fn(lambda x: torch.sinh(x) - torch.cosh(0.5 * x), error=0.1),
    "areas": fn(lambda x: torch.asinh(x) + torch.acosh(x.abs() + 1.25) - torch.atanh(0.2 * x), error=8.0),
    "angle": fn(lambda x: torch.atan2(x, x.abs() + 0.5) + torch.atan2(x.flip(1).abs() + 0.5, x), error=32.0),
    "angle to constants": fn(
        lambda x: torch.atan2(torch.tensor(0.5), x) + torch.atan2(x, -torch.ones(x.shape[-1])), error=32.0
    ),
}

RUNNING = {
    "running sums and products": fn(
        lambda x: x.cumsum(1) + x.cumprod(-1), ((2, 3, 4), (3, 2, 5)), bound=2.0, error=0.1
    ),
    "running extremes": fn(lambda x: x.cummax(1).values - x.cummin(-1).values),
    "sums of exponentials": fn(
        lambda x: x.logcumsumexp(-1) + torch.logaddexp(x, x.flip(1)) - torch.logaddexp2(x, 2 * torch.ones(x.shape[-1])),
        error=0.02,
    ),
}

ORDER = {
    "top values": fn(lambda x: x.topk(2, 1).values + x.sort(1, descending=True).values[:, 1:3]),
    "smallest": fn(lambda x: x.topk(3, -1, largest=False).values + x.sort(-1).values[..., :3]),
    "median without NaN": fn(lambda x: x.nanmedian(1).values),
    "median": fn(lambda x: x.median(-1).values + x.min(-1).values),
    "places of the largest": fn(lambda x: x.argmax(1).float() - x.max(1).indices, error=16.0),
    "places of the smallest": fn(lambda x: x.flatten(1).argmin(1, keepdim=True).double(), error=256.0),
    "values and places": fn(lambda x: torch.cat([part.double() for part in x.topk(2, 1)], 1), error=8.0),
}

CHOICES = {
    "what torch says a count is made of": fn(lambda x: torch.count_nonzero(x > 0, -1) / 2, error=8.0),
    "what torch says a loss is made of": fn(lambda x: F.huber_loss(x, 2 * x, reduction="none"), error=128.0),
    "numbers in the places of masks": fn(put, error=9.0),
    "above a number": fn(lambda x: (x > 0.5).float(), error=2.0),
    "above another": fn(lambda x: (x >= x.flip(1)).to(x.dtype) + (x < -x).double(), error=4.0),
    "above a constant": with_parameter(lambda x, p: x * (x <= p), lambda s: (s[0], 1, 1), error=16.0),
    "equal": fn(lambda x: (x.relu() == 0).float() - (x.relu() != 0).float(), error=8.0),
    "chosen where code allows it": fn(
        lambda x: torch.where((x > 0) & (torch.arange(x.shape[-1]) > 1), x, 0.5 - x), error=16.0
    ),
    "chosen by a condition": fn(lambda x: torch.where(x > 0.5, x, x.flip(1) - 2), error=16.0),
    "a number by a condition": fn(lambda x: torch.where(x > 1, 0.3, x) + x.masked_fill(x < 0, 0.25), error=16.0),
    "constants by a condition": with_parameter(lambda x, p: torch.where(x > 1, p, -p), lambda s: s[1:], error=16.0),
    "the sign of another": fn(lambda x: torch.copysign(x, x.flip(1)) + x.copysign(-2.0), error=32.0),
    "how many": fn(lambda x: x.relu().norm(0, dim=1), error=32.0),
    "rounded": fn(lambda x: x.floor() + x.ceil() + x.round() + x.trunc(), error=16.0),
    "left over": fn(lambda x: x % 0.75 + torch.fmod(x, 1.5) - x.frac() + x.remainder(-2), error=16.0),
    "divided and rounded": fn(
        lambda x: x // 0.4 - torch.div(x, 3, rounding_mode="trunc") + torch.div(x, -0.5, rounding_mode="floor"),
        error=16.0,
    ),
    "logic": fn(lambda x: (((x > 0) & ~(x > 1)) | (x < -1) ^ (x < -2)).float(), error=16.0),
    "any and all": fn(lambda x: (x > 2).any(-1).float() - (x > -3).all((2, 3)).float().unsqueeze(-1), error=4.0),
    "counted": fn(lambda x: (x > 0).sum(-1) / 2, error=8.0),
    "sign": fn(lambda x: torch.sign(x) + torch.heaviside(x, torch.tensor(0.5, dtype=x.dtype)), error=8.0),
    "thresholds": fn(lambda x: F.threshold(x, 0.1, 2.0) + F.hardshrink(x) + F.softshrink(x), error=16.0),
    "limits of constants": with_parameter(lambda x, p: x.clamp(min=p, max=p + 1), lambda s: s[1:]),
    "masked softmax": fn(lambda x: x.masked_fill(x.flip(-1) > 1, -torch.inf).softmax(-1), error=2.0),
    "added mask of attention": fn(
        lambda x: (x @ x.transpose(2, 3) + (1.0 - (x[..., :1] > -1).transpose(2, 3).float()) * -1e9).softmax(-1),
        error=2.0,
    ),
}

OTHERS = {
    "cosine to constants": with_parameter(
        lambda x, p: F.cosine_similarity(x.unsqueeze(1), p, dim=-1), lambda s: (3, s[0]), ROWS, error=256.0
    ),
    "numbers that are": fn(lambda x: torch.where(x.isfinite() & ~x.isnan() & ~torch.signbit(x), x, 2 * x), error=16.0),
}

MAPS = {
    "conv_transpose2d of patches": made(nn.ConvTranspose2d, 3, 2, 2),
    "conv_transpose2d": made(nn.ConvTranspose2d, 6, 3, stride=2, padding=1, output_padding=1, groups=2),
    "conv_transpose2d dilated": made(nn.ConvTranspose2d, 3, (3, 2), stride=(1, 2), dilation=2, bias=False),
    "conv_transpose2d cropped": made(nn.ConvTranspose2d, 2, 3, padding=2),
    "conv_transpose1d": made(nn.ConvTranspose1d, 3, 4, stride=2, padding=1, shapes=SERIES),
    "conv3d": made(nn.Conv3d, 4, 3, stride=(1, 2, 1), padding=1, shapes=((2, 3, 5, 4), (4, 4, 3, 6))),
    "conv3d of groups": made(nn.Conv3d, 4, (2, 1, 3), groups=2, dilation=(2, 1, 1), shapes=((2, 4, 3, 4),)),
    "conv_transpose3d": made(
        nn.ConvTranspose3d, 4, 3, stride=(1, 2, 1), padding=1, output_padding=(0, 1, 0), groups=2, shapes=VOLUMES
    ),
    "average of volumes": fn(lambda x: F.avg_pool3d(x, 2, (1, 2, 1), 1, True, False), VOLUMES),
    "maximum of volumes": fn(lambda x: F.max_pool3d(x, (2, 2, 3), 2, (1, 0, 1), ceil_mode=True), VOLUMES),
    "adaptive average of volumes": fn(lambda x: F.adaptive_avg_pool3d(x, (2, 3, 2)), VOLUMES),
    "trilinear": fn(lambda x: F.interpolate(x, scale_factor=2, mode="trilinear"), VOLUMES),
    "nearest of volumes": fn(lambda x: F.interpolate(x, size=(3, 4, 5)), VOLUMES),
    "maximum with infinite padding": fn(
        lambda x: F.max_pool2d(F.pad(x, (0, 1, 1, 0), value=-torch.inf), 3, 2, ceil_mode=True)
    ),
    "maximum of a series with infinite padding": fn(
        lambda x: F.max_pool1d(F.pad(x, (2, 0), value=-torch.inf), 3, 1), SERIES
    ),
    "adaptive maximum": fn(lambda x: F.adaptive_max_pool2d(x, (4, 3))),
    "adaptive maximum of a series": fn(lambda x: F.adaptive_max_pool1d(x, 3), SERIES),
    "bilinear": plain(nn.Upsample(scale_factor=2, mode="bilinear")),
    "bilinear corners": plain(nn.Upsample(size=(7, 4), mode="bilinear", align_corners=True)),
    "bilinear antialiased": fn(lambda x: F.interpolate(x, size=(3, 8), mode="bilinear", antialias=True)),
    "bicubic antialiased": fn(lambda x: F.interpolate(x, scale_factor=(0.5, 1.5), mode="bicubic", antialias=True)),
    "bicubic": plain(nn.Upsample(scale_factor=2, mode="bicubic")),
    "linear upsampling": plain(nn.Upsample(scale_factor=3, mode="linear"), SERIES),
    "adaptive average": plain(nn.AdaptiveAvgPool2d((4, 3))),
    "adaptive average of a series": plain(nn.AdaptiveAvgPool1d(5), SERIES),
}

NORMS = {
    "layer_norm": Operation(lambda s: nn.LayerNorm(s[-1]), TOKENS, error=16.0),
    "layer_norm of images": Operation(nn.LayerNorm, IMAGES, error=16.0),
    "group_norm": Operation(lambda s: nn.GroupNorm(2, s[0]), IMAGES, error=16.0),
    "instance_norm": Operation(lambda s: nn.InstanceNorm2d(s[0], affine=True), IMAGES, error=16.0),
    "rms_norm": Operation(lambda s: nn.RMSNorm(s[-1], eps=1e-5), TOKENS, error=16.0),
    "unit rows": fn(lambda x: F.normalize(x, dim=-1) + F.normalize(x, dim=1), TOKENS[:1], error=16.0),
    "tiny epsilon": Operation(lambda s: nn.LayerNorm(s[-1], eps=1e-12), TOKENS, error=16.0),
}


class Padded(nn.Module):
    """torch's encoder, with rows of which nothing but zeros are left out."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.encoder = Encoder(features)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x.clamp(min=0)
        return self.encoder.layers(y, src_key_padding_mask=y[..., 0] == 0)


class Attention(nn.Module):
    """Heads beside one another, the batch in front."""

    def __init__(self, features: int, heads: int, **facts: bool) -> None:
        super().__init__()
        self.heads, self.facts = heads, facts
        self.inner, self.outer = nn.Linear(features, 3 * features), nn.Linear(features, features)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, tokens, features = x.shape
        parts = self.inner(x).reshape(batch, tokens, 3, self.heads, features // self.heads).permute(2, 0, 3, 1, 4)
        query, key, value = parts.unbind(0)
        y = F.scaled_dot_product_attention(query, key, value, **self.facts)
        return self.outer(y.transpose(1, 2).reshape(batch, tokens, features))


class Encoder(nn.Module):
    """torch's own, whose fast path is not exported."""

    def __init__(self, features: int) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(features, 2, 8, batch_first=True, activation="gelu")
        self.layers = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)


class Own(nn.Module):
    """torch's multi-head attention, the batch first or second."""

    def __init__(self, features: int, first: bool) -> None:
        super().__init__()
        self.inner, self.first = nn.MultiheadAttention(features, 2, batch_first=first), first

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x if self.first else x.transpose(0, 1)
        made = self.inner(y, y, y)[0]
        return made if self.first else made.transpose(0, 1)


ATTENTION = {
    "attention of heads": Operation(lambda s: Attention(s[-1], 2), TOKENS, error=0.1),
    "multi-head attention": Operation(lambda s: Own(s[-1], True), TOKENS, error=0.1),
    "multi-head attention, batch second": Operation(lambda s: Own(s[-1], False), TOKENS, error=0.1),
    "encoder layer": Operation(lambda s: Encoder(s[-1]), TOKENS[:1], error=64.0),
    "masked attention": fn(
        lambda x: F.scaled_dot_product_attention(x, x, x, (x[..., :1] > -2).transpose(1, 2)), TOKENS, error=64.0
    ),
    "padded encoder layer": Operation(lambda s: Padded(s[-1]), TOKENS[:1], error=2.0**12),
    "attention of constant queries": fn(
        lambda x: F.scaled_dot_product_attention(
            torch.arange(3 * x.shape[2]).to(x.dtype).sin().view(1, 3, -1).expand(x.shape[0], -1, -1), x, x
        ),
        TOKENS[:1],
        error=0.1,
    ),
    "attention of one head": fn(lambda x: F.scaled_dot_product_attention(x, x, x), TOKENS, error=0.1),
    "causal attention": fn(lambda x: F.scaled_dot_product_attention(x, x, x, is_causal=True), TOKENS, error=0.1),
    "filled mask": fn(
        lambda x: (
            (x @ x.transpose(1, 2)).masked_fill(torch.ones(x.shape[1], x.shape[1]).triu(1) > 0, -torch.inf).softmax(-1)
        ),
        TOKENS,
        error=0.1,
    ),
    "chosen mask": fn(
        lambda x: torch.where(torch.eye(x.shape[1]) > 0, x @ x.transpose(1, 2), torch.tensor(-1e9)).softmax(-1),
        TOKENS[:1],
        error=0.1,
    ),
    "added mask": fn(lambda x: F.scaled_dot_product_attention(x, x, x, torch.eye(x.shape[1])), TOKENS, error=0.1),
}


FAMILIES = {
    "movement": MOVEMENT,
    "arithmetic": ARITHMETIC,
    "piecewise": PIECEWISE,
    "smooth": SMOOTH,
    "functions": FUNCTIONS,
    "angles": ANGLES,
    "running": RUNNING,
    "scattered": SCATTERED,
    "masks": MASKS,
    "private places": PRIVATE,
    "warps": WARPS,
    "moved": MOVED,
    "order": ORDER,
    "choices": CHOICES,
    "others": OTHERS,
    "maps": MAPS,
    "norms": NORMS,
    "attention": ATTENTION,
    "recurrent": RECURRENT,
}
RARE = {"angles", "running", "masks", "others", "private places", "warps"}
"""Families that `make test` imports, and does not compute on shares."""
OPERATIONS = {name: case for cases in FAMILIES.values() for name, case in cases.items()}


class Several(nn.Module):
    """Modules side by side, their results in one row."""

    def __init__(self, *modules: nn.Module) -> None:
        super().__init__()
        self.members = nn.ModuleList(modules)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([member(x).reshape(x.shape[0], -1) for member in self.members], 1)


def groups(families: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Operations of a family that take the same samples and are about as exact: quicker together."""
    found: dict[str, list[str]] = {}
    for family in families:
        cases = FAMILIES[family]
        for name, case in cases.items():
            shape = "x".join(map(str, case.shapes[0]))
            found.setdefault(f"{family} of {shape} to {case.bound:g}, {case.error:g}", []).append(name)
    return {key: tuple(names) for key, names in found.items()}
