"""What a program may take: a question of a few bytes costs no member its memory, and real networks have room."""

from __future__ import annotations

import pytest

from icm_ray.errors import ProgramError
from icm_ray.network import budget
from icm_ray.network.layers import Conv, Expand, Flatten, Linear, MaxPool, OneHot, Pad, Relu, Softmax
from icm_ray.network.model import PublicModel
from icm_ray.network.programs import WeightLoad, program_of
from icm_ray.network.scheme import Scheme
from icm_ray.ops.linear import AddLast
from icm_ray.ops.products import Epilogue
from icm_ray.ops.products import Relu as ReluOp
from tests.network.facts import PARTIES, Chain

NONE = ((0, 0), (0, 0))


def asked(chain: Chain, count: int = 1, scheme: Scheme | None = None):
    model = PublicModel(chain.graph(), scheme or Scheme(12, 2, 4), 0.5)
    return WeightLoad(model=model, version="1", owner="alice").prediction(
        images="bob", count=count, output="logits", to="bob"
    )


def repeated() -> Chain:
    chain = Chain((1, 1))
    chain.add(Expand, (1 << 39, 1 << 39))
    return chain


def padded() -> Chain:
    chain = Chain((1,))
    chain.add(Pad, (1 + (1 << 39),), pads=((0, 1 << 39),))
    return chain


def looked_up() -> Chain:
    chain = Chain((1 << 15,))
    chain.add(OneHot, (1 << 15, 1 << 17), classes=1 << 17)
    return chain


def one_after_another() -> Chain:
    chain = Chain((1, 1))
    for size in (1 << 31, *range((1 << 31) - 1, (1 << 31) - 17, -1)):
        chain.add(Expand, (1, size), ("input",))
    return chain


@pytest.mark.parametrize("chain", [repeated, padded, looked_up, one_after_another])
def test_a_few_bytes_do_not_become_billions_of_cells(chain) -> None:
    with pytest.raises(ProgramError, match="cells"):
        program_of(asked(chain()), PARTIES)


def test_a_weight_counts_too() -> None:
    chain = Chain((1 << 20,))
    chain.add(Linear, (1 << 20,), weight="w", bias=None)
    question = WeightLoad(model=PublicModel(chain.graph(), Scheme(12, 2, 4), 0.5), version="1", owner="alice")
    with pytest.raises(ProgramError, match="cells"):
        program_of(question, PARTIES)


@pytest.mark.slow
def test_a_few_bytes_do_not_become_millions_of_numbers() -> None:
    chain = Chain((4096, 4096))
    for _ in range(3):
        chain.add(Softmax, (4096, 4096), closed=(0,))
    with pytest.raises(ProgramError, match="public numbers"):
        program_of(asked(chain), PARTIES)


def test_numbers_of_an_operation_are_counted_wherever_they_are() -> None:
    assert budget.numbers_of(AddLast((1, 2, 3))) == 3
    assert budget.numbers_of(ReluOp(Epilogue(0, True, 4))) == 0
    assert budget.numbers_of(((1, 2), (3, 4), (5, 6))) == 6


def resnet50() -> Chain:
    """Its convolutions, pools and ReLUs for images (3, 224, 224), one behind another."""
    chain, size = Chain((3, 224, 224)), 112

    def conv(channels: int, kernel: int, stride: int, size: int) -> None:
        edge = (kernel // 2, kernel // 2)
        facts = {"kernel": (kernel, kernel), "stride": (stride, stride), "padding": (edge, edge), "dilation": (1, 1)}
        chain.add(Conv, (channels, size, size), weight=f"w{len(chain.nodes)}", bias=None, groups=1, **facts)
        chain.add(Relu, (channels, size, size))

    conv(64, 7, 2, size)
    size = 56
    edge = (1, 1)
    chain.add(MaxPool, (64, size, size), kernel=(3, 3), stride=(2, 2), padding=(edge, edge), dilation=(1, 1))
    for width, blocks in ((64, 3), (128, 4), (256, 6), (512, 3)):
        for block in range(blocks):
            conv(width, 1, 1, size)
            stride = 2 if width > 64 and not block else 1
            size //= stride
            conv(width, 3, stride, size)
            conv(4 * width, 1, 1, size)
    chain.add(Flatten, (2048 * 49,))
    chain.add(Linear, (1000,), weight="last", bias=None)
    return chain


def test_real_networks_have_room(monkeypatch) -> None:
    chain = resnet50()
    scheme = Scheme(14, 3, layers={node.name: 4 for node in chain.nodes}, least=10)
    for name, room in (("MOST_CELLS", 16), ("MOST_TOGETHER", 8), ("MOST_NUMBERS", 1000)):
        monkeypatch.setattr(budget, name, getattr(budget, name) // room)
    assert len(program_of(asked(chain, 32, scheme), PARTIES).nodes) > 50
