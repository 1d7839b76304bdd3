"""What a key stands for is fixed when it is stored or loaded: a program that says otherwise gets nothing."""

import msgspec
import numpy as np
import pytest

from icm_ray.config import EngineConfig
from icm_ray.errors import BoundExceeded, ProgramError
from icm_ray.ops.compare import CheckFlag
from icm_ray.ops.forms import Matrix
from icm_ray.ops.linear import Input, Load, Reveal, Store
from icm_ray.ops.products import LoadWeight, OwnedProduct
from icm_ray.ops.values import Kind, ValueType
from icm_ray.program.build import Builder
from icm_ray.program.kept import Kept
from icm_ray.runtime.carriers.threads import ThreadEngine
from icm_ray.runtime.driver.engine import LaneJob
from icm_ray.transport import Transcript
from tests.inside import dealer_of, parties_of
from tests.thread_lane import ThreadLane

NAMES = ("alice", "bob")
WEIGHT, X = ValueType(shape=(5, 6), width=20), ValueType(shape=(4, 6), width=20)
SECRET = np.arange(30, dtype=np.uint64).reshape(5, 6)
COLUMN = ValueType(shape=(8,), width=20, f=4)


def loads(key="m"):
    builder = Builder(NAMES)
    builder.add(LoadWeight("bob", "w", key, WEIGHT))
    return builder.build()


def uses(owner="bob", weight=WEIGHT, key="m", to="alice"):
    builder = Builder(NAMES)
    op = OwnedProduct(owner, key, Matrix(transposed=True), weight, 6)
    x = builder.add(Input("alice", "x", ValueType(shape=(4, weight.shape[1]), width=20)))
    builder.add(Reveal(to, "y"), builder.add(op, x))
    return builder.build()


def stores(kind=COLUMN, key="k"):
    builder = Builder(NAMES)
    builder.add(Store(key), builder.add(Input("alice", "c", kind)))
    return builder.build()


def takes(kind=COLUMN, key="k"):
    builder = Builder(NAMES)
    builder.add(Reveal("bob", "y"), builder.add(Load(key, kind)))
    return builder.build()


OTHERS = {
    "its owner": (uses("alice"), "weight of bob"),
    "its shape": (uses(weight=ValueType(shape=(30, 1), width=20)), "shape"),
    "its fractional bits": (uses(weight=ValueType(shape=(5, 6), width=20, f=3)), "3 fractional bits"),
    "its width": (uses(weight=ValueType(shape=(5, 6), width=9)), "width 9"),
    "its error": (uses(weight=ValueType(shape=(5, 6), width=20, error=0.5)), "error 0.5"),
    "that it is a value": (takes(WEIGHT, "m"), "no value under m"),
    "that it is loaded again": (loads(), "loaded before"),
    "that a value takes its place": (stores(key="m"), "keeps a weight"),
    "what a value is": (takes(ValueType(shape=(8,), width=20, f=5)), "5 fractional bits"),
    "how wide a value is": (takes(ValueType(shape=(8,), width=19, f=4)), "width 19"),
    "what kind a value has": (takes(ValueType(shape=(8,), kind=Kind.WIDE, limbs=4, width=20, f=4)), "wide"),
    "that a value is a weight": (uses(key="k"), "k was not loaded"),
    "that another value takes its place": (stores(ValueType(shape=(9,), width=20, f=4)), "keeps a value"),
}


@pytest.fixture(scope="module")
def engine():
    with ThreadEngine(NAMES, config=EngineConfig(free_programs=True)) as running:
        running.execute(
            [
                LaneJob(0, loads(), given={"bob": {"w": SECRET}}),
                LaneJob(0, stores(), given={"alice": {"c": np.ones(8, np.uint64)}}),
            ]
        )
        yield running


@pytest.mark.parametrize(("program", "match"), OTHERS.values(), ids=OTHERS)
def test_a_program_that_says_otherwise_is_refused(engine, program, match):
    given = {node.op.name: np.zeros(node.op.type.shape, np.uint64) for node in program.nodes if type(node.op) is Input}
    given |= {"w": SECRET}
    with pytest.raises(ProgramError, match=match):
        engine.execute([LaneJob(0, program, given={"alice": given})])
    right = {"alice": {"x": np.ones(X.shape, np.uint64)}}
    product, column = engine.execute([LaneJob(0, uses(), given=right), LaneJob(0, takes())])
    np.testing.assert_array_equal(product.results["y"], np.ones(X.shape, np.uint64) @ SECRET.T)
    assert column.results["y"].tolist() == [1] * 8


