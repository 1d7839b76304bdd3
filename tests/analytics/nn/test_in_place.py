"""Operations that write into their argument: read as they are where nobody else sees it, right where somebody does."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.export import ExportedProgram
from torch.nn import functional as F  # noqa: N812 - as torch's own documentation has it

from analytics.nn.importer import import_model
from tests.analytics.nn.import_checks import same
from tests.analytics.nn.operations import Fn

QUICK = {
    "modules": lambda x, *parts: nn.Sequential(*parts)(x),
    "residual": lambda x, *parts: F.relu(parts[0](x).add_(x), inplace=True).mul_(2),
    "functions": lambda x, *parts: F.silu(F.relu6(parts[0](x), inplace=True), inplace=True).clamp_(0, 3).sub_(x),
}
SEEN = {
    "a view before": lambda x: torch.cat([(y := x * 2).view(-1, 2, 3), y.relu_().view(-1, 2, 3)], 1),
    "the tensor itself": lambda x: (y := x * 2) + y.relu_(),
    "a part": lambda x: ((y := x * 2)[:, 1:].relu_().sum(1, keepdim=True)) + y,
    "what a dropout hands on": lambda x: (y := x * 2) + F.dropout(y, training=False).relu_(),
    "the input": lambda x: x.clone().add_(1) + x,
}


def parts() -> list[nn.Module]:
    torch.manual_seed(1)
    inner = [nn.ReLU(True), nn.ReLU6(True), nn.Hardswish(True), nn.SiLU(True), nn.LeakyReLU(0.1, True)]
    return [module for activation in inner for module in (nn.Linear(6, 6), activation)]


@pytest.mark.parametrize("name", QUICK)
def test_writes_that_nobody_sees_need_no_decomposition(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ExportedProgram, "run_decompositions", lambda *_: pytest.fail("it was decomposed"))
    agrees(Fn(QUICK[name], *parts()))


@pytest.mark.parametrize("name", SEEN)
@pytest.mark.few(2)
def test_writes_that_somebody_sees_are_seen(name: str) -> None:
    function: Callable[[torch.Tensor], torch.Tensor] = SEEN[name]
    agrees(Fn(function))


def agrees(net: nn.Module) -> None:
    x = torch.randn(3, 6, generator=torch.Generator().manual_seed(2))
    same(import_model(copy.deepcopy(net.eval()), (x,)), net, x)
