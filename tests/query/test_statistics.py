"""ProtocolKernel that are pure: what statistics say of themselves, and a count that is a value."""

from typing import get_args

import msgspec
import numpy as np
import pytest

from icm_ray.errors import ColumnError, InputError, PolicyError, ProgramError
from icm_ray.ops.linear import Input, Reveal
from icm_ray.ops.values import Kind, ValueType
from icm_ray.ops.wide import Widen
from icm_ray.policy import Policy
from icm_ray.program.build import Builder
from icm_ray.program.stamped import RunSettings
from icm_ray.query.disclosure import check_disclosure
from icm_ray.query.explain import explain
from icm_ray.query.lower import lower
from icm_ray.query.opened import Known, Opened
from icm_ray.query.partials import shared
from icm_ray.query.question import Asked, Question
from icm_ray.query.statistics.catalogue import Statistic
from icm_ray.query.statistics.mean import Mean
from icm_ray.query.statistics.sum import Sum
from icm_ray.query.statistics.variance import Variance
from tests.query.facts import MEMBERS, ONE_LANE, QUESTIONS, SHARES, VISITS, every_statistic
from tests.thread_lane import ThreadLane


def test_every_row_of_the_catalogue_is_asked_for_here():
    of_groups = "groups of private keys", "different values in groups"
    in_groups = [item for name in of_groups for item in QUESTIONS[name].what.statistics]
    asked = {type(item) for item in (*every_statistic("labs", "x"), *in_groups)}
    assert asked == set(get_args(Statistic))


@pytest.mark.parametrize("rows", [ONE_LANE, SHARES, VISITS], ids=lambda rows: rows.name)
def test_statistics_explain_themselves(rows):
    column = rows.columns[0].name
    asked = Asked(Question(every_statistic(rows.name, column), "carol"), (rows,))
    text = explain(asked, lower(asked, MEMBERS), RunSettings())
    for statistic in asked.what.statistics:
        assert statistic.title in text
        assert f"opened: {statistic.discloses(rows)}" in text
        assert str(statistic.error(rows)) in text


def test_a_column_that_is_not_there():
    for dataset, rows in (("visits", VISITS), ("shares-1", SHARES)):
        with pytest.raises(ColumnError, match="'size'"):
            lower(Asked(Question((Sum(dataset, "size"),), "bob"), (rows,)), MEMBERS)


def test_a_policy_of_shares_is_that_of_their_source():
    check_disclosure(QUESTIONS["shares"], MEMBERS)
    few = Policy(min_rows=22)
    for rows in (VISITS, SHARES):
        strict = type(rows)(
            **{name: getattr(rows, name) for name in rows.__struct_fields__ if name != "policy"}, policy=few
        )
        with pytest.raises(PolicyError, match="21 rows behind it, the policy asks for 22") as raised:
            check_disclosure(Asked(Question((Sum(rows.name, "age"),), "bob"), (strict,)), MEMBERS)
        assert raised.value.where["dataset"] == "visits"


def test_a_public_number_is_no_share():
    with pytest.raises(ProgramError, match="public number"):
        shared(Known(3))


@pytest.mark.parametrize(
    "statistic", [Mean("labs", "x"), Variance("labs", "x", 0), Variance("labs", "x", 1, root=True)]
)
def test_a_count_may_be_a_share(statistic):
    """Then it is opened with the rest, and the result is that of a public count."""
    values = np.array([3.0, -1.0, 7.5, 2.0])
    parties = ("alice", "bob")
    builder = Builder(parties)
    kinds = {"sum": (8, 40), "squares": (16, 40), "count": (0, 10)}
    given = {"sum": int(values.sum() * 2**8), "squares": int((values**2).sum() * 2**16), "count": len(values)}
    inputs = {name: np.array([value], np.int64).view(np.uint64) for name, value in given.items()}
    total, squares, count = (
        builder.add(Input("alice", name, ValueType(shape=(1,), f=f, width=width))) for name, (f, width) in kinds.items()
    )
    taken = {
        Mean: [total, count],
        Variance: [count, builder.add(Widen(), total), builder.add(Widen(), squares)],
    }[type(statistic)]
    opened = statistic.finish(builder, taken, ONE_LANE)
    assert "count" in opened
    for word, value in opened.items():
        assert value.type.kind in {Kind.SHARE, Kind.WIDE}
        builder.add(Reveal("bob", word), value)
    with ThreadLane(parties) as lane:
        found = lane.run(builder.build(), {"alice": inputs})["bob"].results
    numbers = {word: Opened(found[word], value.type) for word, value in opened.items()}
    expected = {
        "mean of x": values.mean(),
        "var of x (ddof=0)": values.var(),
        "std of x (ddof=1)": values.std(ddof=1),
    }[statistic.title]
    assert statistic.decode(numbers, ONE_LANE) == pytest.approx(expected, rel=1e-15)


def test_different_values_of_groups_are_not_told_where_there_is_a_policy_nor_of_other_values():
    asked = QUESTIONS["different values in groups"]
    for facts, change, error, says in (
        (VISITS, {}, PolicyError, "few rows have"),
        (asked.facts[0], {"column": "cost"}, ColumnError, "not of float"),
        (asked.facts[0], {"values": None}, ProgramError, "nothing is said"),
        (asked.facts[0], {"dataset": "visits"}, InputError, "of groups of merged rows that is not offered"),
    ):
        (statistic,) = (msgspec.structs.replace(item, **change) for item in asked.what.statistics)
        question = msgspec.structs.replace(asked.what, statistics=(statistic,))
        with pytest.raises(error, match=says):
            lower(Asked(question, (facts,)), MEMBERS)
