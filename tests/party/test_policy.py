"""A policy judges the results that rows of its dataset reach; what a party keeps stays made of what it was made of."""

import numpy as np
import pytest

from icm_ray.errors import PolicyError, ProgramError
from icm_ray.ops.labels import Label
from icm_ray.ops.linear import Add, Input, Load, Reveal, Store, Sum
from icm_ray.ops.values import ValueType
from icm_ray.party.policy import check_labels, check_policy, kept_labels
from icm_ray.policy import Policy
from icm_ray.program.build import Builder
from tests.thread_lane import ThreadLane

COLUMN = ValueType(shape=(4,), width=20)
ONES = np.ones(4, np.uint64)


def label(dataset, rows, owner="alice"):
    return (Label(dataset, owner, ((0, rows),)),)


def revealing(*ends, to="bob"):
    """A program that reveals the sum of every entry: (name, labels of the values that are added up)."""
    builder = Builder(("alice", "bob"))
    for name, labels in ends:
        values = [builder.add(Input("alice", f"{name}{at}", COLUMN, one)) for at, one in enumerate(labels)]
        total = values[0]
        for value in values[1:]:
            total = builder.add(Add(), total, value)
        builder.add(Reveal(to, name), builder.add(Sum(), total))
    return builder.build()


def test_rows_are_counted_for_each_reveal_and_dataset():
    program = revealing(("many", [label("visits", 30), label("visits", 30, "bob")]), ("few", [label("labs", 10)]))
    check_policy(program, {}, "alice")
    check_policy(program, {"visits": Policy(min_rows=60), "others": Policy(min_rows=10**9)}, "alice")
    with pytest.raises(PolicyError, match="alice refuses: many has 60 rows behind it, the policy asks for 61") as error:
        check_policy(program, {"visits": Policy(min_rows=61)}, "alice")
    assert error.value.where["dataset"] == "visits"
    with pytest.raises(PolicyError, match="few has 10 rows"):
        check_policy(program, {"visits": Policy(min_rows=50), "labs": Policy(min_rows=50)}, "alice")


def test_the_same_rows_twice_are_no_more_rows():
    program = revealing(("total", [label("visits", 30), label("visits", 30)]))
    with pytest.raises(PolicyError, match="30 rows"):
        check_policy(program, {"visits": Policy(min_rows=31)}, "alice")


def test_every_dataset_that_reaches_a_reveal_is_asked():
    program = revealing(("both", [label("visits", 100), label("labs", 100)]))
    check_policy(program, {"visits": Policy(recipients=("bob",)), "labs": Policy(recipients=("bob",))}, "alice")
    with pytest.raises(PolicyError, match="both: bob may not receive it, but nobody"):
        check_policy(program, {"visits": Policy(recipients=("bob",)), "labs": Policy(recipients=())}, "alice")


def keeping(key, labels):
    builder = Builder(("alice", "bob"))
    builder.add(Store(key), builder.add(Input("alice", "x", COLUMN, labels)))
    return builder.build()


def loading(key, labels, to="bob"):
    builder = Builder(("alice", "bob"))
    builder.add(Reveal(to, "total"), builder.add(Sum(), builder.add(Load(key, COLUMN, labels))))
    return builder.build()


def test_a_load_is_held_to_what_was_kept():
    kept = kept_labels(keeping("x", label("visits", 4)))
    assert kept == {"x": label("visits", 4)}
    check_labels(loading("x", label("visits", 4)), kept, "alice")
    for other in ((), label("visits", 400), label("labs", 4), label("visits", 4, "bob")):
        with pytest.raises(ProgramError, match="alice keeps x as made of other rows: 4 of alice in visits"):
            check_labels(loading("x", other), kept, "alice")
        with pytest.raises(ProgramError, match="made of other rows"):
            check_labels(keeping("x", other), kept, "alice")


@pytest.mark.parametrize("labels", [(), label("labs", 400)])
def test_a_value_does_not_lose_its_policy_by_being_kept(labels):
    """A driver that loads a value as somebody else's, or as nobody's, is refused by each party itself."""
    with ThreadLane(("alice", "bob")) as lane:
        lane.members["bob"].policies["visits"] = Policy(min_rows=5)
        lane.run(keeping("x", label("visits", 4)), {"alice": {"x": ONES}})
        with pytest.raises(ProgramError, match="made of other rows"):
            lane.run(loading("x", labels))


def test_a_policy_is_forgotten_with_its_dataset_once_nothing_made_of_it_is_kept():
    with ThreadLane(("alice", "bob")) as lane:
        member = lane.members["alice"]
        member.policies.update({"visits": Policy(min_rows=5), "labs": Policy(min_rows=5)})
        lane.run(keeping("x", label("visits", 4)), {"alice": {"x": ONES}})
        member.forget("visits")
        assert set(member.policies) == {"visits", "labs"}
        member.forget("x")
        assert set(member.policies) == {"labs"}
        assert not member.labels
