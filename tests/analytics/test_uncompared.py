"""Comparisons that have no answer raise; objects are hashed as themselves."""

import operator

import pandas as pd
import pytest

import analytics as an

COMPARISONS = (operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge)


@pytest.fixture
def frame(fresh):
    return an.from_pandas(fresh, {"alice": pd.DataFrame({"x": [1, 2, 3]})})


@pytest.mark.parametrize("compare", COMPARISONS)
def test_comparisons_say_what_to_do(frame, compare):
    for other in (3, "x", None, frame, frame["x"]):
        for one, says in (
            (frame, "Compare .columns"),
            (frame["x"].mean(), r"mean of x has no value before .reveal\(\)"),
        ):
            with pytest.raises(TypeError, match=says):
                compare(one, other)
            if isinstance(other, int):
                with pytest.raises(TypeError, match=says):
                    compare(other, one)


def test_a_column_is_neither_true_nor_false(frame):
    with pytest.raises(TypeError, match=r"joined with & \| ~"):
        frame["x"].mean() if frame["x"] else None
    with pytest.raises(TypeError, match=r"joined with & \| ~"):
        frame[frame["x"] == 3 and frame["x"] > 1]


def test_objects_are_hashed_as_themselves(frame):
    query = frame["x"].mean()
    for one, other in ((frame, frame[["x"]]), (frame["x"], frame["x"]), (query, frame["x"].mean())):
        assert len({one, other}) == 2
        assert {one: 1}[one] == 1
        assert hash(one) == object.__hash__(one)
