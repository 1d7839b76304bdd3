"""Networks, and what torch exports of its own, that merge the batch with heads, steps or patches, and part it again."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from analytics.nn.importer import import_model, preflight
from analytics.nn.reference import run_reference
from analytics.nn.subject import subject_of
from icm_ray.errors import UnsupportedError
from tests.analytics.nn.import_checks import same, settle
from tests.analytics.nn.operation import Fn

torch.set_num_threads(1)


class Attention(nn.Module):
    """torch's, with a mask: of minus infinity, of truth values, of values; or its weights as the result."""

    def __init__(self, mask: str = "", *, weights: bool = True) -> None:
        super().__init__()
        self.inner, self.mask, self.weights = nn.MultiheadAttention(8, 2, batch_first=True), mask, weights
        self.register_buffer("added", nn.Transformer.generate_square_subsequent_mask(5))
        self.register_buffer("closed", torch.ones(5, 5, dtype=torch.bool).triu(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        masks = {"added": {"attn_mask": self.added}, "closed": {"attn_mask": self.closed}}
        masks["values"] = {"key_padding_mask": x[:, :, 0] > 1}
        found = self.inner(x, x, x, need_weights=self.weights, **masks.get(self.mask, {}))
        return found[self.mask == "result"]


class Vision(nn.Module):
    """A transformer of images, as torchvision builds it."""

    def __init__(self) -> None:
        super().__init__()
        self.patches, self.last = nn.Conv2d(3, 8, 4, 4), nn.Linear(8, 3)
        self.token, self.places = nn.Parameter(torch.randn(1, 1, 8)), nn.Parameter(torch.randn(1, 5, 8))
        self.blocks = nn.TransformerEncoder(layer(norm_first=True), 2, nn.LayerNorm(8), enable_nested_tensor=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        n = x.shape[0]
        x = self.patches(x).reshape(n, 8, 4).permute(0, 2, 1)
        x = torch.cat([self.token.expand(n, -1, -1), x], dim=1) + self.places
        return self.last(self.blocks(x)[:, 0])


def layer(**options: bool) -> nn.Module:
    return nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, **options)


EXPORTED: dict[str, Callable[[], nn.Module]] = {
    "encoder's layer": layer,
    "vision": Vision,
    "attention": Attention,
    "weights of attention": lambda: Attention("result"),
    "an added mask": lambda: Attention("added"),
    "a mask of truth values": lambda: Attention("closed", weights=False),
    "a private mask": lambda: Attention("values"),
    "a private mask, without weights": lambda: Attention("values", weights=False),
}


def agrees_exported(name: str) -> None:
    torch.manual_seed(len(name))
    made, x = EXPORTED[name]().eval(), torch.randn(3, *((3, 8, 8) if name == "vision" else (5, 8)))
    program = torch.export.export(made, (x,), dynamic_shapes=({0: torch.export.Dim("batch", min=2)},))
    forms = (program, program.run_decompositions())
    found = [run_reference(subject_of(given, None).imported(), x.double().numpy()) for given in forms]
    with torch.no_grad():
        expected = made.double()(x.double()).numpy()
    for each in found:
        np.testing.assert_allclose(each, expected, atol=1e-6)


@pytest.mark.slow
def test_an_exported_encoder() -> None:
    agrees_exported("encoder's layer")


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in EXPORTED if name != "encoder's layer"])
def test_exported(name: str) -> None:
    agrees_exported(name)


def heads(x: torch.Tensor) -> torch.Tensor:
    q, k, v = (y.reshape(-1, 5, 2, 4).transpose(1, 2).reshape(-1, 5, 4) for y in (x, x.flip(1), 2 * x))
    mixed = torch.bmm((torch.bmm(q, k.transpose(1, 2)) / 2).softmax(-1), v)
    return mixed.view(-1, 2, 5, 4).permute(0, 2, 1, 3).reshape(-1, 5, 8)


def series(x: torch.Tensor) -> torch.Tensor:
    """Attention within each of two series of a sample, and of tokens whose batch stands behind them."""
    y = x.reshape(-1, 5, 2, 4).transpose(1, 2).reshape(-1, 1, 5, 4)
    made = functional.scaled_dot_product_attention(y, y.flip(2), 2 * y, is_causal=True).view(-1, 2, 5, 4)
    z = x.reshape(-1, 5, 2, 4).permute(2, 0, 1, 3)
    return made + functional.scaled_dot_product_attention(z, z, z, attn_mask=torch.eye(5)).transpose(0, 1)


def changed(x: torch.Tensor) -> torch.Tensor:
    y = x.reshape(-1, 8)
    first, second = y.chunk(2, -1)
    y = torch.cat([second, 2 * first], -1)
    y = (y + y.mean(-1, keepdim=True)).unsqueeze(1).squeeze(1)[:, 1:7]
    y = torch.stack([y, -y], 1).amax(1) * torch.arange(6.0)
    return torch.stack(y.unbind(1)[::-1], 1).view(-1, 30)


def times_constants(x: torch.Tensor) -> torch.Tensor:
    y = x.reshape(-1, 5, 2, 4).flatten(0, 1)
    y = torch.arange(6, dtype=x.dtype).reshape(1, 3, 2) @ y + (torch.arange(2, dtype=x.dtype) @ y).unsqueeze(1)
    return y.unflatten(0, (-1, 5))


