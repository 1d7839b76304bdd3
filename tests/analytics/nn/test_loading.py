"""The forms in which people have their networks."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune

from analytics.nn.model import SecureModel
from analytics.nn.reference import run_reference
from analytics.nn.subject import subject_of
from icm_ray.errors import InputError, SourceError, UnsupportedError

torch.set_num_threads(1)
X = torch.randn(3, 1, 5, 5, generator=torch.Generator().manual_seed(1))


def net() -> nn.Sequential:
    torch.manual_seed(0)
    layers = [nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(18, 6), nn.ReLU(), nn.Linear(6, 3)]
    return nn.Sequential(*layers).eval()


def changed(change: Callable[[nn.Sequential], Any]) -> nn.Module:
    """A network with a change, or what the change makes of it."""
    made = net()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own, of what it will give up
        result = change(made)
    return (made if result is None else result).eval()


def old_norms(made: nn.Sequential) -> None:
    nn.utils.weight_norm(made[3])
    nn.utils.spectral_norm(made[5])
    made.train()(X)  # its vectors are those of training: random ones may be at right angles, and floats differ then
    made.eval()


def new_norms(made: nn.Sequential) -> None:
    parametrizations.weight_norm(made[3])
    parametrizations.spectral_norm(made[0])
    parametrizations.orthogonal(made[5])


def pruned(made: nn.Sequential) -> None:
    prune.l1_unstructured(made[0], "bias", 0.5)
    prune.ln_structured(made[0], "weight", 0.5, 2, 0)


class Mixed(nn.Module):
    """Half of it in 16 bits."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(25, 4).half(), nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(torch.relu(self.first(x.flatten(1).half())).float())


def same(given: Any, plain: nn.Module, example: tuple[Any, ...] | None = (X,), off: float = 1e-6) -> None:
    """The network as it was read computes what `plain` computes, to its floats' precision."""
    with torch.no_grad():
        dtype = next(item.dtype for item in plain.state_dict().values() if item.is_floating_point())
        expected = plain(X.to(dtype)).double().numpy()
    network = subject_of(given, example).imported()
    np.testing.assert_allclose(run_reference(network, X.double().numpy()), expected, rtol=1e-5, atol=off)


WRAPPED: dict[str, Callable[[nn.Sequential], Any]] = {
    "compiled": torch.compile,
    "compiled in place": lambda made: made.compile(),
    "in parallel": nn.DataParallel,
    "averaged": torch.optim.swa_utils.AveragedModel,
    "normed, the old way": old_norms,
    "normed, the new way": new_norms,
    "pruned": pruned,
}


@pytest.mark.slow
def test_all_at_once() -> None:
    """Normed, pruned, wrapped and of doubles; the example is of single floats."""

    def change(made: nn.Sequential) -> nn.Module:
        parametrizations.weight_norm(made[3])
        pruned(made)
        nn.utils.weight_norm(made[5])
        return nn.DataParallel(made.double())

    made = changed(change)
    same(made, made.module)


@pytest.mark.slow
@pytest.mark.parametrize("name", WRAPPED)
def test_wrapped(name: str) -> None:
    made = changed(WRAPPED[name])
    plain = made._orig_mod if name == "compiled" else made.module if name == "in parallel" else made
    same(made, plain)


@pytest.mark.parametrize("name", ["in parallel", "averaged", "in a row", "parametrised"])
@pytest.mark.few(2)
def test_wrapped_after_eval(name: str) -> None:
    """torch's wrappers are in training mode then, which means nothing to them."""
    made = net()
    if name == "parametrised":
        parametrizations.weight_norm(made[3])
        same(made, made)
        return
    around = nn.Sequential if name == "in a row" else WRAPPED[name]
    same(around(made), made)


def test_modes_that_matter_are_asked_for() -> None:
    wrapped = nn.Sequential(net(), nn.BatchNorm1d(3))

    class Own(nn.Sequential):
        """Which may do what it likes in training."""

    looking = Own(nn.Sequential(net())).eval()
    looking[0].training = True
    for made, path in ((wrapped, "'1'"), (Own(net()), "training mode;"), (looking, "module '0'")):
        with pytest.raises(UnsupportedError, match=path):
            subject_of(made, (X,)).imported()


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_other_floats(dtype: torch.dtype) -> None:
    """What counts is the weights' values; the example may be of another dtype."""
    same(net().to(dtype), net().to(dtype).double(), (X.numpy(),))


