"""One row and one kernel for each operation: what adding one takes, held complete."""

import importlib
import pkgutil
import typing

import msgspec
import pytest

from icm_ray import ops
from icm_ray.errors import IcmError
from icm_ray.ops.catalogue import CATALOGUE, Access, Edge, Long, Operation, row_of
from icm_ray.ops.linear import Load, Reveal
from icm_ray.ops.values import ValueType
from icm_ray.protocols.table import TABLE
from tests.program.sample import every_operation

PARTS = {"Epilogue", "DomainEdges"}
"""Structs of operations' modules that are part of operations and none themselves."""


def written() -> set[type]:
    """Every operation whose type is written in a module of `icm_ray.ops`: a struct with a typing rule."""
    found: set[type] = set()
    for module in pkgutil.iter_modules(ops.__path__):
        for item in vars(importlib.import_module(f"{ops.__name__}.{module.name}")).values():
            if isinstance(item, type) and issubclass(item, msgspec.Struct) and hasattr(item, "infer"):
                found.add(item)
    return {item for item in found if item.__name__ not in PARTS}


def test_every_operation_has_a_row_and_a_kernel():
    assert set(CATALOGUE) == written()
    assert set(TABLE) == set(CATALOGUE)
    assert set(typing.get_args(Operation)) == set(CATALOGUE)


def test_every_kernel_has_four_faces():
    for kernel in TABLE.values():
        assert all(callable(getattr(kernel, face)) for face in ("reference", "deal", "run", "cost"))


@pytest.mark.parametrize("kind", CATALOGUE, ids=lambda kind: kind.__name__)
def test_a_row_says_one_thing(kind):
    row = CATALOGUE[kind]
    assert (row.place is None) == (row.access is Access.NONE)
    assert not (row.cut is not None and row.sums_rows)
    assert row.long is not Long.GOES or "at_once" in kind.__struct_fields__
    if row.edge in {Edge.GIVEN, Edge.OTHER} and row.arity == 0:
        assert row.place is not None or row.owner is not None
    fields = set(kind.__struct_fields__)
    assert (row.owner is not None) == ("owner" in fields)
    assert (row.width is not None) == bool(fields & {"width", "epilogue", "edges"} and kind.__name__ != "AssumeWidth")


@pytest.mark.parametrize("node", every_operation().nodes, ids=lambda node: type(node.op).__name__)
def test_rows_take_what_the_typing_takes(node):
    """With one input less or more than the row says, no operation has a type."""
    arity = row_of(node.op).arity
    if arity is None:
        arity = 0 if node.inputs else len(node.inputs)
        with pytest.raises((IcmError, IndexError)):
            node.op.infer()
        return
    for count in {arity - 1, arity + 1} - {-1}:
        with pytest.raises(TypeError):
            node.op.infer(*[ValueType(shape=(1,))] * count)


def test_words_and_places_are_taken_from_the_operation():
    kind = ValueType(shape=(2, 3))
    reveal = Reveal("alice", "total")
    words = row_of(reveal).words
    assert words is not None
    assert words(reveal, kind) == "opened to alice: total (2x3), error at most 0"
    place = row_of(Load("kept", kind)).place
    assert place is not None
    assert place(Load("kept", kind)) == "kept"
