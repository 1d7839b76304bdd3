"""What a builder writes down is checked as a whole, with the types that were found while it was written."""

import pytest

from icm_ray.errors import ProgramError, ShapeError
from icm_ray.ops.catalogue import CATALOGUE, Access, Edge
from icm_ray.ops.linear import Add, Input, Load, Reveal, Store
from icm_ray.ops.products import LoadWeight, OwnedProduct
from icm_ray.ops.values import ValueType
from icm_ray.program.build import Builder
from icm_ray.program.program import Program

PARTIES = ("alice", "bob")


def given(builder: Builder, name: str, size: int):
    return builder.add(Input("alice", name, ValueType(shape=(size,), width=20)))


def test_types_are_those_that_the_program_has_by_itself():
    builder = Builder(PARTIES)
    total = builder.add(Add(), given(builder, "x", 3), given(builder, "y", 3))
    builder.add(Reveal("bob", "total"), total)
    built = builder.build()
    assert built.types() == Program(PARTIES, built.nodes).types()
    assert built.types()[total.node] == total.type


def test_a_value_of_another_builder_is_what_it_is_here():
    builder, other = Builder(PARTIES), Builder(PARTIES)
    here, there = given(builder, "x", 3), given(other, "y", 4)
    builder.add(Reveal("bob", "x"), here)
    builder.add(Reveal("bob", "y"), there)  # node 0 of either: here it is x
    assert [kind.shape for kind in builder.build().types()] == [(3,), (3,), (3,)]
    builder.add(Add(), builder.add(Add(), there, there), given(builder, "z", 4))
    with pytest.raises(ShapeError):
        builder.build()


def test_a_value_that_is_not_there_yet_is_refused():
    builder, other = Builder(PARTIES), Builder(PARTIES)
    given(other, "x", 3)
    builder.add(Reveal("bob", "y"), given(other, "y", 3))
    with pytest.raises(ProgramError, match="not earlier nodes"):
        builder.build()


def test_nodes_that_touch_what_is_beside_the_run():
    builder = Builder(PARTIES)
    kept = builder.add(Load("k", ValueType(shape=(3,), width=20)))
    total = builder.add(Add(), given(builder, "x", 3), kept)
    builder.add(Store("l"), total)
    builder.add(Reveal("bob", "total"), total)
    program = builder.build()
    assert [(index, type(node.op)) for index, node in program.outward] == [
        (0, Load), (1, Input), (3, Store), (4, Reveal),
    ]  # fmt: skip
    assert {LoadWeight, OwnedProduct} <= {
        op for op, row in CATALOGUE.items() if row.edge is not Edge.NONE or row.access is not Access.NONE
    }
