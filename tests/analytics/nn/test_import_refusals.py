"""What is not supported is named: every finding, with its module path."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence

from analytics.nn.importer import import_model, preflight
from icm_ray.errors import InputError, NullError, ShapeError, UnsupportedError
from tests.analytics.nn.import_checks import same

torch.set_num_threads(1)


class Fn(nn.Module):
    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor) -> Any:
        return self.function(x)


X = torch.ones(2, 4, 6, 6)


def test_every_finding_has_its_module_path() -> None:
    net = nn.Sequential()
    net.add_module("stem", nn.Sequential(nn.Conv2d(4, 4, 3), Fn(torch.lgamma)))
    net.add_module("body", nn.Sequential(nn.Conv2d(4, 4, 3), Fn(torch.erfinv), Fn(torch.digamma)))
    net.add_module("head", nn.Sequential(nn.Flatten(), nn.Linear(16, 3), Fn(torch.special.i1)))
    net.eval()
    findings = preflight(net, (X,))
    assert [finding.module for finding in findings] == ["stem.1", "body.1", "body.2", "head.2"]
    assert [finding.op.split(".")[1] for finding in findings] == ["lgamma", "erfinv", "digamma", "special_i1"]
    with pytest.raises(UnsupportedError) as caught:
        import_model(net, (X,))
    message = str(caught.value)
    assert all(str(finding) in message for finding in findings)
    again = pickle.loads(pickle.dumps(caught.value))
    assert str(again) == message
    assert again.where == caught.value.where


def test_findings_after_a_moved_batch_are_the_unknown_operations_alone() -> None:
    class Moved(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.pool, self.last = nn.MaxPool1d(2), Fn(torch.lgamma)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.last((self.pool(x.transpose(0, 1)) + 1).transpose(0, 1))

    findings = preflight(Moved().eval(), (torch.ones(2, 3, 8),))
    found = [(finding.module, finding.op.split(".")[1]) for finding in findings]
    assert found == [("pool", "max_pool1d"), ("last", "lgamma")]


def written_mask(x: torch.Tensor) -> torch.Tensor:
    """What it is written into may be a view of any other."""
    mask = torch.zeros(6, dtype=torch.bool)
    mask.view(2, 3)[0] = True
    return x[..., mask]


REFUSED: dict[str, tuple[Callable[[torch.Tensor], Any], str]] = {
    "transposed batch": (lambda x: x.transpose(0, 1), "batch dimension"),
    "mean over the batch": (lambda x: x.mean(0), "batch dimension"),
    "mean over all": (lambda x: x - x.mean((0, 2, 3), keepdim=True), "batch dimension"),
    "batch into features": (lambda x: x.reshape(-1, 6), "batch dimension"),
    "a row of the batch": (lambda x: x[:1], "batch"),
    "many rows of the batch": (lambda x: x[:2000], "cuts batches"),
    "the last of many rows": (lambda x: x[-2000:], "cuts batches"),
    "join rows": (lambda x: torch.cat([x, x]), "batch dimension"),
    "batch statistics": (lambda x: functional.batch_norm(x, None, None, training=True), "depends on the others"),
    "constant for each row": (lambda x: x * torch.ones(2, 1, 1, 1), "broadcast"),
    "a rounded division by private values": (
        lambda x: torch.div(x, x + 9, rounding_mode="floor"),
        "divisor is private",
    ),
    "a remainder of nearly nothing": (lambda x: x % 1e-5, "sizes from"),
    "rounding to decimals": (lambda x: torch.round(x, decimals=1), "multiply, round"),
    "private exponents": (lambda x: (x * x + 1) ** x, "exponent"),
    "large powers": (lambda x: x**40, "exponents"),
    "powers of what is below zero": (lambda x: (-2.0) ** x, "bases above zero"),
    "sums of truth values": (lambda x: ((x > 0) + (x > 1)).float(), "truth values"),
    "a mask that nothing takes": (lambda x: x.masked_fill(x > 0, -torch.inf) * 2, "mask"),
    "places of all": (lambda x: x.argmax().float(), "batch dimension"),
    "many in order": (lambda x: x.repeat(1, 60, 1, 1).sort(1).values, "in order"),
    "logs of masked values": (lambda x: x.masked_fill(x > 0, -torch.inf).log_softmax(-1), "only a softmax"),
    "limits the wrong way round": (lambda x: x.clamp(2, 1), "above"),
    "heads that share keys": (
        lambda x: functional.scaled_dot_product_attention(x, x[:, :2], x[:, :2], enable_gqa=True),
        "share keys",
    ),
    "padding with much": (lambda x: functional.pad(x, (1, 1), value=-1e9), "below 2"),
    "padding with minus infinity": (lambda x: functional.relu(functional.pad(x, (1, 1), value=-torch.inf)), "max pool"),
    "windows of nothing": (
        lambda x: functional.max_pool2d(functional.pad(x, (3, 3), value=-torch.inf), 3),
        "nothing but padding",
    ),
    "a mask of all": (lambda x: x.masked_fill(torch.arange(6)[:, None] < 1, -1e9).softmax(-1), "nothing of a row"),
    "a divisor below zero": (lambda x: functional.avg_pool2d(x, 2, divisor_override=-4), "above zero"),
    "no limit at all": (lambda x: x.clamp(max=float("inf")), "finite"),
    "a limit that nothing reaches": (lambda x: x.clamp(-1e9, 1e9), "finite"),
    "softmax of one": (lambda x: x[:, :1].softmax(1), "2 or more"),
    "norm of two": (lambda x: functional.layer_norm(x[..., :2], (2,)), "three or more"),
    "a private mask of the result": (lambda x: x.masked_fill(x > 0, -1e9), "result holds values that a mask"),
    "a public mask of the result": (lambda x: x.masked_fill(torch.eye(6) > 0, -1e9), "result holds values"),
    "infinite filling": (lambda x: x.masked_fill(torch.eye(6) > 0, -torch.inf) + 1, "mask"),
    "filling with much": (lambda x: x.masked_fill(torch.eye(6) > 0, 1e9), "softmax"),
    "other masks for others": (lambda x: x.masked_fill(torch.ones(4, 6, 6).cumsum(0) > 2, -1e9).softmax(-1), "heads"),
    "repeated batch": (lambda x: x.repeat(2, 1, 1, 1), "batch"),
    "a moved result": (lambda x: functional.relu(x.movedim(0, 1)), "batch dimension"),
    "a mask that is written into": (written_mask, "keep the mask in a buffer"),
    "a mask that is drawn": (lambda x: x[:, torch.ones(4).bernoulli(0.5).bool()], "random numbers"),
    "a mask of the batch": (lambda x: x[torch.ones(x.shape[0]).bool()], "keep the mask in a buffer"),
    "rows with one another": (lambda x: functional.pdist(x.flatten(1)), "may not be mixed"),
    "a determinant": (torch.linalg.det, "revealed result"),
    "a gamma function": (lambda x: torch.lgamma(x.abs() + 1), "revealed result"),
    "places of a private mask": (lambda x: x[x > 0], "torch.where"),
    "a shape by values": (lambda x: x.nonzero(), "torch.where"),
    "an inverse": (torch.linalg.inv, "revealed result"),
    "places of the input's": (lambda x: x.scatter(1, x.argmax(1, keepdim=True), 1.0), "private input"),
    "several values to one place": (
        lambda x: x.index_copy(1, torch.tensor([0, 0]), x[:, :2]),
        "several values to one place",
    ),
    "a grid of the input's": (
        lambda x: functional.grid_sample(x, x[:, :2].permute(0, 2, 3, 1), align_corners=False),
        "grid depends on the private input",
    ),
    "places apart": (lambda x: x[:, torch.tensor([0]), :, torch.tensor([1])], "next to one another"),
    "a letter twice": (lambda x: torch.einsum("bcii->bci", x), "twice"),
    "zero": (lambda x: x / 0, "divides by zero"),
    "indices": (lambda x: functional.max_pool2d(x, 2, return_indices=True)[1].float(), "indices"),
    "dropout": (lambda x: functional.dropout(x, 0.5, training=True), "dropout is on"),
    "noise": (lambda x: x + torch.rand(1), "random"),
    "constant": (lambda x: torch.ones(2, 3), "does not depend"),
    "two outputs": (lambda x: (x, x + 1), "exactly one"),
    "python": (lambda x: x if x.sum() > 0 else -x, "values of its input"),
    "crash": (lambda x: x.nonsense(), "nonsense"),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.few(8)
def test_refused(name: str) -> None:
    function, hint = REFUSED[name]
    net = Fn(function).eval()
    findings = preflight(net, (X,))
    assert len(findings) == 1
    assert hint in findings[0].hint
    with pytest.raises(UnsupportedError, match="does not support"):
        import_model(net, (X,))


def test_places_are_no_function_of_weights() -> None:
    """They are public, as an index or a mask of a buffer is; `test_operation[masks of buffers]` takes these."""

    class Largest(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scores = nn.Parameter(torch.tensor([0.3, -1.0, 2.0, 0.5, -0.1, 0.0]))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x[..., self.scores.topk(3).indices]

    class Positive(Largest):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x[..., self.scores > 0] * 2

    class Masked(Largest):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.masked_fill(self.scores > 0, -torch.inf).softmax(-1)

    class Chosen(Largest):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.where(self.scores > 0, -1e9, x).softmax(-1)

    class Attending(Largest):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return functional.scaled_dot_product_attention(x, x, x, attn_mask=(self.scores > 0).expand(6, 6))

    for net in (Largest, Masked, Chosen, Attending):
        (finding,) = preflight(nn.Sequential(net()).eval(), (X,))
        assert finding.module == "0"
        assert "computed from weights" in finding.hint
    assert preflight(Positive().eval(), (X,))


def test_a_triangle_in_a_buffer_is_public() -> None:
    """... as causal masks keep it, also as real numbers; another pattern of zeros and ones is the network's own."""

    class Causal(nn.Module):
        def __init__(self, mask: torch.Tensor) -> None:
            super().__init__()
            self.register_buffer("bias", mask.view(1, 1, 8, 8))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.masked_fill(self.bias[:, :, :6, :6] == 0, -torch.inf).softmax(-1)

    net, x = Causal(torch.ones(8, 8).tril()).eval(), torch.randn(2, 4, 6, 6)
    same(import_model(net, (x,)), net, x)
    (finding,) = preflight(Causal(torch.eye(8)).eval(), (X,))
    assert "computed from weights" in finding.hint


