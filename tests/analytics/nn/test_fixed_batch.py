"""Programs that were exported for one number of images, as most are: they predict on any, or say what to export."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.export import ExportedProgram

from analytics.nn.model import SecureModel
from analytics.nn.reference import run_reference
from analytics.nn.subject import subject_of
from icm_ray.errors import UnsupportedError
from tests.analytics.nn.operation import Fn
from tests.analytics.nn.test_loading import Residual
from tests.analytics.nn.test_merged import Vision, heads

torch.set_num_threads(1)
SIZES = (1, 2, 5)


class Viewed(Residual):
    """Whose last layer takes what a view with the number of images makes."""

    def __init__(self, *sizes: int) -> None:
        super().__init__()
        self.last, self.sizes = nn.Linear(64, 3), sizes

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = nn.functional.max_pool2d(torch.relu(self.norm(self.first(x))), 2)
        return self.last(x.view(x.shape[0], *self.sizes).flatten(1))


class Steps(nn.Module):
    """A recurrent layer whose first states are zeros, one for each image."""

    def __init__(self, kind: Callable[..., nn.Module], zeros: Callable[..., torch.Tensor]) -> None:
        super().__init__()
        self.steps, self.last, self.zeros = kind(4, 5, 2, batch_first=True), nn.Linear(5, 2), zeros

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        state = self.zeros(x)
        given = (state, state.clone()) if isinstance(self.steps, nn.LSTM) else state
        return self.last(self.steps(x, given)[0][:, -1])


class Words(nn.Module):
    """Tokens with their places."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens, self.places, self.last = nn.Embedding(9, 4), nn.Embedding(6, 4), nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        places = torch.arange(x.shape[1]).unsqueeze(0).expand(x.shape[0], -1)
        return self.last(self.tokens(x) + self.places(places)).mean(1)


def shuffled(x: torch.Tensor) -> torch.Tensor:
    n, c, h, w = x.shape
    return x.view(n, 2, c // 2, h, w).transpose(1, 2).contiguous().view(n, c, h, w) * 2


CASES: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "viewed": (lambda: Viewed(-1), (1, 8, 8)),
    "viewed twice": (lambda: Viewed(4, 16), (1, 8, 8)),
    "flattened": (Residual, (1, 8, 8)),
    "squeezed": (
        lambda: Fn(lambda x, pool, last: last(pool(x).squeeze()), nn.AdaptiveAvgPool2d(1), nn.Linear(2, 3)),
        (2, 5, 5),
    ),
    "shuffled": (lambda: Fn(shuffled), (4, 3, 3)),
    "transformer": (Vision, (3, 8, 8)),
    "heads": (lambda: Fn(heads), (5, 8)),
    "LSTM": (lambda: Steps(nn.LSTM, lambda x: torch.zeros(2, x.size(0), 5)), (3, 4)),
    "GRU": (lambda: Steps(nn.GRU, lambda x: x.new_zeros(2, x.size(0), 5)), (3, 4)),
    "words": (Words, (6,)),
    "places": (lambda: Fn(lambda x: x.gather(1, torch.tensor([[0, 2, 1]]).expand(x.shape[0], 3))), (4,)),
    "a constant for each image": (
        lambda: Fn(lambda x: x * torch.ones(x.shape) + torch.full((x.shape[0], 1), 2.0)),
        (4,),
    ),
}


def rows(name: str, count: int) -> torch.Tensor:
    shape, numbers = CASES[name][1], torch.Generator().manual_seed(count)
    if name == "words":
        return torch.randint(0, 9, (count, *shape), generator=numbers)
    return torch.randn(count, *shape, generator=numbers)


def exported(net: nn.Module, example: torch.Tensor, core: bool = False) -> ExportedProgram:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own, of the weights that its recurrent layers list
        program = torch.export.export(net.eval(), (example,))
    return program.run_decompositions() if core else program


