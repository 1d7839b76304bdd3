"""Networks of several inputs and several results: tuples and dicts go in and come out, names kept."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from analytics.nn.model import SecureModel
from icm_ray.errors import ColumnError, InputError, NullError, ShapeError, UnsupportedError

torch.set_num_threads(1)


class Reader(nn.Module):
    """Of an image, tokens and which of these count."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.image = nn.Embedding(7, 4), nn.Linear(6, 4)
        self.first, self.second = nn.Linear(4, 3), nn.Linear(4, 2)

    def forward(self, image: torch.Tensor, ids: torch.Tensor, mask: torch.Tensor) -> dict[str, Any]:
        rows = self.table(ids) * mask.float().unsqueeze(-1)
        both = rows.sum(1) + self.image(image.flatten(1))
        return {"scores": self.first(both), "more": (self.second(both.relu()), both.unsqueeze(1))}


def reader() -> tuple[Reader, dict[str, torch.Tensor]]:
    torch.manual_seed(1)
    ids = torch.tensor([[1, 2, 0], [6, 5, 4], [3, 0, 0]])
    return Reader().eval(), {"image": torch.randn(3, 2, 3).clamp(-4, 4), "ids": ids, "mask": ids != 0}


@pytest.mark.parametrize("named", [True, False])
def test_inputs_and_results_are_as_the_network_has_them(lanes, named: bool) -> None:
    net, inputs = reader()
    given: Any = inputs if named else tuple(inputs.values())
    model = SecureModel(lanes, net, "alice", given, input_bound=8, batch_size=2)
    assert model.preflight() == ()
    assert model.input_shape == ({"image": (2, 3), "ids": (3,), "mask": (3,)} if named else ((2, 3), (3,), (3,)))
    prediction = model.predict(given, owner="bob")
    results = prediction.reveal(to="bob")
    with torch.no_grad():
        expected = net(**inputs)
    pairs = [(results["scores"], expected["scores"]), *zip(results["more"], expected["more"], strict=True)]
    assert isinstance(results["more"], tuple)
    for actual, plain in pairs:
        assert actual.shape == tuple(plain.shape)
        assert np.abs(actual - plain.numpy()).max() <= prediction.error <= 0.01
    (first, second) = prediction.iter_batches(to="bob")
    assert list(first) == ["row", "scores", "more_0", "more_1"]
    assert second["more_1"].shape == (1, 1, 4)


class Pair(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        return [self.linear(x), x.relu()]


def test_one_input_and_several_results(lanes) -> None:
    net = Pair().eval()
    model = SecureModel(lanes, net, "alice", (torch.zeros(1, 4),))
    logits, rest = model.predict(np.ones((3, 4)), owner="bob").reveal(to="bob")
    assert (logits.shape, rest.shape) == ((3, 3), (3, 4))
    with pytest.raises(UnsupportedError, match="logits are opened"):
        model.predict(np.ones((3, 4)), owner="bob", output="label")
    with pytest.raises(UnsupportedError, match="logits are opened"):
        model.handle("bob")


def test_what_is_not_the_networks_inputs_is_refused(lanes) -> None:
    net, inputs = reader()
    with pytest.raises(ShapeError, match="of one size"):
        SecureModel(lanes, net, "alice", inputs | {"ids": inputs["ids"][:2]})
    model = SecureModel(lanes, net, "alice", inputs, input_bound=8)
    for images, error, what in (
        (inputs["image"], ShapeError, "dict with 'image', 'ids', 'mask'"),
        ({"image": inputs["image"]}, ColumnError, "'ids', 'mask' missing"),
        (inputs | {"label": [1, 2, 3]}, ColumnError, "'label' not among them"),
        (inputs | {"ids": inputs["ids"][:, :2]}, ShapeError, "ids: the network takes"),
        (inputs | {"ids": inputs["ids"][:2]}, ShapeError, "2 and 3 rows"),
        (inputs | {"ids": inputs["ids"] + 0.5}, InputError, "ids holds numbers that are not whole"),
        (inputs | {"ids": [1, 2]}, ShapeError, "ids: an image is"),
        (inputs | {"ids": "tokens.npy"}, ShapeError, "ids is an array"),
        (inputs | {"image": inputs["image"] * torch.nan}, NullError, "image 0"),
        ("scans/*.png", UnsupportedError, "files are read for networks of one input"),
        ([], ShapeError, "no samples"),
        (7, ShapeError, "iterable of such"),
    ):
        with pytest.raises(error, match=what):
            model.predict(images, owner="bob")
    with pytest.raises(InputError, match="column="):
        model.predict(inputs, owner="bob", column="ids")


class Outer(nn.Module):
    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.inner(x), y


class Gamma(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.lgamma(x)


def test_findings_name_modules_as_the_network_has_them(lanes) -> None:
    given = (torch.zeros(1, 4), torch.zeros(1, 2))
    (finding,) = SecureModel(lanes, Outer(Gamma()).eval(), "alice", given).preflight()
    assert (finding.module, finding.op) == ("inner", "aten.lgamma.default")
    assert finding.source.startswith("test_several.py:")
    broken = nn.Linear(4, 4)
    nn.init.constant_(broken.bias, torch.nan)
    with pytest.raises(NullError, match=r"'inner\.bias'"):
        SecureModel(lanes, Outer(broken).eval(), "alice", given)
    net = Outer(Gamma()).eval()
    net.inner.train()
    with pytest.raises(UnsupportedError, match="'inner'"):
        SecureModel(lanes, net, "alice", given)