def attack(lane):
    """Nobody but alice brings anything, and she zeros; she is named as the owner of bob's weight."""
    lane.run(loads(), {"bob": {"w": SECRET}})
    lane.run(uses("alice"), {"alice": {"x": np.zeros(X.shape, np.uint64)}})


def test_one_who_is_named_as_the_owner_of_another_s_weight_hears_nothing():
    transcript = Transcript()
    with (
        ThreadLane(NAMES, transcript=transcript, timeout=20) as lane,
        pytest.raises(ProgramError, match="weight of bob"),
    ):
        attack(lane)
    loaded = [item for item in transcript.of("alice", "bob") if item.frame is not None]
    assert len(loaded) == 1, "the masked weight, and nothing of the attack"


def test_every_party_and_the_dealer_refuse_by_themselves():
    """Whoever is made to believe the program: the others do not."""
    with ThreadEngine(NAMES, config=EngineConfig(free_programs=True)) as engine:
        engine.execute([LaneJob(0, loads(), given={"bob": {"w": SECRET}})])
        members = {**parties_of(engine, 0), "dealer": dealer_of(engine, 0)}
        for doubting in members:
            for name, member in members.items():
                owner = "bob" if name == doubting else "alice"
                member.kept["m"] = Kept(WEIGHT, owner)
            with pytest.raises(ProgramError, match=f"{doubting} keeps a weight of bob"):
                engine.execute([LaneJob(0, uses("alice"), given={"alice": {"x": np.zeros(X.shape, np.uint64)}})])


def test_what_a_share_is_goes_with_it_to_the_first_lane():
    with ThreadEngine(NAMES, lanes=2, config=EngineConfig(free_programs=True)) as engine:
        engine.execute([LaneJob(1, stores(), given={"alice": {"c": np.ones(8, np.uint64)}})])
        engine.gather({1: {"k": (8,)}})
        with pytest.raises(ProgramError, match="width 19"):
            engine.execute([LaneJob(0, takes(msgspec.structs.replace(COLUMN, width=19)))])
        assert engine.execute([LaneJob(0, takes())])[0].results["y"].tolist() == [1] * 8
        with pytest.raises(ProgramError, match="keeps nothing"):
            engine.execute([LaneJob(1, takes())])


def test_what_was_forgotten_can_be_stored_as_something_else():
    with ThreadEngine(NAMES, config=EngineConfig(free_programs=True)) as engine:
        engine.execute([LaneJob(0, stores(), given={"alice": {"c": np.ones(8, np.uint64)}})])
        engine.forget(["k"])
        other = ValueType(shape=(9,), width=20, f=4)
        engine.execute([LaneJob(0, stores(other), given={"alice": {"c": np.ones(9, np.uint64)}})])
        assert engine.execute([LaneJob(0, takes(other))])[0].results["y"].tolist() == [1] * 9


def test_a_run_that_ends_early_leaves_nothing():
    builder = Builder(NAMES)
    value = builder.add(Input("alice", "c", COLUMN))
    builder.add(Store("early"), value)
    flag = builder.add(Input("alice", "flag", ValueType(shape=(1,), width=2)))
    builder.add(Reveal("bob", "y"), builder.add(CheckFlag("the flag"), value, flag))
    given = {"c": np.ones(8, np.uint64), "flag": np.ones(1, np.uint64)}
    with ThreadEngine(NAMES, config=EngineConfig(free_programs=True)) as engine:
        with pytest.raises(BoundExceeded):
            engine.execute([LaneJob(0, builder.build(), given={"alice": given})])
        for party in parties_of(engine, 0).values():
            assert not party.store
            assert not party.kept
        with pytest.raises(ProgramError, match="keeps nothing under early"):
            engine.execute([LaneJob(0, takes(key="early"))])
