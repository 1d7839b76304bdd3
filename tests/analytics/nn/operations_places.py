"""Cases of operations that name places: what is written to them, images read at them, steps of loops written out."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - as torch's own documentation has it

from tests.analytics.nn.operation import IMAGES, ROWS, TOKENS, Operation, fn, seeded

PLACES = torch.tensor([[0, 2, 1], [1, 1, 2]])


def rows(index: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """The index for each row of a batch."""
    return index.expand(x.shape[0], *index.shape)


def indexed(x: torch.Tensor) -> torch.Tensor:
    """Values in places of a copy, and more of them added."""
    y = x.clone()
    y[:, torch.tensor([0, 2])] = 2 * x[:, torch.tensor([1, 1])]
    y[:, :, torch.tensor([3, 1])] += x[:, :, :2]
    y[:, 1, torch.tensor([0, 2])] = torch.tensor([0.5, -0.5], dtype=x.dtype)
    return y


SCATTERED = {
    "scatter": fn(lambda x: x.scatter(1, rows(PLACES[:, :1] + torch.arange(2), x), 2 * x[:, :2, :3]), TOKENS),
    "scatter of a number": fn(lambda x: x.scatter(2, rows(PLACES, x), 0.5), TOKENS),
    "scatter_add": fn(
        lambda x: x.scatter_add(1, rows(PLACES, x), x[:, 1:]) + x.scatter_add(2, rows(PLACES, x), x), TOKENS
    ),
    "scatter_add to zeros": fn(
        lambda x: x.new_zeros(x.shape[0], 3).scatter_add(1, (torch.arange(x.shape[1]) % 3).expand(x.shape), x), ROWS
    ),
    "scatter_reduce": fn(
        lambda x: torch.stack(
            [
                x.scatter_reduce(1, rows(PLACES, x), x[:, 1:], how, include_self=own)
                for how in ("sum", "mean", "amax", "amin")
                for own in (True, False)
            ],
            1,
        ),
        TOKENS,
    ),
    "index_add, index_copy and index_fill": fn(
        lambda x: (
            x.index_add(1, torch.tensor([0, 2, 2]), x[:, :3], alpha=0.5)
            + x.index_copy(2, torch.tensor([2, 0]), x[:, :, 1:3])
            - x.index_fill(1, torch.tensor([1]), 0.25)
        ),
        TOKENS,
    ),
    "values put": fn(indexed, TOKENS),
    "counts of truth values": fn(
        lambda x: x.new_zeros(x.shape[0], 2).index_add(1, torch.arange(x.shape[1]) % 2, (x > 0).to(x.dtype)),
        ROWS,
        error=16.0,
    ),
}


class Masked(nn.Module):
    """Features and pixels of masks that buffers hold."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.register_buffer("mask", torch.arange(features) % 3 != 1)
        self.last = nn.Linear(int(self.mask.sum()), 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x.clone()
        y[..., self.mask] = self.last(x[..., self.mask])[..., :1] * x[..., self.mask]
        return torch.cat([y, y[..., self.mask.nonzero().squeeze(1)]], -1)


def masked(x: torch.Tensor) -> torch.Tensor:
    """Places of masks that the code makes of numbers, read and written."""
    rows, columns = x.shape[1:]
    y = x.clone()
    y[:, torch.arange(rows) % 2 == 0] = 2 * x[:, ::2]
    above = torch.ones(rows, columns).triu(1).to(torch.bool)
    return torch.cat([x[:, above], x[:, ~above], y[:, (torch.arange(rows) > 1).nonzero()[:, 0]].flatten(1)], 1)


class Kept(nn.Module):
    """A mask that is neither a buffer nor made in forward()."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.mask = torch.arange(size) > 1

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[:, :, self.mask] + x[:, :, torch.where(self.mask)[0]]


MASKS = {
    "masks of buffers": Operation(lambda s: Masked(s[-1]), TOKENS),
    "masks of code": fn(masked, TOKENS),
    "masks of attributes": Operation(lambda s: Kept(s[-1]), TOKENS),
    "filled by a tensor": fn(
        lambda x: torch.where(torch.ones(x.shape[1:]).tril() > 0, x, torch.full_like(x, -9e15)).softmax(-1),
        TOKENS,
        error=0.1,
    ),
    "lists of truth values": fn(lambda x: x[:, [True, False] + [True] * (x.shape[1] - 2)], TOKENS),
}

PRIVATE = {
    "among boundaries": fn(
        lambda x: (
            torch.bucketize(x, torch.tensor([-1.0, 0, 2])) / 2
            + torch.searchsorted(torch.tensor([0.5, 1]), x, right=True)
        ),
        error=8.0,
    ),
    "gathered": fn(lambda x: x.gather(1, x.argmax(1, keepdim=True)) + x.gather(1, x.topk(2, 1).indices), error=128.0),
    "looked up": fn(lambda x: torch.tensor([0.5, 1.5, -1, 2, 3, 5, 1, 1], dtype=x.dtype)[x.argmax(1)], error=64.0),
}


class Warped(nn.Module):
    """A constant grid, and one of an affine map."""

    def __init__(self, **how: object) -> None:
        super().__init__()
        self.how = how
        self.register_buffer("grid", 1.2 * seeded(1, 3, 4, 2).clamp(-1, 1))
        self.register_buffer("map", torch.tensor([[[0.8, 0.1, 0.05], [-0.1, 0.9, -0.05]]]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        count = x.shape[0]
        turned = F.affine_grid(self.map.expand(count, 2, 3), (count, 1, 3, 4), align_corners=False)
        made = [F.grid_sample(x, grid, **self.how) for grid in (self.grid.expand(count, -1, -1, -1), turned)]
        return torch.cat(made, 1)


WARPS = {
    "grid_sample": Operation(lambda _: Warped(align_corners=False), IMAGES),
    "grid_sample of the nearest": Operation(
        lambda _: Warped(mode="nearest", padding_mode="border", align_corners=True), IMAGES
    ),
    "grid_sample bicubic": Operation(
        lambda _: Warped(mode="bicubic", padding_mode="reflection", align_corners=False), IMAGES
    ),
}


class Loop(nn.Module):
    """A recurrent cell, step by step, the batch behind the steps."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.inner, self.again = nn.Parameter(seeded(features, 6) / 3), nn.Parameter(seeded(3, 6) / 3)
        self.shift = nn.Parameter(seeded(6))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        steps = torch.matmul(x.permute(1, 0, 2).flip(0), self.inner) + self.shift
        h = x.new_zeros(x.shape[0], 3)
        made = []
        for step in range(steps.shape[0]):
            gate, value = torch.chunk(steps[step] + h @ self.again, 2, 1)
            h = torch.sigmoid(gate) * torch.tanh(value)
            made.append(h)
        return torch.cat([torch.stack(made, 0).transpose(0, 1), h.unsqueeze(0).permute(1, 0, 2)], 1)


class Second(nn.Module):
    """An encoder's layers with the batch behind the tokens."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.norm, self.wide = nn.LayerNorm(features), nn.Linear(features, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = F.gelu(self.wide(self.norm(x.transpose(0, 1))))
        y = (y - y.mean(0, keepdim=True)).clamp(min=-1).softmax(-1) + y.amax(-1, keepdim=True)
        return torch.cat([y, y[1:]], 0).mean(0)


MOVED = {
    "a loop written out": Operation(lambda s: Loop(s[-1]), ((6, 3), (5, 8)), error=8.0),
    "the batch second": Operation(lambda s: Second(s[-1]), TOKENS, error=64.0),
}
