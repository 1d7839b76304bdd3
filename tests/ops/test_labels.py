"""Whose rows a value is made of: labels merge by dataset and owner, and flow from what brings them to what is left."""

import pytest

from icm_ray.errors import ProgramError
from icm_ray.ops.forms import Matrix
from icm_ray.ops.labels import Label, flow, merged, rows_behind
from icm_ray.ops.linear import Add, Input, Load, Reveal, Store, Sum
from icm_ray.ops.products import LoadWeight, OwnedProduct
from icm_ray.ops.values import ValueType
from icm_ray.program.build import Builder
from icm_ray.program.program import decode_program, encode_program

ALICE, MORE, BOB = (
    Label("visits", "alice", ((0, 5),)),
    Label("visits", "alice", ((2, 7),)),
    Label("visits", "bob", ((0, 3),)),
)
LABS = Label("labs", "alice", ((0, 40),))
COLUMN = ValueType(shape=(4,), width=20)


def test_labels_merge_by_dataset_and_owner():
    both = merged([BOB, MORE, ALICE, LABS, ALICE])
    assert both == (LABS, Label("visits", "alice", ((0, 5), (2, 7))), BOB)
    assert merged(reversed(both)) == both
    assert rows_behind(both, "visits") == 15
    assert rows_behind(both, "labs") == 40
    assert rows_behind(both, "others") == 0


def test_a_partition_has_one_number_of_rows():
    with pytest.raises(ProgramError, match="partition 0 of alice in visits has 5 rows here and 6 there"):
        merged([ALICE, Label("visits", "alice", ((0, 6),))])


def test_labels_reach_what_is_made_of_them_and_nothing_else():
    #          0        1      2      3 = 0 + 1   4 = f(2)  5 = 3 + 4
    labels = flow([(), (), (), (0, 1), (2,), (3, 4)], [(ALICE,), (BOB,), (LABS,), (), (), ()])
    assert labels[3] == (ALICE, BOB)
    assert labels[4] == (LABS,)
    assert labels[5] == (LABS, ALICE, BOB)
    assert flow([], []) == ()


def test_every_reveal_of_a_program_has_its_own():
    builder = Builder(("alice", "bob"))
    x = builder.add(Input("alice", "x", COLUMN, (ALICE,)))
    y = builder.add(Load("kept", COLUMN, (BOB,)))
    z = builder.add(Input("bob", "z", COLUMN))
    total = builder.add(Sum(), builder.add(Add(), x, y))
    ends = [
        builder.add(Reveal("bob", "total"), total),
        builder.add(Store("again"), x),
        builder.add(Reveal("bob", "z"), builder.add(Sum(), z)),
    ]
    program = decode_program(encode_program(builder.build()))
    assert [program.labels()[end.node] for end in ends] == [(ALICE, BOB), (ALICE,), ()]


def test_a_fixed_weight_is_a_dataset_of_its_own():
    builder = Builder(("alice", "bob"))
    weight = ValueType(shape=(2, 4), width=64)
    builder.add(LoadWeight("alice", "w", "model/w", weight))
    x = builder.add(Input("bob", "x", ValueType(shape=(1, 4), width=20), (Label("images", "bob", ((0, 1),)),)))
    end = builder.add(Reveal("bob", "y"), builder.add(OwnedProduct("alice", "model/w", Matrix(True), weight, 4), x))
    labels = builder.build().labels()
    assert [label.dataset for label in labels[end.node]] == ["images", "model/w"]


def test_contradicting_labels_are_no_program():
    builder = Builder(("alice", "bob"))
    for name, rows in (("x", 5), ("y", 6)):
        builder.add(Input("alice", name, COLUMN, (Label("visits", "alice", ((0, rows),)),)))
    with pytest.raises(ProgramError, match="5 rows here and 6 there"):
        builder.build()