def test_fourier_transforms() -> None:
    found = preflight(Fn(lambda x: torch.fft.irfft2(torch.fft.rfft2(x))).eval(), (X,))
    assert ["Fourier transform is a product" in finding.hint for finding in found] == [True, True]


def test_packed_sequences_have_shapes_of_their_own() -> None:
    class Packing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.steps = nn.GRU(6, 2, batch_first=True)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            lengths = torch.full((x.shape[0],), 3)
            return self.steps(pack_padded_sequence(x[:, 0], lengths, batch_first=True, enforce_sorted=False))[1][0]

    (finding,) = preflight(Packing().eval(), (X,))
    assert (finding.op, finding.source[:23]) == ("pack_padded_sequence", "test_import_refusals.py")
    assert "padded sequences" in finding.hint


def test_state() -> None:
    class Counter(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.seen = nn.Buffer(torch.zeros(1))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.seen += 1
            return x + self.seen

    (finding,) = preflight(nn.Sequential(Counter()).eval(), (X,))
    assert finding.module == "0"
    assert "seen" in finding.hint


def test_training_mode_is_refused_and_left() -> None:
    net = nn.Sequential(nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4))
    with pytest.raises(UnsupportedError, match=r"call net\.eval\(\)"):
        import_model(net, (X,))
    assert net.training
    net.eval()
    net[1].train()
    with pytest.raises(UnsupportedError, match="'1'"):
        preflight(net, (X,))


