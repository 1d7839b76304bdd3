"""Programs as bytes: there and back, and nothing but an error of the engine for anything else."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from icm_ray.errors import BoundError, IcmError, OwnerError, ProgramError, ShapeError
from icm_ray.ops.compare import AtLeast, CountAtLeast, Select
from icm_ray.ops.forms import Convolution, Matrix
from icm_ray.ops.groups import GroupSum
from icm_ray.ops.linear import (
    Add,
    AddPublic,
    AssumeWidth,
    Concatenate,
    Input,
    Load,
    Pad,
    Rescale,
    Reshape,
    Reveal,
    Scale,
    Slice,
    Subtract,
    Sum,
    WindowSum,
)
from icm_ray.ops.products import Epilogue, OwnedProduct, Product, Relu, Truncate
from icm_ray.ops.smooth import Piecewise
from icm_ray.ops.values import FULL_WIDTH, MOST_LIMBS, Kind, ValueType
from icm_ray.ops.wide import WideProduct
from icm_ray.program.build import Builder
from icm_ray.program.program import Node, Program, decode_program, encode_program
from icm_ray.program.stamped import Stamped
from tests.program.sample import OPERATIONS, PARTIES, every_operation, kind
from tests.protocols.cases import CASES
from tests.protocols.test_against_reference import program_of

SAMPLE = every_operation()
BYTES = encode_program(SAMPLE)
X = Node(Input("alice", "x", kind(3, 4)))


def decoded(*nodes, parties=PARTIES, owners=()):
    """What a peer gets that was sent this, unchecked by its sender."""
    return decode_program(msgspec.msgpack.encode(Program(parties, nodes, owners)))


def test_every_operation_is_seen_here():
    """In the sample, or in a case of its own in tests/protocols/cases.py."""
    seen = {type(node.op) for node in SAMPLE.nodes} | {type(case.op) for case in CASES}
    assert not {operation.__name__ for operation in set(OPERATIONS) - seen}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_case_comes_back_from_its_bytes(case):
    program = program_of(case, PARTIES)
    again = decode_program(encode_program(program))
    assert again == program
    assert Stamped(again).cost() == Stamped(program).cost()


def test_a_program_comes_back_from_its_bytes():
    again = decode_program(BYTES)
    assert again == SAMPLE
    assert again.types() == SAMPLE.types()
    assert again.digest == SAMPLE.digest
    assert len(SAMPLE.digest) == 32
    assert b"icm_ray" not in BYTES


@pytest.mark.parametrize("at", range(len(SAMPLE.nodes)))
def test_every_node_counts_in_the_digest(at):
    nodes = [*SAMPLE.nodes]
    nodes[at] = Node(Load("another", ValueType(shape=(1,))))
    assert msgspec.structs.replace(SAMPLE, nodes=tuple(nodes)).digest != SAMPLE.digest


@pytest.mark.parametrize(
    "change",
    [{"parties": ("bob", "alice")}, {"owners": ("olga", "otto")}],
    ids=lambda c: next(iter(c)),
)
def test_every_field_counts_in_the_digest(change):
    assert msgspec.structs.replace(SAMPLE, **change).digest != SAMPLE.digest


@pytest.mark.parametrize(
    "payload", [b"", b"\xc1", b"\x80", b"\x90", b"{}", BYTES[:-1], BYTES + b"\x00", BYTES[1:], b"\x93\x01\x02\x03"]
)
def test_what_is_no_program_is_refused(payload):
    with pytest.raises(ProgramError, match="not a program"):
        decode_program(payload)


def test_an_unknown_operation_is_refused():
    raw = msgspec.to_builtins(Program(PARTIES, (X,)))
    raw["nodes"][0]["op"]["op"] = "Execute"
    with pytest.raises(ProgramError, match="not a program"):
        decode_program(msgspec.msgpack.encode(raw))


@given(st.binary(max_size=60))
@settings(max_examples=200)
def test_any_bytes_are_a_program_or_an_error_of_the_engine(payload):
    with pytest.raises(IcmError):
        decode_program(payload)


@given(st.lists(st.tuples(st.integers(0, len(BYTES) - 1), st.integers(0, 255)), min_size=1, max_size=3))
@settings(max_examples=300)
def test_a_changed_program_is_one_or_an_error_of_the_engine(changes):
    raw = bytearray(BYTES)
    for at, byte in changes:
        raw[at] = byte
    try:
        program = decode_program(bytes(raw))
    except IcmError:
        return
    Stamped(program).plan()


def leaves(raw, path=()):
    """The place of every number in nested builtins."""
    if isinstance(raw, dict | list):
        for key, value in raw.items() if isinstance(raw, dict) else enumerate(raw):
            yield from leaves(value, (*path, key))
    elif isinstance(raw, int | float) and not isinstance(raw, bool):
        yield path


PLACES = list(leaves(msgspec.msgpack.decode(BYTES)))


@given(st.sampled_from(PLACES), st.sampled_from([-(2**63), -65, -1, 0, 1, 2, 63, 64, 65, 257, 2**31, 2**63, 2**64 - 1]))
@settings(max_examples=300)
def test_any_number_in_its_place_is_taken_or_an_error_of_the_engine(place, number):
    """Numbers that no operation can have raise before anything runs: in typing, not in costs or protocols."""
    raw = msgspec.msgpack.decode(BYTES)
    inner = raw
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = number
    try:
        program = decode_program(msgspec.msgpack.encode(raw))
    except IcmError:
        return
    Stamped(program).cost()
    assert all(1 <= value.width <= 256 and min(value.shape) >= 0 for value in program.types())


@pytest.mark.parametrize(
    ("node", "match"),
    [
        (Node(Sum(), (1,)), "not earlier nodes"),
        (Node(Sum(), (2,)), "not earlier nodes"),
        (Node(Sum(), (-1,)), "not earlier nodes"),
        (Node(Add(), (0,)), "Add takes 2 inputs, not 1"),
        (Node(Add(), (0, 0, 0)), "Add takes 2 inputs, not 3"),
        (Node(Sum(), ()), "Sum takes 1 inputs, not 0"),
        (Node(Input("bob", "y", kind(3)), (0,)), "Input takes 0 inputs, not 1"),
        (Node(Concatenate(0), ()), "Concatenate takes inputs"),
    ],
)
def test_graphs_that_are_none(node, match):
    with pytest.raises(ProgramError, match=match):
        decoded(X, node)


@pytest.mark.parametrize(
    ("node", "owners"),
    [
        (Node(Input("mallory", "y", kind(3))), ()),
        (Node(Reveal("mallory", "x"), (0,)), ("olga",)),
        (Node(Reveal("dealer", "x"), (0,)), ()),
        (Node(Reveal("", "x"), (0,)), ()),
    ],
)
def test_names_that_no_one_has(node, owners):
    with pytest.raises(OwnerError, match="is none of"):
        decoded(X, node, owners=owners)


@pytest.mark.parametrize(
    ("parties", "owners", "error"),
    [
        ((), (), ProgramError),
        (("alice",), (), ProgramError),
        (("alice", "alice"), (), ProgramError),
        (PARTIES, ("alice",), OwnerError),
        (PARTIES, ("olga", "olga"), OwnerError),
        (PARTIES, ("driver",), OwnerError),
        (("alice", "dealer"), (), OwnerError),
    ],
)
def test_members_that_cannot_be(parties, owners, error):
    with pytest.raises(error):
        decoded(X, parties=parties, owners=owners)


@pytest.mark.parametrize(
    ("op", "error"),
    [
        (Truncate(Epilogue(0)), ProgramError),
        (Truncate(Epilogue(3, relu=True)), ProgramError),
        (Relu(Epilogue(3)), ProgramError),
        (Truncate(Epilogue(3, width=70)), ProgramError),
        (Truncate(Epilogue(-1)), ProgramError),
        (Truncate(Epilogue(31, width=32)), ProgramError),
        (Relu(Epilogue(relu=True, width=1)), ProgramError),
        (Truncate(Epilogue(3, width=20)), BoundError),
        (Relu(Epilogue(relu=True, width=19)), BoundError),
        (AtLeast(0, 65), BoundError),
        (AtLeast(1, 20), BoundError),
        (AtLeast(1, 2**62), BoundError),
        (CountAtLeast((1,), 2**62), BoundError),
        (OwnedProduct("alice", "w", Matrix(), kind(4, 2), 2**62), (BoundError, ProgramError)),
        (OwnedProduct("alice", "w", Matrix(), kind(4, 2, f=2**62), 1), (BoundError, ProgramError)),
        (Piecewise(19, 1, 1, ((0,), (0,)), 4, 1, 32, 0, 0.0), ProgramError),
        (AddPublic(2**63 - 1), BoundError),
        (Scale(2**50), BoundError),
        (Reshape((-3, -4)), ShapeError),
        (Reshape((5,)), ShapeError),
        (Slice(((0, 3, 0), (0, 4, 1))), ShapeError),
        (Slice(((0, 3, 1),)), ShapeError),
        (Pad(((0, -1), (0, 0))), ShapeError),
        (Concatenate(2), ShapeError),
        (Concatenate(-1), ShapeError),
        (WindowSum((2, 2), (1, 1)), ShapeError),
        (AssumeWidth(0), ProgramError),
        (OwnedProduct("alice", "w", Convolution((1, 1)), kind(1, 1, 1, 1), 0), ShapeError),
    ],
    ids=str,
)
def test_operations_that_cannot_be(op, error):
    with pytest.raises(error):
        decoded(X, Node(op, (0,)))


@pytest.mark.parametrize(
    "wrong",
    [
        {"width": 0},
        {"width": 65},
        {"shape": (-1,)},
        {"shape": ()},
        {"f": 1001},
        {"f": -1001},
        {"limbs": 2},
        {"limbs": 0},
        {"error": float("nan")},
        {"error": -1.0},
        {"kind": Kind.WIDE},
        {"kind": Kind.WIDE, "limbs": 4, "width": 257},
        {"kind": Kind.WIDE, "limbs": MOST_LIMBS + 1},
        {"kind": Kind.WIDE, "limbs": 4, "f": FULL_WIDTH * MOST_LIMBS + 1},
    ],
)
@pytest.mark.parametrize("make", [lambda t: Input("alice", "x", t), lambda t: Load("k", t)], ids=["input", "load"])
def test_types_that_cannot_be(wrong, make):
    with pytest.raises((BoundError, ProgramError)):
        decoded(Node(make(msgspec.structs.replace(kind(3), **wrong))))


@pytest.mark.parametrize("op", [AddPublic(2**63), AddPublic(-(2**63) - 1), Scale(2**70)])
def test_constants_that_cannot_travel(op):
    """msgpack has integers of 64 bits; a wide value could take more."""
    builder = Builder(PARTIES)
    wide = builder.add(Input("alice", "x", kind(3, width=100, kind=Kind.WIDE, limbs=2)))
    with pytest.raises(BoundError, match="64 bits"):
        builder.add(op, wide)


def test_rings_are_not_mixed():
    builder = Builder(PARTIES)
    x, y = (builder.add(Input("alice", f"{n} limbs", kind(3, kind=Kind.WIDE, limbs=n))) for n in (4, 67))
    for op in (Add(), Subtract(), WideProduct(), Concatenate()):
        with pytest.raises((ProgramError, ShapeError)):
            builder.add(op, x, y)


@pytest.mark.parametrize("op", [Rescale(-2000), Scale(1, -2000), Scale(3, 4000), Rescale(4000)])
def test_far_scales_are_typed_errors_or_types(op):
    for error in (0.0, 0.5):
        builder = Builder(PARTIES)
        x = builder.add(Input("alice", "x", kind(3, error=error)))
        with pytest.raises(ProgramError, match="fractional bits"):
            builder.add(op, x)
        wide = builder.add(Input("bob", "x", kind(3, kind=Kind.WIDE, limbs=67, error=error)))
        assert builder.add(op, wide).type.f == 4 + op.extra_f


def test_counts_with_fewer_than_no_fractional_bits_are_refused():
    keys, values = (Node(Input("alice", name, kind(3, f=f))) for name, f in (("k", 0), ("v", -1)))
    decoded(keys, values, Node(GroupSum(2), (0, 1)))
    with pytest.raises(ProgramError, match="-1 fractional bits"):
        decoded(keys, values, Node(GroupSum(2, counts=True), (0, 1)))


def test_kinds_are_not_mixed():
    wide = Node(Input("bob", "w", kind(3, 4, width=100, kind=Kind.WIDE, limbs=2)))
    for op in (Add(), Select(20), Product(Convolution((1, 1)))):
        with pytest.raises((ProgramError, ShapeError)):
            decoded(X, wide, Node(op, (0, 1)))