def agrees(name: str, size: int, core: bool) -> None:
    """The graph computes of each image what the network computes of it alone."""
    torch.manual_seed(len(name))
    net, x = CASES[name][0](), rows(name, 7)
    program = exported(net, rows(name, size), core)
    network = subject_of(program, None).imported()
    with torch.no_grad():
        expected = torch.cat([net(one[None]).reshape(1, -1) for one in x]).numpy()
    np.testing.assert_allclose(run_reference(network, x.double().numpy()).reshape(7, -1), expected, atol=1e-5)


@pytest.mark.parametrize(("name", "size"), [("viewed", 1), ("LSTM", 5)])
def test_some_of_a_fixed_batch(name: str, size: int) -> None:
    agrees(name, size, core=False)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("size", SIZES)
def test_of_a_fixed_batch(name: str, size: int) -> None:
    agrees(name, size, core=False)
    if (name, size) != ("squeezed", 1):  # core ATen squeezes the one image away by its number
        agrees(name, size, core=True)


def test_of_one_image_from_a_file(tmp_path: Path, lanes) -> None:
    torch.manual_seed(1)
    net, x, file = Viewed(-1), rows("viewed", 5).clamp(-4, 4), tmp_path / "net.pt2"
    torch.export.save(exported(net, x[:1]), file)
    found = SecureModel(lanes, file, "alice", batch_size=3).predict(x, owner="bob").reveal(to="bob")
    np.testing.assert_allclose(found, net(x).detach(), atol=1e-3)


MIXING: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "mean": lambda x: x - x.mean(0),
    "first": lambda x: x - x[0:1],
    "one": lambda x: x - x[0],
    "softmax": lambda x: x.view(-1).softmax(0).view(x.shape),
    "products": lambda x: (x @ x.t()) @ x,
    "order": lambda x: x.flip(0),
    "one after the other": lambda x: x.cumsum(0),
    "side by side": lambda x: nn.functional.layer_norm(x.reshape(-1), (x.numel(),)).view(x.shape),
}


def mixing_is_refused(name: str, size: int) -> None:
    subject = subject_of(exported(Fn(MIXING[name]), torch.randn(size, 4)), None)
    with pytest.raises(UnsupportedError, match="batch"):
        subject.imported()
    assert subject.findings()


def test_some_programs_that_mix_rows_are_refused() -> None:
    mixing_is_refused("softmax", 5)


@pytest.mark.slow
@pytest.mark.parametrize("name", MIXING)
@pytest.mark.parametrize("size", SIZES)
def test_programs_that_mix_rows_are_refused(name: str, size: int) -> None:
    mixing_is_refused(name, size)


class Padded(nn.Module):
    """Which writes its input into zeros, as many as there are images."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        made = torch.zeros(images.shape[0], 6)
        made[:, :4] = images
        return made * 2


def by_place(x: torch.Tensor) -> torch.Tensor:
    return x * torch.arange(1.0, 1 + x.shape[0])[:, None]


@pytest.mark.parametrize(("net", "words"), [(Padded(), "takes no other number"), (Fn(by_place), "its place")])
def test_what_takes_no_other_number_of_images_says_what_to_do(net: nn.Module, words: str) -> None:
    subject = subject_of(exported(net, torch.randn(2, 4)), None)
    with pytest.raises(UnsupportedError, match=f"exported for batches of 2, and .*{words}"):
        subject.imported()
    (finding,) = subject.findings()
    assert "'images': {0: torch.export.Dim('batch')}" in finding.hint or words == "its place"


class Counted(nn.Module):
    """Which counts its calls."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls.add_(1)
        return x.view(x.shape[0], -1) * 2


@pytest.mark.slow
def test_the_program_stays_as_it_was() -> None:
    program = exported(Counted(), torch.randn(1, 4))
    code: Any = program.graph_module.code
    with pytest.raises(UnsupportedError):
        subject_of(program, None).imported()
    assert program.graph_module.code == code
    assert not program.state_dict["calls"]
