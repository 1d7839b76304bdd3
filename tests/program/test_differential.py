"""Random programs in blocks and whole: the same results as far as rounding leaves them one, and costs as declared."""

from collections import Counter

import numpy as np
import pytest

from icm_ray.functions.activations import exp_negative, gelu, sigmoid, tanh
from icm_ray.functions.row_functions import softmax
from icm_ray.ops import compare, groups, linear, products, smooth, sorting, wide
from icm_ray.ops.catalogue import CATALOGUE
from icm_ray.ops.forms import Elementwise
from icm_ray.ops.products import Epilogue
from icm_ray.ops.values import Kind, ValueType
from icm_ray.program.build import Builder
from icm_ray.program.program import decode_program, encode_program
from icm_ray.program.stamped import RunSettings, Stamped
from icm_ray.ring.fixed import encode
from icm_ray.schedule.steps import working_set
from tests.program.random_programs import ROWS, WHOLE, random_program
from tests.thread_lane import ThreadLane

SEEDS = range(60)
MORE = range(60, 460)
ROW_BY_ROW = RunSettings(in_flight=1)
FEW_ROWS = 7
"""Up to which rows are cut one by one."""
EXACT, ROUNDED, ANY = range(3)
"""What a result is in two runs: the same, within its errors, or on either side of a jump."""
_JUMPS = (
    compare.AtLeast, compare.CountAtLeast, compare.Select, compare.ArgMax, groups.GroupCount, groups.GroupSum,
    groups.GroupTable, sorting.ArgSort, sorting.SortBy,
)  # fmt: skip


def sureties(program):
    """EXACT, ROUNDED or ANY for every node."""
    found = []
    for node in program.nodes:
        worst = max((found[source] for source in node.inputs), default=EXACT)
        epilogue = getattr(node.op, "epilogue", None)
        if isinstance(node.op, wide.SquareParts) or (worst and isinstance(node.op, _JUMPS)):
            worst = ANY  # parts of a square depend on how it was split
        elif epilogue is not None and epilogue.shift:
            worst = max(worst, ROUNDED)
        found.append(worst)
    return found