@pytest.mark.slow
def test_mixed_floats() -> None:
    torch.manual_seed(0)
    made = Mixed().eval()
    same(made, nn.Sequential(nn.Flatten(), made.first, nn.ReLU(), made.last).double())


def test_exported_and_saved(tmp_path: Path, lanes) -> None:
    made = net()
    program = torch.export.export(made, (X[:2],))
    file, code = tmp_path / "net.pt2", program.graph_module.code
    torch.export.save(program, file)
    same(program, made, (X,))
    same(str(file), made, None)
    assert program.graph_module.code == code
    found = SecureModel(lanes, file, "alice", batch_size=3).predict(X, owner="bob").reveal(to="bob")
    np.testing.assert_allclose(found, made(X).detach(), atol=1e-3)


class Series(nn.Module):
    """LSTM and GRU over rows of numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.LSTM(5, 3, batch_first=True, bidirectional=True), nn.GRU(6, 4, batch_first=True)
        self.last = nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.second(self.first(x.squeeze(1))[0])[0][:, -1])


def quantised(made: nn.Module, kinds: set[type[nn.Module]], dtype: torch.dtype = torch.qint8) -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.ao.quantization.quantize_dynamic(made, kinds, dtype=dtype)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.qint8, torch.float16])
def test_dynamically_quantised(dtype: torch.dtype) -> None:
    for plain, kinds in ((net(), {nn.Linear}), (Series().eval(), {nn.Linear, nn.LSTM, nn.GRU})):
        made = quantised(plain, kinds, dtype)
        subject = subject_of(made, (X,))
        found = run_reference(subject.imported(), X.double().numpy())
        np.testing.assert_allclose(found, made(X).detach(), atol=0.05)
        assert np.abs(found - plain(X).detach().numpy()).max() > 1e-7  # of its own weights, not the first ones
    (note,) = subject.notes
    assert "'first', 'second', 'last'" in note
    assert type(made.last).__module__.endswith("quantized.dynamic.modules.linear")  # left as it was


def test_preflight_says_what_was_dequantised(lanes) -> None:
    model = SecureModel(lanes, quantised(net(), {nn.Linear}), "alice", (X,))
    assert model.preflight() == ()
    assert "dequantised: '3', '5'" in str(model.preflight())


def statically_quantised() -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = nn.Sequential(torch.ao.quantization.QuantStub(), net(), torch.ao.quantization.DeQuantStub()).eval()
        made.qconfig = torch.ao.quantization.get_default_qconfig("fbgemm")
        torch.ao.quantization.prepare(made, inplace=True)
        made(X)
        return torch.ao.quantization.convert(made, inplace=True)


def scripted() -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return nn.Sequential(nn.Identity(), torch.jit.trace(net(), X)).eval()


def test_what_is_no_network_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "weights.pt").write_bytes(b"PK")
    program = torch.export.export(net(), (X,))
    refused: list[tuple[Any, type[Exception], str]] = [
        (statically_quantised(), UnsupportedError, "'0' is quantised"),
        (scripted(), UnsupportedError, "'1' is TorchScript"),
        (program.module(), UnsupportedError, "the ExportedProgram itself"),
        (net().state_dict(), InputError, "its torch.nn.Module"),
        (lambda x: x, InputError, "not function"),
        (tmp_path / "none.pt2", SourceError, "there is no file"),
        (str(tmp_path / "weights.pt"), SourceError, "no file of torch.export.save"),
    ]
    logger = logging.getLogger("torch.export")  # which hands nothing on to its parents
    logger.addHandler(caplog.handler)
    try:
        for given, kind, words in refused:
            with pytest.raises(kind, match=words):
                subject_of(given, (X,))
    finally:
        logger.removeHandler(caplog.handler)
    assert not [record for record in caplog.records if record.name.startswith("torch.export")]
    with pytest.raises(InputError, match="example_inputs is needed"):
        subject_of(net(), None)


class Block(nn.Module):
    """A transformer's block, with the batch in front."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.LayerNorm(8), nn.LayerNorm(8)
        self.qkv, self.out = nn.Linear(8, 24), nn.Linear(8, 8, bias=False)
        self.wide = nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.Dropout(), nn.Linear(16, 8))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = (y.unflatten(2, (2, 4)).transpose(1, 2) for y in self.qkv(self.first(x)).chunk(3, -1))
        mixed = (q @ k.transpose(-1, -2) / 2).softmax(-1) @ v
        x = x + self.out(mixed.transpose(1, 2).flatten(2))
        return x + self.wide(self.second(x))