@pytest.mark.parametrize(
    ("example", "error", "match"),
    [
        (X, InputError, r"\(x,\)"),
        ((X, X), UnsupportedError, "exactly one input"),
        (([1.0],), InputError, r"torch\.Tensor"),
        ((torch.ones(4),), ShapeError, "batch"),
        ((torch.ones(0, 4),), ShapeError, "batch"),
        ((torch.ones(1, 4, dtype=torch.bool),), ShapeError, "floating"),
    ],
)
def test_example_inputs(example: Any, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        import_model(nn.ReLU().eval(), example)


def test_an_image_without_a_batch() -> None:
    (finding,) = preflight(nn.Conv2d(4, 4, 3).eval(), (X[0],))
    assert "batch" in finding.hint


def test_numbers_that_are_not() -> None:
    net = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4)).eval()
    with torch.no_grad():
        net[1].bias[2] = torch.nan
    with pytest.raises(NullError, match=r"1\.bias") as caught:
        import_model(net, (torch.ones(1, 4),))
    assert "nan" not in str(caught.value).replace("NaN", "")
    normal = nn.BatchNorm1d(4).eval()
    assert normal.running_var is not None
    normal.running_var.fill_(-1.0)
    with pytest.raises(NullError, match=r"affine_1\.scale"):
        import_model(normal, (torch.ones(1, 4),))


def test_complex_parameters() -> None:
    net = nn.Linear(4, 4, dtype=torch.complex64).eval()
    with pytest.raises(UnsupportedError, match="complex"):
        import_model(net, (torch.ones(1, 4),))


def test_whole_numbers_are_looked_up_alone() -> None:
    tokens = torch.ones(2, 4, dtype=torch.int64)
    (finding,) = preflight(nn.ReLU().eval(), (tokens,))
    assert "Embedding" in finding.hint
    (finding,) = preflight(nn.Embedding(5, 2).eval(), (torch.ones(2, 4),))
    assert finding.op == "torch.export"
