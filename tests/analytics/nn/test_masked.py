"""Values that a private mask fills with minus infinity: the mask goes where they go, or what takes them is refused."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from analytics.nn.importer import import_model, preflight
from tests.analytics.nn.import_checks import same, settle
from tests.analytics.nn.operation import Fn

torch.set_num_threads(1)


def masked(x: torch.Tensor) -> torch.Tensor:
    return x.masked_fill(x > 1, -torch.inf)


def batch_moved(x: torch.Tensor) -> torch.Tensor:
    """Masks that are made while the batch stands elsewhere."""
    scores = [
        masked(x.permute(1, 2, 0)).permute(2, 0, 1),
        masked(x.permute(1, 2, 0))[1:].flip(0).permute(2, 0, 1).repeat(1, 2, 1)[:, :4],
        masked(x.transpose(0, 1)).permute(2, 0, 1).permute(2, 0, 1),
        (masked(x.permute(1, 2, 0)) + masked(x.flip(1).permute(1, 2, 0))).permute(2, 0, 1),
        (masked(x) + torch.arange(32.0).reshape(2, 1, 4, 4)).permute(1, 0, 2, 3)[:, 1],
    ]
    return torch.stack([y.softmax(-1) for y in scores], 1)


def batch_merged(x: torch.Tensor) -> torch.Tensor:
    y = x.unsqueeze(1).repeat(1, 2, 1, 1) + torch.arange(2.0)[:, None, None] / 2
    both = masked(y.reshape(-1, 4, 4).permute(1, 0, 2)).permute(1, 0, 2).softmax(-1).view(-1, 2, 4, 4)
    return both + masked(x.permute(1, 0, 2).reshape(-1, 4)).view(4, -1, 4).transpose(0, 1).softmax(-1).unsqueeze(1)


def moved(x: torch.Tensor) -> torch.Tensor:
    """What is there keeps its mask, also where it is repeated and another mask comes to it."""
    scores = [
        functional.pad(masked(x), (1, 0))[..., :4],
        masked(x).triu(),
        masked(x[:, :1]).masked_fill(x < -2, -torch.inf),
        masked(x)[..., torch.tensor([2, 0, 1, 1])].double(),
    ]
    return torch.stack([y.softmax(-1) for y in scores], 1)


def taken_apart(x: torch.Tensor) -> torch.Tensor:
    """Of parts each has its part of the mask, wherever the batch is."""
    parts = [
        *masked(x).chunk(2, dim=1),
        masked(x).split([1, 3], dim=-1)[1],
        masked(x.permute(1, 2, 0)).unbind(0)[3].transpose(0, 1),
        masked(x.transpose(0, 1).reshape(4, -1)).reshape(4, -1, 4).transpose(0, 1).split(3, dim=1)[1],
        masked(x.reshape(-1, 4)).split(3, dim=-1)[0].view(-1, 4, 3),
        masked(x.reshape(-1, 4)).unbind(1)[2].view(-1, 4),
    ]
    return torch.cat([y.softmax(-1).flatten(1) for y in parts], 1)


def less_a_large_number(x: torch.Tensor) -> torch.Tensor:
    """As Keras masks scores: two tensors to choose from, one of them shut in all places."""
    past = torch.ones(4, 4).tril() > 0
    heads = x.unsqueeze(1) * torch.arange(1.0, 3).reshape(2, 1, 1)
    by_head = torch.where(past, heads, x.unsqueeze(1) - 1e9).softmax(-1)
    scores = [
        torch.where(past, x, x - 1e9),
        torch.where(~past, x - 1e9, x.relu()),
        torch.where(x > 1, x - 1e9, x),
        torch.where(x > -1, x.relu(), x - 1e9),
    ]
    return torch.cat([torch.stack([y.softmax(-1) for y in scores], 1), by_head], 1)


@pytest.mark.parametrize("function", [batch_moved, batch_merged, moved, taken_apart, less_a_large_number])
def test_masks_go_with_their_values(function) -> None:
    net = settle(Fn(function))
    x = torch.randn(7, 4, 4, generator=torch.Generator().manual_seed(1))
    graph = import_model(net, (x[:3],))
    for size in (1, 2, 4, 7):
        same(graph, net, x[:size])


def put_among_others(x: torch.Tensor) -> torch.Tensor:
    y, half = masked(x), torch.full((4, 4), 0.5)
    first, closed = torch.tensor([1]), torch.ones(4, 4).triu(1) > 0
    every = half.expand(x.shape[0], 4, 4)
    made = [torch.cat([y, every], -1), torch.stack([y], 1), torch.hstack([y]), functional.pad(y, (1, 0), value=1.0)]
    made += [
        y.index_fill(2, first, 1.0),
        y.index_copy(2, first, every[..., :1]),
        y.slice_scatter(every[:, :2], 1, 0, 2),
    ]
    made += [torch.where(closed, y, x), torch.where(x > 0, y, x), torch.where(closed, 0.5, y)]
    made += [y.masked_fill(closed, 0.5), y.masked_fill(x < 0, 0.5)]
    made += [torch.baddbmm(x, y, x), functional.scaled_dot_product_attention(x, y, x)]
    made += [y.nan_to_num(neginf=0.0), y.to(torch.bool).double(), y.prod(1)]
    return torch.stack([z.flatten(1).amax(1) for z in made], 1)


def shut_in_public(x: torch.Tensor) -> torch.Tensor:
    past = torch.ones(4, 4).tril() > 0
    y, every = x.masked_fill(past, -torch.inf), x - 1e9
    made = [torch.where(past, y, x), torch.where(past, every, y), torch.where(x > 0, y, x)]
    made += [torch.where(past, every, 0.5)]
    made += [torch.where(past, torch.arange(4.0).expand(4, 4), every), torch.where(past, every, x.relu()).mean(1)]
    return torch.stack([z.flatten(1).amax(1) for z in made], 1)


def test_a_public_mask_is_not_lost_among_others() -> None:
    found = preflight(Fn(shut_in_public).eval(), (torch.randn(3, 4, 4),))
    assert [finding.op.split(".")[1] for finding in found] == ["where"] * 5 + ["mean"]
    hint = "it takes values that a mask fills with minus infinity; only a softmax can"
    assert {finding.hint for finding in found} == {hint}


@pytest.mark.slow
def test_values_that_come_among_masked_ones_are_refused() -> None:
    found = preflight(Fn(put_among_others).eval(), (torch.randn(3, 4, 4),))
    assert [finding.op.split(".")[1] for finding in found] == [
        *("cat", "stack", "hstack", "pad", "index_fill", "index_copy", "slice_scatter"),
        *("where", "where", "where", "masked_fill", "masked_fill"),
        *("baddbmm", "scaled_dot_product_attention", "nan_to_num", "_to_copy", "prod"),
    ]
    assert {finding.hint for finding in found} == {
        "it takes values that a mask fills with minus infinity; only a softmax can"
    }
