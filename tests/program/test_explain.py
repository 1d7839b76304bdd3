"""What people are told before anything is shared."""

import numpy as np

from icm_ray.ops.compare import AtLeast
from icm_ray.ops.linear import Input, Reveal, Sum
from icm_ray.ops.values import ValueType
from icm_ray.program.build import Builder
from icm_ray.program.explain import explain, widths
from icm_ray.program.stamped import Stamped
from tests.program.sample import every_operation


def test_a_small_program():
    builder = Builder(("alice", "bob"))
    x = builder.add(Input("alice", "age", ValueType(shape=(12, 3), width=30, f=4, error=0.25)))
    builder.add(Reveal("bob", "total"), builder.add(Sum(), x))
    assert explain(Stamped(builder.build()), "sum of ages").splitlines() == [
        "sum of ages: 3 operations for alice, bob",
        "  shared by alice: age (12x3, public size)",
        "  opened to bob: total (1), error at most 9",
        "  1 rounds, at most 8 B sent by a party, 0 B dealt",
    ]


def test_all_that_is_opened_is_told():
    program = every_operation()
    text = explain(Stamped(program))
    for node in program.nodes:
        if isinstance(node.op, Reveal):
            assert f"opened to {node.op.to}: {node.op.name}" in text
        if isinstance(node.op, Input):
            assert f"shared by {node.op.owner}: {node.op.name}" in text
    assert "opened to all parties: one flag, whether the checked bound of x was exceeded" in text
    assert "product with a weight that alice keeps: 5x4, public size" in text
    assert f"{Stamped(program).cost().rounds} rounds" in text


def test_every_opening_that_is_told_is_one():
    text = explain(Stamped(every_operation()))
    reveals = sum(isinstance(node.op, Reveal) for node in every_operation().nodes)
    assert text.count("opened to") == reveals + 1
    assert np.isfinite([float(part.split()[0]) for part in text.split("error at most ")[1:]]).all()


def test_narrow_values_send_and_deal_less_and_it_shows():
    lines = []
    for width in (64, 20):
        builder = Builder(("alice", "bob"))
        x = builder.add(Input("alice", "x", ValueType(shape=(1024,), width=width - 1)))
        builder.add(Reveal("bob", "y"), builder.add(AtLeast(0, width), x))
        lines += widths(builder.build())
    assert lines == [
        "AtLeast at 64 of 64 bits: 1024 values, at most 12.2 B sent by a party and 51.0 B dealt for each",
        "AtLeast at 20 of 64 bits: 1024 values, at most 5.1 B sent by a party and 19.0 B dealt for each",
    ]