MERGING: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "heads": heads,
    "series": series,
    "steps in front": lambda x: (x.transpose(0, 1).reshape(-1, 8) + 1).softmax(-1).view(5, -1, 8).transpose(0, 1),
    "sums": lambda x: x.flatten(0, 1).sum(-1).unflatten(0, (-1, 5)),
    "orders": lambda x: x.reshape(-1, 8).topk(3, -1).values.reshape(-1, 15),
    "order of axes": lambda x: x.reshape(-1, 4, 2).permute(2, 0, 1).square().sum(0).reshape(-1, 5, 4),
    "parts": changed,
    "products with constants": times_constants,
    "batches": lambda x: (torch.cat([x, x.flip(1), x]).relu() + 1).view(3, -1, 5, 8).softmax(-1).permute(1, 0, 3, 2),
    "constants before the batch": lambda x: ((x + torch.arange(3.0)[:, None, None, None]) * x).sum(0),
}


def test_merged() -> None:
    x = torch.randn(3, 5, 8)
    for function in MERGING.values():
        net = settle(Fn(function))
        same(import_model(net, (x,)), net, x)


MIXING: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "another order": lambda x: x.transpose(0, 1).reshape(-1, 5, 8),
    "some rows": lambda x: x.reshape(-1, 8)[:-5].reshape(-1, 5, 8),
    "attention among rows": lambda x: functional.scaled_dot_product_attention(*[x.transpose(0, 1)] * 3).transpose(0, 1),
    "rows with one another": lambda x: (x.reshape(-1, 8) - x.reshape(-1, 8).mean(0)).reshape(-1, 5, 8),
    "products of rows": lambda x: (x.reshape(-1, 8) @ x.reshape(-1, 8).t() @ x.reshape(-1, 8)).reshape(-1, 5, 8),
    "merged in two ways": lambda x: (x.reshape(-1, 8) + x.transpose(0, 1).reshape(-1, 8)).reshape(-1, 5, 8),
    "never parted": lambda x: x.reshape(-1, 8),
    "batches, never parted": lambda x: torch.cat([x, x]),
    "batches, parted otherwise": lambda x: torch.cat([x, x]).view(-1, 2, 5, 8),
    "batches of rows that are not in front": lambda x: torch.cat([x.transpose(0, 1)] * 2, 1).view(5, 2, -1, 8)[:, 0],
    "a batch and constants": lambda x: torch.cat([x, torch.ones_like(x)]).view(2, -1, 5, 8).sum(0),
}


@pytest.mark.parametrize("name", MIXING)
@pytest.mark.few(3)
def test_rows_that_mix_are_refused(name: str) -> None:
    with pytest.raises(UnsupportedError, match=r"batch"):
        import_model(Fn(MIXING[name]).eval(), (torch.randn(3, 5, 8),))


def test_large_numbers_that_are_added_close_nothing() -> None:
    """Scores may be as large."""
    mask = torch.full((5, 5), -1e4).triu(1)
    net, x = Fn(lambda x: (3000 * x + mask).softmax(-1)).eval(), 3 * torch.randn(4, 5, 5)
    same(import_model(net, (x,)), net, x)


@pytest.mark.slow
def test_what_is_no_guard_of_attention_stays() -> None:
    """... in an export's core operations."""

    def forward(x: torch.Tensor, value: float, dim: int, closed: float) -> torch.Tensor:
        scores = x.relu()
        p = scores.softmax(-1)
        nothing = torch.logical_not(torch.any(torch.logical_not(scores == closed), dim, True))
        return torch.where(nothing, torch.full_like(p, value), p)

    x = torch.randn(3, 4, 4)
    x[0] = -1.0
    for value, dim, closed in ((7.0, -1, 0.0), (0.0, 1, 0.0), (0.0, -1, 0.0)):
        net = Fn(lambda x, facts=(value, dim, closed): forward(x, *facts)).eval()
        core = torch.export.export(net, (x,)).run_decompositions()
        same(subject_of(core, None).imported(), net, x)


def products(x: torch.Tensor) -> torch.Tensor:
    """By constants, along axes that the batch is merged with, or that stand before it."""
    columns, rows = x.permute(1, 2, 0).reshape(4, -1), x.permute(1, 0, 2).reshape(1, -1, 4).expand(4, -1, -1)
    square, each = torch.arange(16.0).reshape(4, 4), torch.arange(64.0).reshape(4, 4, 4)
    made = [square @ columns, torch.mm(square, columns), torch.arange(4.0) @ columns]
    made += [torch.bmm(rows, each), torch.baddbmm(torch.ones(4, 1, 1), rows, each), rows @ each]
    return torch.stack([y.sum() for y in [*made, x.transpose(0, 1) @ each]]).sum()


def test_products_with_constants_along_a_merged_batch_are_refused() -> None:
    found = [finding for finding in preflight(Fn(products).eval(), (torch.randn(3, 4, 4),)) if "sum" not in finding.op]
    assert [finding.op.split(".")[1] for finding in found] == [
        "matmul",
        "mm",
        "matmul",
        "bmm",
        "baddbmm",
        "matmul",
        "matmul",
    ]
    assert all("batch" in finding.hint for finding in found)
