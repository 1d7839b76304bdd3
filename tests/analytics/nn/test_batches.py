"""What a network computes must not depend on how many images there are; an export touches nothing of the user's."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_hook

from analytics.nn.importer import import_model, preflight
from analytics.nn.reference import run_reference
from icm_ray.errors import InputError, UnsupportedError
from tests.analytics.nn.import_checks import same

X = torch.randn(1, 4, 6, generator=torch.Generator().manual_seed(1))


class Inner(nn.Module):
    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.linear, self.function = nn.Linear(6, 6), function

    def forward(self, x: torch.Tensor) -> Any:
        return self.function(self.linear(x), x)


def outer(function: Callable[..., Any]) -> nn.Module:
    return nn.Sequential(nn.Identity(), Inner(function)).eval()


DEPENDING: dict[str, Callable[..., Any]] = {
    "divided by the size": lambda h, x: h / x.shape[0],
    "plus the size": lambda h, x: h + len(x),
    "less the first": lambda h, x: h - h[0:1],
    "numbered": lambda h, x: h + torch.arange(x.shape[0]).reshape(-1, 1, 1),
    "for few": lambda h, x: h if x.shape[0] <= 4 else 2 * h,
    "for exactly three": lambda h, x: h if x.shape[0] == 3 else 2 * h,
    "for many, as a plain number": lambda h, x: h if int(x.shape[0]) <= 40 else 2 * h,
    "of one size": lambda h, x: h.reshape(1, 4, 6),
    "for one alone": lambda h, x: h if x.size(0) == 1 else h - 0.5,
    "for one alone, below zero": lambda h, x: h.relu() + x.relu() if x.size(0) == 1 else h.relu() + x,
    "for less than two": lambda h, x: h if x.shape[0] < 2 else h - 0.5,
    "for many, by a sum of ones": lambda h, x: h * torch.ones_like(x).sum(0).clamp(min=40),
    "numbered by a sum of ones": lambda h, x: h * torch.ones_like(x).cumsum(0),
}


@pytest.mark.parametrize("name", DEPENDING)
@pytest.mark.few(3)
def test_what_depends_on_the_batch_is_refused(name: str) -> None:
    net = outer(DEPENDING[name])
    findings = preflight(net, (X,))
    assert findings, "it was taken"
    assert all(finding.module == "1" for finding in findings), findings
    assert findings[0].source.startswith("test_batches.py:")
    assert "batch" in findings[0].hint or name == "numbered"


@pytest.mark.parametrize("least", [1, 2])
def test_what_depends_on_the_batch_of_any_number_of_inputs_is_refused(least: int) -> None:
    class Several(nn.Module):
        def forward(self, *x: torch.Tensor) -> torch.Tensor:
            return x[0] * 2 if x[0].shape[0] > least else x[0]

    (finding,) = preflight(Several().eval(), (X,))
    assert "number of images in a batch" in finding.hint


def test_code_may_ask_for_the_size_as_a_plain_number() -> None:
    """As recurrent layers of Keras do."""
    net = outer(lambda h, x: h.relu() if len(list(x)) < int(x.shape[0]) + 1 else h)
    same(import_model(net, (X,)), net, torch.rand(3, 4, 6))


def test_a_network_may_squeeze_the_only_image() -> None:
    net = outer(lambda h, x: h.mean(-1, keepdim=True).squeeze())
    same(import_model(net, (X,)), net, torch.rand(3, 4, 6))


def test_a_refusal_names_module_and_line() -> None:
    with pytest.raises(UnsupportedError, match=r"1: scale \(test_batches\.py:\d+\): .*number of images in a batch"):
        import_model(outer(DEPENDING["divided by the size"]), (X,))


NOT_DEPENDING: dict[str, Callable[..., Any]] = {
    "flattened": lambda h, x: h.view(h.size(0), -1),
    "of any number": lambda h, x: h.view(-1, 24),
    "groups": lambda h, x: h.view(h.shape[0], 2, 2, 6).transpose(1, 2).reshape(h.shape[0], 4, 6),
    "multiplied sizes": lambda h, x: h.reshape(x.shape[0], h.shape[1] * h.shape[2]),
    "counted in each": lambda h, x: h * torch.ones_like(x).cumsum(1) / torch.ones_like(x).sum((1, 2), keepdim=True),
    "checked": lambda h, x: h if x.dim() == 3 and x.shape[1:] == (4, 6) else 2 * h,
}


@pytest.mark.parametrize("name", NOT_DEPENDING)
@pytest.mark.few(2)
def test_what_keeps_the_batch_in_front_is_taken(name: str) -> None:
    net = outer(NOT_DEPENDING[name])
    network = import_model(net, (X,))
    for size in (1, 2, 7):
        same(network, net, torch.randn(size, 4, 6, generator=torch.Generator().manual_seed(size)))


def test_a_failing_forward_is_one_finding_that_names_its_module(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    net = nn.Sequential(nn.Identity(), outer(lambda h, x: h @ torch.ones(5, 5))).eval()
    with caplog.at_level(logging.DEBUG):
        (finding,) = preflight(net, (X,))
    assert finding.module == "1.1"
    assert finding.source.startswith("test_batches.py:")
    captured = capfd.readouterr()
    assert "Traceback" not in captured.out + captured.err + caplog.text


def test_values_decide(capfd: pytest.CaptureFixture[str]) -> None:
    (finding,) = preflight(outer(lambda h, x: h if h.sum() > 0 else -h), (X,))
    assert (finding.module, "values of its input" in finding.hint) == ("1", True)
    assert finding.source.startswith("test_batches.py:")
    assert capfd.readouterr() == ("", "")


def test_hooks_of_all_modules_are_never_called_without_values() -> None:
    seen: list[float] = []
    handle = register_module_forward_hook(lambda _module, inputs, _result: seen.append(inputs[0].sum().item()))
    try:
        net = outer(lambda h, x: h)
        assert preflight(net, (X,)) == ()
        count = len(seen)
        net(X)
        assert len(seen) == count + 4
    finally:
        handle.remove()


@pytest.mark.parametrize("pre", [False, True])
def test_hooks_that_only_look_are_never_called_without_values(pre: bool) -> None:
    net, seen = outer(lambda h, x: h), []

    def look(_module: nn.Module, inputs: Any, *_result: Any) -> None:
        seen.append(inputs[0].sum().item())  # of a tensor without values this raises

    handle = net[1].register_forward_pre_hook(look) if pre else net[1].register_forward_hook(look)
    same(import_model(net, (X,)), net, X)
    assert seen
    handle.remove()
    count = len(seen)
    net(X)
    assert len(seen) == count


def test_a_hook_that_changes_values_is_refused() -> None:
    net = outer(lambda h, x: h)
    net[1].linear.register_forward_hook(lambda _module, _inputs, result: 2 * result)
    (finding,) = preflight(net, (X,))
    assert (finding.module, finding.op) == ("1.linear", "forward hook")


def test_hooks_of_torch_are_part_of_the_network() -> None:
    with pytest.warns(FutureWarning, match="weight_norm"):
        net = nn.Sequential(nn.utils.weight_norm(nn.Linear(6, 3))).eval()
    with torch.no_grad():
        net[0].weight_g.mul_(2)
    with torch.no_grad():
        expected = net(X).double().numpy()
    np.testing.assert_allclose(run_reference(import_model(net, (X,)), X.double().numpy()), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        (lambda net: net.to("meta"), UnsupportedError, "meta"),
        (lambda net: net.append(nn.LazyLinear(3)), InputError, "no values yet"),
        (lambda net: setattr(net[0], "weight", nn.Parameter(net[0].weight.to_sparse())), UnsupportedError, "sparse"),
    ],
)
def test_parameters_without_numbers(change: Callable[..., Any], error: type[Exception], match: str) -> None:
    net = nn.Sequential(nn.Linear(6, 6)).eval()
    change(net)
    with pytest.raises(error, match=match):
        import_model(net.eval(), (X,))


def test_an_example_is_there_for_its_shape_alone() -> None:
    net = nn.Linear(6, 2).eval()
    for example in (torch.zeros(1, 6, device="meta"), torch.full((1, 6), torch.nan), torch.zeros(1, 6).numpy()):
        same(import_model(net, (example,)), net, X[0])
