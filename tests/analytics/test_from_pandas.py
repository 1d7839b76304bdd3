from fractions import Fraction

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import analytics as an
from icm_ray.errors import BoundError, ColumnError, InputError, NullError, OwnerError, SessionClosed
from tests.analytics.conftest import SETUPS, engine_of

GOOD = pd.DataFrame({"age": [1, 2, 3], "cost": [1.0, 2.0, 3.0]})


def refused(fresh, error, match, sources, **settings):
    with pytest.raises(error, match=match) as caught:
        an.from_pandas(fresh, sources, **settings)
    assert not fresh.jobs
    return caught.value


def test_partitions_are_pushed_one_by_one():
    frame = pd.DataFrame({"x": np.arange(1000)})
    with engine_of("two parties, two lanes", partition_bytes=800) as engine:
        taken = []
        opens = engine.open_table

        def watch(owner, source, batches=()):
            streams = []
            assert iter(batches) is batches, "streams are made when they are asked for"
            for stream in batches:
                streams.append(pa.ipc.open_stream(stream).read_all().num_rows)
                taken.append(stream)
            return opens(owner, source, iter(taken))

        engine.open_table = watch
        secure = an.from_pandas(engine, {"alice": frame})
        assert len(taken) == 10
        assert len(secure) == 1000
        assert secure["x"].sum().reveal() == 499500


@pytest.mark.parametrize("setup", SETUPS)
def test_rows_of_one_owner_alone(setup):
    with engine_of(setup) as engine:
        owner = engine.everyone[-1]
        assert an.from_pandas(engine, {owner: GOOD})["age"].mean().reveal() == 2.0


def test_columns_in_another_order_and_another_index(fresh):
    other = GOOD[["cost", "age"]].set_index(pd.Index([7, 7, 9]))
    assert an.from_pandas(fresh, {"alice": GOOD, "bob": other})["age"].sum().reveal() == 12


def test_kinds_of_pandas(fresh):
    frame = pd.DataFrame(
        {
            "nullable_int": pd.array([1, 2], "Int64"),
            "nullable_float": pd.array([1.5, 2.5], "Float64"),
            "nullable_bool": pd.array([True, False], "boolean"),
            "arrow": pd.array([1, 2], "int32[pyarrow]"),
            "objects": pd.Series([1, 2], dtype=object),
            "half": np.array([1.5, 2.0], np.float16),
            "byte": np.array([1, 255], np.uint8),
            "text": ["a", None],
            "category": pd.Categorical(["a", "b"]),
            "day": pd.to_datetime(["2020-01-01", "2020-01-02"]),
        }
    )
    secure = an.from_pandas(fresh, {"alice": frame, "carol": frame})
    kinds = secure.dtypes
    assert [kinds[name] for name in list(frame)[:7]] == ["int", "float", "bool", "int", "int", "float", "int"]
    assert [secure[name].sum().reveal() for name in list(frame)[:7]] == [6, 8.0, 2, 6, 6, 7.0, 512]
    assert not {kinds[name] for name in ("text", "category", "day")} & {"int", "float", "bool"}


def test_unknown_owner(fresh):
    refused(fresh, OwnerError, "'mallory' is not in the session; there are alice, bob, carol", {"mallory": GOOD})


def test_no_owner(fresh):
    refused(fresh, OwnerError, "no owner", {})


def test_empty_owner(fresh):
    refused(fresh, OwnerError, "'bob' brings no rows", {"alice": GOOD, "bob": GOOD.iloc[:0]})


def test_missing_column(fresh):
    error = refused(fresh, ColumnError, "bob has no column 'age', which alice", {"alice": GOOD, "bob": GOOD[["cost"]]})
    assert error.where == {"owner": "bob", "column": "age"}


def test_extra_column(fresh):
    refused(fresh, ColumnError, "bob has a column 'z'", {"alice": GOOD, "bob": GOOD.assign(z=1)})


@pytest.mark.parametrize("kind", ["float64", "bool", "str"])
def test_mixed_kinds_name_both(fresh, kind):
    mixed = GOOD.assign(age=GOOD.age.astype(kind))
    refused(fresh, ColumnError, "'age' is int with alice and .* with carol", {"alice": GOOD, "carol": mixed})


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nan_and_infinite_values(fresh, bad):
    error = refused(
        fresh, NullError, "carol: column 'cost'", {"alice": GOOD, "carol": GOOD.assign(cost=[1.0, bad, 2.0])}
    )
    assert error.where == {"owner": "carol", "column": "cost"}


def test_nulls_of_nullable_integers(fresh):
    refused(
        fresh, NullError, "bob: column 'age' has null", {"bob": GOOD.assign(age=pd.array([1, None, 2], dtype="Int64"))}
    )


def test_values_of_different_types(fresh):
    mixed = GOOD.assign(age=pd.Series([1, "two", 3.0], dtype=object))
    refused(fresh, ColumnError, "bob: column 'age' .* different types", {"bob": mixed})


def test_names_that_are_there_twice_or_no_strings(fresh):
    refused(fresh, ColumnError, "'age' is there twice", {"bob": pd.concat([GOOD, GOOD], axis=1)})
    refused(fresh, ColumnError, "strings, not 0", {"bob": pd.DataFrame([[1]])})
    refused(fresh, ColumnError, "no columns", {"bob": pd.DataFrame(index=[1, 2])})


def test_what_is_no_frame(fresh):
    refused(fresh, InputError, "'bob': a pandas.DataFrame is needed, not list", {"bob": [1, 2]})
    refused(fresh, InputError, "a mapping", [GOOD])
    refused(fresh, InputError, "policy", {"bob": GOOD}, policy=3)


@pytest.mark.parametrize("bound", [0, -3, np.inf, np.nan, True, "8", 10**400, -(10**400), None, [8], np.bool(1), 1j])
def test_bounds_are_positive_numbers(fresh, bound):
    refused(fresh, BoundError, "'age' must be a positive number", {"bob": GOOD}, bounds={"age": bound})


@pytest.mark.parametrize("bound", [np.int64(8), np.uint8(5), np.float32(8), Fraction(9, 2), np.array(7)])
def test_bounds_are_numbers_of_any_kind(fresh, bound):
    frame = an.from_pandas(fresh, {"bob": GOOD}, bounds={"age": bound})
    assert dict(frame._dataset.facts.log2_bounds) == {"age": 3}


def test_bounds_are_by_column(fresh):
    for bounds in (3, [8], "age"):
        refused(fresh, InputError, "bounds must be a mapping from columns to numbers", {"bob": GOOD}, bounds=bounds)


def test_a_bound_just_beyond_a_power_of_two(fresh):
    frame = an.from_pandas(fresh, {"bob": GOOD}, bounds={"age": 2**60 + 1, "cost": 2**60 - 1})
    assert dict(frame._dataset.facts.log2_bounds) == {"age": 61, "cost": 60}


def test_bounds_of_other_columns(fresh):
    refused(fresh, ColumnError, "no such column", {"bob": GOOD}, bounds={"agee": 3})
    refused(fresh, ColumnError, "no numbers", {"bob": GOOD.assign(t="x")}, bounds={"t": 3})


def test_a_closed_session():
    with engine_of("two parties") as engine:
        frame = an.from_pandas(engine, {"bob": GOOD})
    with pytest.raises(SessionClosed):
        an.from_pandas(engine, {"bob": GOOD})
    with pytest.raises(SessionClosed):
        frame["age"].sum().reveal()
    with pytest.raises(SessionClosed):
        frame.share()