class Steps(nn.Module):
    """Of a recurrent layer, what it knows in the end."""

    def __init__(self, kind: Callable[..., nn.Module]) -> None:
        super().__init__()
        self.steps, self.last = kind(4, 3, batch_first=True), nn.Linear(3, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.steps(x)[0][:, -1])


class BothEnds(nn.Module):
    """Of two recurrent layers that go both ways, what both directions know in the end."""

    def __init__(self, kind: Callable[..., nn.Module], **options: str) -> None:
        super().__init__()
        self.steps, self.last = kind(4, 3, num_layers=2, bidirectional=True, **options), nn.Linear(6, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        known = self.steps(x.transpose(0, 1))[1]
        h = known[0] if isinstance(known, tuple) else known
        return self.last(torch.cat((h[-2], h[-1]), 1))


class Residual(nn.Module):
    """Two convolutions with a way round, and pools."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm = nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.second, self.last = nn.Conv2d(4, 4, 3, padding=1, groups=2), nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.norm(self.first(x)))
        x = torch.relu(x + self.second(x))
        x = nn.functional.avg_pool2d(nn.functional.max_pool2d(x, 2), 2)
        return self.last(nn.functional.adaptive_avg_pool2d(x, 1).flatten(1))


CORE: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "rows": (lambda: nn.Sequential(nn.Linear(6, 8), nn.LayerNorm(8), nn.GELU(), nn.Linear(8, 3)), (6,)),
    "residual": (Residual, (1, 8, 8)),
    "transformer": (Block, (5, 8)),
    "recurrent": (lambda: Steps(nn.LSTM), (3, 4)),
    "recurrent, other gates": (lambda: Steps(nn.GRU), (3, 4)),
    "recurrent, both ways": (lambda: BothEnds(nn.RNN, nonlinearity="relu"), (3, 4)),
    "recurrent, both ways, other gates": (lambda: BothEnds(nn.GRU), (3, 4)),
    "recurrent, both ways, with cells": (lambda: BothEnds(nn.LSTM), (3, 4)),
    "series": (lambda: nn.Sequential(nn.Conv1d(2, 4, 3, stride=2), nn.ELU(), nn.ConvTranspose1d(4, 2, 2)), (2, 9)),
    "transposed": (lambda: nn.Sequential(nn.ConvTranspose2d(1, 2, 3, 2, 1, 1), nn.Hardswish()), (1, 4, 4)),
    "volumes": (lambda: nn.Sequential(nn.Conv3d(1, 2, 2), nn.Tanh(), nn.ConvTranspose3d(2, 1, 2)), (1, 3, 3, 3)),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CORE)
def test_core_operations(name: str) -> None:
    """What `run_decompositions()` makes of a network is the same network, for any number of rows."""
    make, shape = CORE[name]
    torch.manual_seed(len(name))
    made, x = make().eval(), torch.randn(3, *shape)
    batch = {0: torch.export.Dim("batch", min=2)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own, of the weights that its recurrent layers list
        core = torch.export.export(made, (x,), dynamic_shapes=(batch,)).run_decompositions()
    subject = subject_of(core, None)
    with torch.no_grad():
        expected = made.double()(x.double()).numpy()
    np.testing.assert_allclose(run_reference(subject.imported(), x.double().numpy()), expected, atol=1e-5)