def cut_smaller(program):
    """The program with less and less in flight, as its parties read it."""
    plan = Stamped(program, WHOLE).plan()
    heaviest = max(
        (working_set(step.op, cost, step.type) for step, cost in zip(plan.steps, plan.costs, strict=True)), default=0
    )
    least = heaviest // 9 if any(step.type.shape[0] > FEW_ROWS for step in plan.steps) else 0
    for in_flight in sorted({max(size, 1) for size in (heaviest // 2, heaviest // 6, least)}):
        yield Stamped(decode_program(encode_program(program)), RunSettings(in_flight))


def hold_types(plan):
    """Every step comes after its inputs, and is of the type that its operation makes of theirs."""
    for index, step in enumerate(plan.steps):
        assert all(source < index for source in step.inputs)
        made = step.op.infer(*(plan.steps[source].type for source in step.inputs))
        assert (made.shape, made.f, made.kind) == (step.type.shape, step.type.f, step.type.kind), step


def played(lane, stamped, brought):
    """What was revealed, by name; every party's counters are those that the program declares."""
    program = stamped.program
    names = program.parties + program.owners
    before = {name: sum(lane.counters(name, peer) for peer in names if peer != name) for name in program.parties}
    outcomes = lane.run(program, brought, settings=stamped.settings)
    cost = stamped.cost()
    for name, sent in zip(program.parties, cost.sent, strict=True):
        counted = sum(lane.counters(name, peer) for peer in names if peer != name) - before[name]
        assert (outcomes[name].rounds, outcomes[name].sent_bytes, counted) == (cost.rounds, sent, sent)
    assert sum(outcomes[name].dealt_bytes for name in program.parties) == cost.dealt
    return {name: words for outcome in outcomes.values() for name, words in outcome.results.items()}


def apart(kind, a, b):
    """The largest difference of two results, in plain units."""
    assert a.shape == b.shape
    if kind.kind is Kind.WIDE:
        return float(not np.array_equal(a, b))
    return np.abs(a.view(np.int64).astype(float) - b.view(np.int64).astype(float)).max(initial=0) * 2.0**-kind.f


def compare_blocks(drawn):
    program = drawn.program
    types, sure = program.types(), sureties(program)
    revealed = [(i, node.op.name) for i, node in enumerate(program.nodes) if isinstance(node.op, linear.Reveal)]
    with ThreadLane(program.parties, program.owners) as lane:
        lane.run(drawn.loads, drawn.brought)
        whole = played(lane, Stamped(program, WHOLE), drawn.brought)
        for smaller in cut_smaller(program):
            hold_types(smaller.plan())
            found = played(lane, smaller, drawn.brought)
            for node, name in revealed:
                most = (0.0, 2 * types[node].error, np.inf)[sure[node]]
                assert apart(types[node], whole[name], found[name]) <= most, (name, smaller.settings)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.few(10)
def test_blocks_compute_what_whole_operations_do(seed):
    compare_blocks(random_program(seed))


@pytest.mark.slow
@pytest.mark.parametrize("seed", MORE)
def test_blocks_compute_what_whole_operations_do_in_more_programs(seed):
    compare_blocks(random_program(seed))


def cut_in(program):
    """Operations of which a program in blocks has more than it has whole; products of two shapes apart, as None."""
    for smaller in cut_smaller(program):
        steps = smaller.plan().steps
        whole = Counter(type(node.op) for node in program.nodes)
        yield from (op for op, count in Counter(type(step.op) for step in steps).items() if count > whole[op])
        shapes = [
            {steps[source].type.shape for source in s.inputs} for s in steps if isinstance(s.op, products.Product)
        ]
        if sum(len(pair) == 2 for pair in shapes) > whole[products.Product]:
            yield None


def test_the_programs_have_what_they_are_for():
    """Every operation that is ever cut, in blocks; products of two shapes; numbers of rows from none on."""
    programs = [random_program(seed).program for seed in SEEDS]
    cut = {op for program in programs for op in cut_in(program)}
    functions = {smooth.ExpNegative, smooth.Periodic, smooth.Piecewise}  # below
    whole = {op for op, row in CATALOGUE.items() if row.cut is None and not row.sums_rows}
    assert cut >= {None, *CATALOGUE} - whole - functions
    assert {program.types()[0].shape[0] for program in programs} == set(ROWS)
    assert {(len(program.parties), len(program.owners)) for program in programs} == {(2, 0), (2, 1), (3, 0), (3, 1)}


SQUARES = {
    "transposed": (linear.Permute((1, 0)), lambda x: np.maximum(x, 0).T),
    "times a row": (products.Product(Elementwise()), lambda x: np.maximum(x, 0) * x[0]),
}


@pytest.mark.parametrize("name", SQUARES)
def test_columns_as_many_as_rows_are_no_rows(name):
    op, plain = SQUARES[name]
    builder = Builder(("alice", "bob"))
    x = builder.add(linear.Input("alice", "x", ValueType(shape=(6, 6), width=8)))
    row = builder.add(linear.Reshape((6,)), builder.add(linear.Slice(((0, 1, 1), (0, 6, 1))), x))
    above = builder.add(products.Relu(Epilogue(relu=True, width=8)), x)
    y = builder.add(op, above, row) if isinstance(op, products.Product) else builder.add(op, above)
    builder.add(linear.Reveal("bob", "y"), y)
    values = np.random.default_rng(0).integers(-127, 128, (6, 6))
    rows = Stamped(builder.build(), ROW_BY_ROW)
    assert sum(isinstance(step.op, products.Relu) for step in rows.plan().steps) == 6
    with ThreadLane(builder.parties) as lane:
        found = played(lane, rows, {"alice": {"x": values.view(np.uint64)}})["y"]
    np.testing.assert_array_equal(found.view(np.int64), plain(values))


FUNCTIONS = {
    "sigmoid": (sigmoid, (1537,)), "tanh": (tanh, (40, 33)), "gelu": (gelu, (1200,)), "softmax": (softmax, (60, 33)),
    "exp": (lambda builder, x: exp_negative(builder, builder.add(linear.Scale(-1), x)), (1300,)),
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_in_blocks_are_within_their_errors(name):
    function, shape = FUNCTIONS[name]
    builder = Builder(("alice", "bob"))
    x = builder.add(linear.Input("alice", "x", ValueType(shape=shape, f=16, width=24)))
    y = function(builder, x)
    builder.add(linear.Reveal("bob", "y"), y)
    brought = {"alice": {"x": encode(np.random.default_rng(3).uniform(0, 8, shape), 16, 8)}}
    with ThreadLane(("alice", "bob")) as lane:
        whole = played(lane, Stamped(builder.build(), WHOLE), brought)["y"]
        for smaller in cut_smaller(builder.build()):
            assert len(smaller.plan().steps) > len(builder.build().nodes)
            assert apart(y.type, whole, played(lane, smaller, brought)["y"]) <= 2 * y.type.error


@pytest.mark.parametrize("count", [2, 3, 5, 9, 17, 33, 65, 129, 1025])
@pytest.mark.few(3)
def test_the_maximum_of_a_long_row_at_the_edges(count):
    """A row alone is unrolled into levels; all differences are of the full width."""
    top, kind = (1 << 62) - 1, ValueType(shape=(count,), width=63)
    rng, builder = np.random.default_rng(count), Builder(("alice", "bob", "carol"))
    builder.add(
        linear.Reveal("bob", "y"), builder.add(compare.Maximum(64), builder.add(linear.Input("bob", "x", kind)))
    )
    with ThreadLane(builder.parties) as lane:
        for values in (rng.choice([-top, top], count), rng.integers(-top, top, count), np.full(count, -top)):
            found = played(lane, Stamped(builder.build(), ROW_BY_ROW), {"bob": {"x": values.view(np.uint64)}})["y"]
            assert found.view(np.int64).tolist() == [values.max()]
