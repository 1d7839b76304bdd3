"""The public numbers of a model: ranges that hold, norms from above, checks only where they are needed."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from torch import nn
from torch.nn import functional

from analytics.nn import norms
from analytics.nn.analysis import bits_of, ranges
from analytics.nn.compile import Compiled, compile_graph
from analytics.nn.folding import fold_scales
from analytics.nn.importer import import_model
from analytics.nn.norms import conv_norm, matrix_norm, schur_norm
from analytics.nn.reference import run_reference
from analytics.nn.weighted import WeightedGraph, named
from icm_ray.network.layers import Conv
from icm_ray.network.passes import moves_first, relu_after_max_pool
from icm_ray.network.programs import Output, WeightLoad, program_of
from icm_ray.network.scheme import Scheme
from icm_ray.ops.compare import ArgMax, CheckFlag, CountAtLeast
from icm_ray.ops.linear import Reveal
from icm_ray.ops.products import OwnedProduct, Relu, Truncate
from icm_ray.program.program import Program, decode_program, encode_program
from tests.analytics.nn.import_checks import settle
from tests.analytics.nn.models import CifarResNet, SkinNet, minionn


def network_of(net: nn.Module, *shape: int) -> WeightedGraph:
    settle(net)
    imported = import_model(net, (torch.zeros(1, *shape),))
    return fold_scales(imported, keep_powers_of_two=True).simplified(relu_after_max_pool).simplified(moves_first)


@cache
def minionn_compiled(gain: int, bound: int | None) -> Compiled:
    torch.manual_seed(1)
    return compile_graph(network_of(minionn(), 3, 32, 32), 16, 2, gain, bound)


def load_of(compiled: Compiled) -> WeightLoad:
    return WeightLoad(model=compiled.model, version="1", owner="alice")


def predicting(compiled: Compiled, count: int = 2, output: Output = "logits") -> Program:
    question = load_of(compiled).prediction(images="bob", count=count, output=output, to="bob")
    return program_of(question, ("alice", "bob"))


def ops_of(program, kind: type) -> list:
    return [node.op for node in program.nodes if isinstance(node.op, kind)]


@given(st.floats(1e-12, 1e12))
def test_bits_of(value: float) -> None:
    assert value < 2.0 ** bits_of(value) <= 2.0 * value * (1 + 1e-8)


@given(st.integers(0, 10_000))
def test_conv_norm_is_above_the_operator(seed: int) -> None:
    rng = np.random.default_rng(seed)
    groups, kernel = int(rng.integers(1, 3)), (int(rng.integers(1, 4)), int(rng.integers(1, 4)))
    stride, dilation = (tuple(int(k) for k in rng.integers(1, 3, 2)) for _ in range(2))
    padding = tuple((int(a), int(b)) for a, b in rng.integers(0, 3, (2, 2)))
    weight = rng.normal(size=(2 * groups, 2, *kernel))
    source = (2 * groups, 7, 6)
    node = Conv(
        name="c", module="c", inputs=("input",), shape=(), weight="w", bias=None, kernel=kernel, stride=stride,
        padding=padding, dilation=dilation, groups=groups,
    )  # fmt: skip
    basis = torch.eye(int(np.prod(source)), dtype=torch.float64).reshape(-1, *source)
    wide = functional.pad(basis, (*padding[1], *padding[0]))
    made = functional.conv2d(wide, torch.from_numpy(weight), stride=stride, dilation=dilation, groups=groups)
    exact = np.linalg.norm(made.flatten(1).numpy(), 2)
    assert exact <= conv_norm(weight, node, source)
    assert exact <= schur_norm(weight, groups)


@pytest.mark.slow
def test_conv_norm_is_sharp() -> None:
    weight = np.random.default_rng(1).normal(size=(8, 8, 3, 3))
    node = Conv(
        name="c", module="c", inputs=("input",), shape=(), weight="w", bias=None, kernel=(3, 3), stride=(1, 1),
        padding=((1, 1), (1, 1)), dilation=(1, 1), groups=1,
    )  # fmt: skip
    basis = torch.eye(8 * 12 * 12, dtype=torch.float64).reshape(-1, 8, 12, 12)
    made = functional.conv2d(basis, torch.from_numpy(weight), padding=1).flatten(1).numpy()
    exact = np.linalg.norm(made, 2)
    assert exact <= conv_norm(weight, node, (8, 12, 12)) <= 1.1 * exact
    assert conv_norm(weight, node, (8, 12, 12)) < schur_norm(weight)


def test_matrix_norm() -> None:
    weight = np.random.default_rng(2).normal(size=(5, 9))
    assert np.linalg.norm(weight, 2) <= matrix_norm(weight) <= schur_norm(weight)


@pytest.mark.parametrize("shape", [(5, 9), (9, 5), (6, 6), (1, 4)])
@pytest.mark.parametrize("limit", ["_MOST_WORK", "_MOST_FOR_MATRICES"])
def test_norms_within_a_limit_of_work_are_above(shape: tuple[int, int], limit: str, monkeypatch) -> None:
    weight = np.random.default_rng(sum(shape)).normal(size=shape)
    exact = np.linalg.norm(weight, 2)
    assert exact <= matrix_norm(weight) <= exact * (1 + 1e-5)
    monkeypatch.setattr(norms, limit, 0.0)
    assert exact <= matrix_norm(weight) <= min(schur_norm(weight), np.linalg.norm(weight) * (1 + 1e-5))


@pytest.mark.slow
def test_no_spectrum_of_a_large_matrix() -> None:
    weight = np.ones((1, 1)).repeat(5000, axis=0).repeat(5000, axis=1)  # a decomposition would take a minute
    assert 5000 <= matrix_norm(weight) <= 5001


@pytest.mark.parametrize(
    ("net", "shape"), [(CifarResNet(1), (3, 32, 32)), (SkinNet(), (3, 28, 28)), (minionn(), (3, 32, 32))]
)
@pytest.mark.slow
def test_ranges_hold(net: nn.Module, shape: tuple[int, ...]) -> None:
    network = network_of(net, *shape)
    graph = network.graph
    x = np.random.default_rng(3).choice([-2.0, 2.0, 0.5], size=(4, *shape))  # the ends of the range among them
    found = ranges(network, Scheme(16, 1, 8, least=12))
    for node in graph.nodes:
        values = run_reference(named(replace(graph, output=node.name), network.weights), x)
        assert (values >= found[node.name].low.numpy()).all()
        assert (values <= found[node.name].high.numpy()).all()


@pytest.mark.slow
def test_products_and_relus_share_an_opening() -> None:
    program = predicting(minionn_compiled(8, None))
    assert len(ops_of(program, OwnedProduct)) == 8
    assert not ops_of(program, Relu) + ops_of(program, Truncate)
    finishes = [op.epilogue for op in ops_of(program, OwnedProduct)]
    assert all(epilogue.relu for epilogue in finishes[:-1])
    assert finishes[-1] is None  # the logits are revealed as they are
    widths = [epilogue.width - epilogue.shift for epilogue in finishes[:-1]]
    assert widths == sorted(widths)  # comparisons are as narrow as the layer's range allows
    assert widths[0] <= 24


@pytest.mark.slow
def test_residual_sums_are_truncated_and_rectified_with_their_product() -> None:
    net = CifarResNet(1)
    program = predicting(compile_graph(network_of(net, 3, 32, 32), 16, 2, bound=6))
    assert not ops_of(program, Truncate) + ops_of(program, Relu)
    assert sum(op.added for op in ops_of(program, OwnedProduct)) == 3
    assert [op.epilogue is None for op in ops_of(program, OwnedProduct)] == [False] * 7 + [True]


@pytest.mark.slow
def test_checks_are_made_where_ranges_would_not_fit() -> None:
    shallow = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3))
    compiled = compile_graph(network_of(shallow, 3, 8, 8), 16, 2, 6, 3)
    assert not compiled.model.scheme.bounds
    assert not ops_of(predicting(compiled), CheckFlag)
    compiled = minionn_compiled(6, 3)
    program = predicting(compiled)
    assert 0 < len(compiled.model.scheme.bounds) < 7
    assert len(ops_of(program, CountAtLeast)) == len(compiled.model.scheme.bounds)
    assert {op.thresholds for op in ops_of(program, CountAtLeast)} <= {
        (2**19,),
        (2**18,),
    }  # 15 or 16 fractional bits


@pytest.mark.parametrize("output", ["logits", "label"])
def test_nothing_but_the_result_and_the_flag_is_opened(output: str) -> None:
    program = predicting(minionn_compiled(6, 3), output=output)
    (revealed,) = [node for node in program.nodes if isinstance(node.op, Reveal)]
    assert (revealed.op.to, revealed.op.name) == ("bob", output)
    assert isinstance(program.nodes[revealed.inputs[0]].op, CheckFlag)
    assert len(ops_of(program, ArgMax)) == (output == "label")
    assert decode_program(encode_program(program)) == program


@pytest.mark.slow
def test_calibrated_programs_do_not_depend_on_weights() -> None:
    def program(seed: int):
        torch.manual_seed(seed)
        compiled = compile_graph(network_of(CifarResNet(1), 3, 32, 32), 16, 2, 12, 6)
        return [
            node
            for node in predicting(compiled, output="label").nodes
            if type(node.op).__name__ != "AssumeWidth" or node.op.error is None
        ]

    assert program(1) == program(2)


def test_weights_are_not_in_the_programs() -> None:
    compiled = minionn_compiled(8, None)
    for program in (program_of(load_of(compiled), ("alice", "bob")), predicting(compiled)):
        assert len(encode_program(program)) < 20_000
