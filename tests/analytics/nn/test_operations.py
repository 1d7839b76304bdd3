"""Every operation that models may hold, against torch: the imported graph in float64, and predictions on shares."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import nn

from analytics.nn.importer import import_model
from analytics.nn.model import SecureModel
from icm_ray.errors import InputError
from icm_ray.network.layers import ProductLayer
from icm_ray.network.model import PublicModel
from icm_ray.network.programs import WeightLoad, program_of
from icm_ray.network.scheme import Scheme
from icm_ray.runtime.carriers.threads import ThreadEngine
from tests.analytics.nn.import_checks import same, settle
from tests.analytics.nn.operations import OPERATIONS, Operation, Several, groups
from tests.analytics.nn.secure_checks import plain

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def session() -> Iterator[ThreadEngine]:
    with ThreadEngine(("alice", "bob")) as engine:
        yield engine


def agrees(session: ThreadEngine, net: nn.Module, shape: tuple[int, ...], case: Operation) -> None:
    """The graph computes what torch computes in float64; a prediction does within what it states."""
    settle(net)
    x = torch.randn(3, *shape, generator=torch.Generator().manual_seed(5)) * case.bound / 2
    x = x.clamp(-case.bound, case.bound)
    model = SecureModel(session, net, "alice", (x[:2],), input_bound=case.bound)
    same(model._compiled.network, net, x)
    prediction = model.predict(x, owner="bob")
    difference = np.abs(prediction.reveal(to="bob") - plain(net, x)).max()
    assert difference <= prediction.error <= case.error


GROUPS = groups()


@pytest.mark.parametrize("name", GROUPS)
def test_operations(session: ThreadEngine, name: str) -> None:
    torch.manual_seed(len(name))
    cases = [OPERATIONS[each] for each in GROUPS[name]]
    shape = cases[0].shapes[0]
    agrees(session, Several(*(case.module(shape) for case in cases)), shape, cases[0])


@pytest.mark.slow
@pytest.mark.parametrize("name", OPERATIONS)
def test_operation(session: ThreadEngine, name: str) -> None:
    case = OPERATIONS[name]
    for shape in case.shapes:
        torch.manual_seed(len(name))
        agrees(session, case.module(shape), shape, case)


def test_private_tokens_are_looked_up(session: ThreadEngine) -> None:
    torch.manual_seed(1)
    net = torch.nn.Sequential(torch.nn.Embedding(7, 4), torch.nn.Flatten(), torch.nn.Linear(20, 3)).eval()
    tokens = torch.tensor([[0, 6, 3, 3, 1], [5, 5, 0, 2, 4]])
    model = SecureModel(session, net, "alice", (tokens,), input_bound=8)
    prediction = model.predict(tokens, owner="bob")
    with torch.no_grad():
        expected = net.double()(tokens).numpy()
    assert np.abs(prediction.reveal(to="bob") - expected).max() <= prediction.error <= 0.001
    floats = model.predict(tokens.float(), owner="bob").reveal(to="bob")
    assert np.abs(floats - expected).max() <= prediction.error
    halves = tokens + torch.tensor([[0.0], [0.5]])
    with pytest.raises(InputError, match=r"whole numbers.*image 1"):
        model.predict(halves, owner="bob")
    assert np.isnan(model.predict(halves, owner="bob", errors="mask").reveal()).any(axis=1).tolist() == [False, True]
    for named in ({"scale": 0.5}, {"normalize": (0.0, 1.0)}):
        with pytest.raises(InputError, match="whole numbers"):
            SecureModel(session, net, "alice", (tokens.numpy(),), **named)


def test_recurrent_weights_are_loaded_once(session: ThreadEngine) -> None:
    graph = import_model(OPERATIONS["lstm"].module((6, 3)).eval(), (torch.zeros(2, 6, 3),)).graph
    load = WeightLoad(model=PublicModel(graph, Scheme(16, 2, 8), 0.5), version="1", owner="alice")
    assert len(program_of(load, ("alice", "bob")).nodes) == 2
    assert len({node.name for node in graph.nodes if isinstance(node, ProductLayer)}) == 6
