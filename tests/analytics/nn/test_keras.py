"""Layers of Keras 3 on its torch backend, against Keras: the imported graph, and predictions on shares."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from analytics.nn.model import SecureModel
from analytics.nn.reference import run_reference
from icm_ray.errors import UnsupportedError
from icm_ray.runtime.carriers.threads import ThreadEngine
from tests.analytics.nn.keras_layers import AUGMENTING, FAMILIES, REFUSED, Case

pytestmark = pytest.mark.slow
torch.set_num_threads(1)


@pytest.fixture(scope="module")
def keras(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    home: Path = tmp_path_factory.mktemp("keras")
    with pytest.MonkeyPatch.context() as patch:  # read when it is imported
        patch.setenv("KERAS_BACKEND", "torch")
        patch.setenv("KERAS_HOME", str(home))
        yield pytest.importorskip("keras")


@pytest.fixture(scope="module")
def session() -> Iterator[ThreadEngine]:
    with ThreadEngine(("alice", "bob")) as engine:
        yield engine


def made(keras: Any, case: Case) -> Any:
    """The model in eval mode, with no weight that is zero or one throughout, as new biases and variances are."""
    keras.utils.set_random_seed(3)
    x = keras.Input(case.shape, dtype="int64" if case.tokens else "float32")
    net = keras.Model(x, case.build(keras, x))
    draw = np.random.default_rng(3)
    for weight in net.weights:
        value = weight.value.detach().numpy()  # .numpy() of its own warns
        if value.dtype == np.float32 and "kernel" not in weight.path:
            spread = value * draw.uniform(0.5, 2, value.shape)
            weight.assign(spread if "variance" in weight.path else spread + 0.2 * draw.normal(size=value.shape))
    return net.eval()


def samples(case: Case) -> torch.Tensor:
    generator = torch.Generator().manual_seed(5)
    if case.tokens:
        return torch.randint(0, case.tokens, (3, *case.shape), generator=generator)
    x = (torch.randn(3, *case.shape, generator=generator) * case.bound / 2).clamp(-case.bound, case.bound)
    x[0, -1] = 0  # a step that may be masked, a row without a direction
    return x


@pytest.mark.parametrize("family", FAMILIES)
def test_layers_are_as_keras_has_them(keras: Any, session: ThreadEngine, family: str) -> None:
    for name, case in FAMILIES[family].items():
        net, x = made(keras, case), samples(case)
        with torch.no_grad():
            expected = net(x).double().numpy()
        single = 1e-5 * max(1.0, float(np.abs(expected).max()))  # Keras computes in 32 bits
        model = SecureModel(session, net, "alice", (x[:2],), input_bound=case.bound)
        graph = run_reference(model._compiled.network, x.double().numpy())
        np.testing.assert_allclose(graph, expected, rtol=0, atol=single, err_msg=name)
        prediction = model.predict(x, owner="bob")
        difference = np.abs(prediction.reveal(to="bob") - expected).max()
        assert difference <= prediction.error + single, name
        assert difference <= model.expected_error + single, name


@pytest.mark.parametrize("name", [*REFUSED, *AUGMENTING])
def test_what_is_refused_is_named(keras: Any, session: ThreadEngine, name: str) -> None:
    case = {**REFUSED, **AUGMENTING}[name]
    x = samples(case)
    model = SecureModel(session, made(keras, case), "alice", (x,), input_bound=case.bound)
    with pytest.raises(UnsupportedError, match="does not support"):
        model.predict(x, owner="bob")
    assert model.preflight()


def test_findings_name_layers(keras: Any, session: ThreadEngine) -> None:
    x = keras.Input((8, 3))
    first = keras.layers.Dense(8, name="first")(x)
    inner = keras.Sequential([keras.layers.Lambda(lambda y: torch.linalg.inv(y * 2), name="inverse")], name="inner")
    net = keras.Model(x, keras.layers.Softmax(name="last")(inner(first))).eval()
    registered = dict(net.named_modules())
    model = SecureModel(session, net, "alice", (torch.zeros(2, 8, 3),))
    assert [(finding.module.split(".")[-1], finding.op) for finding in model.preflight()] == [
        ("inverse", "aten.linalg_inv.default")
    ]
    with pytest.raises(UnsupportedError, match=r"inverse: aten.linalg_inv.default: "):
        model.predict(torch.zeros(2, 8, 3), owner="bob")
    assert dict(net.named_modules()) == registered
