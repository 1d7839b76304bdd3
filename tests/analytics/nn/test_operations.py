"""Every operation that models may hold, against torch: the imported graph in float64, and predictions on shares."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import nn

from analytics.nn.importer import import_model
from analytics.nn.model import SecureModel
from icm_ray.errors import BoundError, BoundExceeded, InputError
from icm_ray.network.layers import ProductLayer
from icm_ray.network.model import PublicModel
from icm_ray.network.programs import WeightLoad, program_of
from icm_ray.network.scheme import Scheme
from icm_ray.runtime.carriers.threads import ThreadEngine
from tests.analytics.nn.import_checks import same, settle
from tests.analytics.nn.operations import FAMILIES, OPERATIONS, RARE, Fn, Operation, Several, groups
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


GROUPS = groups(family for family in FAMILIES if family not in RARE)


@pytest.mark.parametrize("name", GROUPS)
@pytest.mark.few(9)
def test_operations(session: ThreadEngine, name: str) -> None:
    torch.manual_seed(len(name))
    cases = [OPERATIONS[each] for each in GROUPS[name]]
    shape = cases[0].shapes[0]
    agrees(session, Several(*(case.module(shape) for case in cases)), shape, cases[0])


def test_rare_operations_are_imported() -> None:
    by_shape: dict[tuple[int, ...], list[Operation]] = {}
    for family in sorted(RARE):
        for case in FAMILIES[family].values():
            by_shape.setdefault(case.shapes[0], []).append(case)
    for shape, cases in by_shape.items():
        torch.manual_seed(len(cases))
        x = torch.randn(3, *shape, generator=torch.Generator().manual_seed(5))
        net = settle(Several(*(case.module(shape) for case in cases)))
        same(import_model(net, (x[:2],)), net, x)


@pytest.mark.slow
@pytest.mark.parametrize("name", OPERATIONS)
def test_operation(session: ThreadEngine, name: str) -> None:
    case = OPERATIONS[name]
    for shape in case.shapes:
        torch.manual_seed(len(name))
        agrees(session, case.module(shape), shape, case)


def test_private_tokens_are_looked_up(session: ThreadEngine) -> None:
    torch.manual_seed(1)
    net = torch.nn.Sequential(torch.nn.Embedding(12, 4), torch.nn.Flatten(), torch.nn.Linear(20, 3)).eval()
    tokens = torch.tensor([[0, 6, 3, 3, 11], [5, 9, 0, 2, 4]])  # beyond 8: a bound follows from the table
    model = SecureModel(session, net, "alice", (tokens,))
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


def test_private_padding_of_tokens(session: ThreadEngine) -> None:
    class Read(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table, self.last = nn.Embedding(7, 4, padding_idx=0), nn.Linear(4, 3)

        def forward(self, tokens: torch.Tensor) -> torch.Tensor:
            rows, mask = self.table(tokens), (tokens != 0).float()
            scores = (rows @ rows.transpose(1, 2)) + ((1.0 - mask) * torch.finfo(torch.float32).min)[:, None, :]
            mixed = (scores.softmax(-1) @ rows) * mask.unsqueeze(-1)
            return self.last(mixed.sum(1) / mask.sum(1, keepdim=True).clamp(min=1))

    torch.manual_seed(1)
    net, tokens = Read().eval(), torch.tensor([[0, 6, 3, 3, 0], [5, 5, 0, 2, 4]])
    prediction = SecureModel(session, net, "alice", (tokens,), input_bound=8).predict(tokens, owner="bob")
    with torch.no_grad():
        expected = net.double()(tokens).numpy()
    assert np.abs(prediction.reveal(to="bob") - expected).max() <= prediction.error <= 0.1


def test_what_is_rounded_is_exact_where_values_are(session: ThreadEngine) -> None:
    """At every step and half-way, of either sign; the stated error counts a step where values are not exact."""
    net = Several(
        *(Fn(function) for function in (torch.floor, torch.ceil, torch.round, torch.trunc, torch.frac)),
        *(Fn(lambda x, by=by: torch.cat([x % by, torch.fmod(x, by), x // by], 1)) for by in (1.0, 0.75, -3, 2)),
    ).eval()
    x = torch.arange(-32, 33, dtype=torch.float64).reshape(1, -1) / 4
    model = SecureModel(session, net, "alice", (x.float(),), input_bound=8)
    np.testing.assert_array_equal(model.predict(x.numpy(), owner="bob").reveal(to="bob"), plain(net, x))


HELD = {
    "quotient": lambda x: x / x.abs().mean(-1, keepdim=True),
    "reciprocal": lambda x: 1 / x,
    "root": lambda x: torch.sqrt(x + 2),
    "reciprocal root": lambda x: torch.rsqrt(x.square()),
    "logarithm": lambda x: torch.log(x + 2),
    "exponential": lambda x: torch.exp(20 * x),
}


@pytest.mark.parametrize("name", HELD)
def test_samples_say_where_functions_are_computed(session: ThreadEngine, name: str) -> None:
    net = Fn(HELD[name]).eval()
    given = np.random.default_rng(3).uniform(0.5, 1.0, (8, 3)) * np.where(np.arange(3) % 2, -1, 1)
    given = np.abs(given) if name == "reciprocal root" else given
    with pytest.raises(BoundError, match=r"network's own forward.*samples"):
        SecureModel(session, net, "alice", (torch.zeros(2, 3),), input_bound=8, bound="sound")
    model = SecureModel(session, net, "alice", (torch.zeros(2, 3),), input_bound=8, calibrate=given)
    (domain,) = model._public.scheme.domains.values()
    assert domain.checked
    prediction = model.predict(given, owner="bob")
    assert "held to" in prediction.explain(to="bob")
    with torch.no_grad():
        expected = net(torch.tensor(given)).numpy()
    assert np.abs(prediction.reveal(to="bob") - expected).max() <= prediction.error
    beyond = {"root": -7.0, "logarithm": -7.0, "exponential": 7.0}.get(name, 0.0)
    with pytest.raises(BoundExceeded):
        model.predict(np.full((1, 3), beyond), owner="bob").reveal(to="bob")


@pytest.mark.slow
def test_functions_follow_values_that_samples_bound(session: ThreadEngine) -> None:
    """Ranges grow beyond the ring before them, and again behind them."""
    torch.manual_seed(2)

    class Deep(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.before, self.after = (
                nn.Sequential(*(orthogonal() for _ in range(9)), nn.Linear(16, 16)) for _ in range(2)
            )

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = self.before(x)
            first = y / (y.abs() + 1) + torch.sqrt(y.square() + 0.1) + torch.log(y.abs() + 1) + torch.exp(-y.abs())
            second = torch.where(y > 0, first, y) + y.sort(-1).values + y.topk(16, -1).values
            return self.after(first) + self.after(second) + y.argmax(-1, keepdim=True)

    def orthogonal() -> nn.Module:
        linear = nn.Linear(16, 16)
        nn.init.orthogonal_(linear.weight)
        return nn.Sequential(linear, nn.Tanh())

    net, x = Deep().eval(), torch.randn(3, 16, generator=torch.Generator().manual_seed(5)).clamp(-2, 2)
    model = SecureModel(session, net, "alice", (x[:1],), input_bound=2)
    assert model._public.scheme.domains
    assert np.abs(model.predict(x, owner="bob").reveal(to="bob") - plain(net, x)).max() <= 0.05


def test_recurrent_weights_are_loaded_once(session: ThreadEngine) -> None:
    graph = import_model(OPERATIONS["lstm"].module((6, 3)).eval(), (torch.zeros(2, 6, 3),)).graph
    load = WeightLoad(model=PublicModel(graph, Scheme(16, 2, 8), 0.5), version="1", owner="alice")
    assert len(program_of(load, ("alice", "bob")).nodes) == 2
    assert len({node.name for node in graph.nodes if isinstance(node, ProductLayer)}) == 6
