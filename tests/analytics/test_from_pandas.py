import unicodedata
from fractions import Fraction

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import analytics as an
from icm_ray.errors import BoundError, ColumnError, InputError, NullError, OwnerError, SessionClosed
from icm_ray.runtime.driver import lane_engine
from icm_ray.transport import TransportConfig
from tests.analytics.conftest import SETUPS, engine_of, maybe_slow

GOOD = pd.DataFrame({"age": [1, 2, 3], "cost": [1.0, 2.0, 3.0]})


def refused(fresh, error, match, sources, **settings):
    before = len(fresh.jobs)
    with pytest.raises(error, match=match) as caught:
        an.from_pandas(fresh, sources, **settings)
    assert len(fresh.jobs) == before
    return caught.value


@pytest.mark.parametrize("at", [0, 99])
def test_a_partition_too_large_for_a_link_is_refused_before_it_is_sent(monkeypatch, at):
    """Texts are far longer than those that partitions were cut by."""
    text = ["a"] * 100
    text[at] = "a" * 20_000
    frame = pd.DataFrame({"x": np.arange(100), "text": text})
    with engine_of("two parties, two lanes", partition_bytes=400) as engine:
        sent = []
        send = engine._send
        monkeypatch.setattr(engine, "_send", lambda *given: (sent.append(len(given[-1])), send(*given))[1])
        monkeypatch.setattr(lane_engine, "transport_config", lambda _: TransportConfig(max_message_bytes=10_000))
        with pytest.raises(
            InputError, match=r"^alice: partition \d+ of \d+ takes 2\d{4} bytes .* 10000 at most"
        ) as caught:
            an.from_pandas(engine, {"alice": frame})
        assert "partition_bytes below 400" in str(caught.value)
        assert "read_parquet" in str(caught.value)
        assert (caught.value.where["owner"], caught.value.where["limit"]) == ("alice", 10_000)
        assert caught.value.where["bytes"] > 20_000
        assert all(size <= 10_000 for size in sent)
        assert an.from_pandas(engine, {"alice": frame[["x"]]})["x"].sum().reveal() == 4950


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


@pytest.mark.parametrize("setup", [maybe_slow(setup, setup) for setup in SETUPS])
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


def used(fresh, error, match, sources, column="age"):
    """The frame is made, its other column can be used, and this one is refused when it is."""
    frame = an.from_pandas(fresh, sources)
    with pytest.raises(error, match=match) as caught:
        frame[column].sum().reveal()
    with pytest.raises(error, match=match):
        frame[[column]].share()
    assert not fresh.kept()
    (other,) = {"age", "cost"} - {column}
    assert frame[other].min().reveal() == 1
    return caught.value


def test_an_owner_without_rows_is_an_empty_part(fresh):
    frame = an.from_pandas(fresh, {"alice": GOOD, "bob": GOOD.iloc[:0], "carol": pd.DataFrame({"age": []})})
    assert frame.owners == {"alice": 3, "bob": 0, "carol": 0}
    assert frame.dtypes == {"age": "int", "cost": "float"}
    assert frame["age"].sum().reveal() == frame.share()["age"].sum().reveal() == 6
    assert frame["cost"].count().reveal() == 3


def test_nobody_has_rows(fresh):
    refused(fresh, OwnerError, "no rows: alice, bob bring none", {"alice": GOOD.iloc[:0], "bob": GOOD.iloc[:0]})


def test_a_column_that_an_owner_lacks(fresh):
    error = used(fresh, ColumnError, "bob has no column 'age', which alice has", {"alice": GOOD, "bob": GOOD[["cost"]]})
    assert error.where["column"] == "age"


def test_an_extra_column_is_in_nobodys_way(fresh):
    frame = an.from_pandas(fresh, {"alice": GOOD, "bob": GOOD.assign(z=1)})
    assert frame.columns == ("age", "cost")
    assert "z" not in frame
    assert "(z: alice has no column 'z', which bob has)" in repr(frame)
    assert frame.share()["age"].sum().reveal() == 12
    with pytest.raises(ColumnError, match="alice has no column 'z', which bob has"):
        frame["z"]


@pytest.mark.parametrize("kind", ["bool", "str"])
def test_kinds_that_nothing_holds_name_both(fresh, kind):
    mixed = GOOD.assign(age=GOOD.age.astype(kind))
    sources = {"alice": GOOD, "carol": mixed}
    used(fresh, ColumnError, "'age' is int with alice and .* with carol.*columns=", sources)
    frame = an.from_pandas(fresh, sources)
    assert frame.dtypes["age"] == "unequal"
    with pytest.raises(ColumnError, match="'age' is int with alice"):
        frame.share()


def test_integers_and_floats_are_floats(fresh):
    halves = GOOD.assign(age=[0.5, 1.5, 2.5])
    for sources in ({"alice": GOOD, "bob": halves}, {"alice": halves, "carol": GOOD}):
        frame = an.from_pandas(fresh, sources)
        pooled = pd.concat([rows["age"] for rows in sources.values()])
        assert frame.dtypes["age"] == "float"
        for column in (frame["age"], frame[["age"]].share()["age"]):
            for verb in ("sum", "mean", "std", "min", "max"):
                assert getattr(column, verb)().reveal() == pytest.approx(getattr(pooled, verb)(), rel=1e-4)
            assert column.histogram([0, 1, 2, 3]).reveal()[0].tolist() == [1, 2, 3]


def test_integers_that_no_float_holds_are_refused(fresh):
    large = GOOD.assign(age=[1, 2, 2**53 + 1])
    halves = GOOD.assign(age=[0.5, 1.5, 2.5])
    used(fresh, ColumnError, "bob: column 'age' is int here and float elsewhere", {"alice": halves, "bob": large})
    fits = an.from_pandas(fresh, {"alice": halves, "bob": GOOD.assign(age=[1, 2, 2**53 + 2])})
    assert fits["age"].max().reveal() == 2.0**53 + 2


def test_a_column_of_nothing_fits_any_kind(fresh):
    for nothing in ([None] * 3, [np.nan] * 3, pd.array([None] * 3, "Int64")):
        empty = GOOD.assign(age=nothing)
        frame = an.from_pandas(fresh, {"alice": GOOD, "bob": empty})
        assert frame.dtypes["age"] == "int"
        assert frame["age"].mean().reveal() == GOOD["age"].mean()


@pytest.mark.parametrize("bad", [np.inf, -np.inf])
def test_infinite_values(fresh, bad):
    sources = {"alice": GOOD, "carol": GOOD.assign(cost=[1.0, bad, 2.0])}
    error = used(fresh, NullError, "carol: column 'cost'", sources, "cost")
    assert error.where == {"owner": "carol", "column": "cost"}


def test_nulls_of_nullable_integers(fresh):
    frame = an.from_pandas(fresh, {"bob": GOOD.assign(age=pd.array([1, None, 2], dtype="Int64"))})
    assert frame["age"].sum().reveal() == 3
    assert frame.share()["age"].mean().reveal() == 1.5


def test_values_of_different_types(fresh):
    mixed = GOOD.assign(age=pd.Series([1, "two", 3.0], dtype=object))
    used(fresh, ColumnError, "bob: column 'age' .* different types", {"bob": mixed})
    refused(fresh, ColumnError, "'age' .* different types", {"bob": mixed[["age"]]})
    used(fresh, ColumnError, "complex128", {"bob": GOOD.assign(age=1j)})


def test_names_that_are_there_twice(fresh):
    frame = an.from_pandas(fresh, {"bob": pd.concat([GOOD, GOOD[["age"]]], axis=1)})
    with pytest.raises(ColumnError, match="'age' is there twice"):
        frame["age"]
    assert frame["cost"].sum().reveal() == 6.0
    one, other = unicodedata.normalize("NFC", "größe"), unicodedata.normalize("NFD", "größe")
    with pytest.raises(ColumnError, match="is there twice"):
        an.from_pandas(fresh, {"bob": pd.DataFrame({one: [1], other: [2], "x": [3]})})[one]


def test_names_in_two_forms_are_one_column(fresh):
    one, other = (unicodedata.normalize(form, "größe") for form in ("NFC", "NFD"))
    assert one != other
    frame = an.from_pandas(fresh, {"alice": pd.DataFrame({one: [1]}), "bob": pd.DataFrame({other: [2]})}, {other: 4})
    assert frame[one].sum().reveal() == frame[[other]].share()[one].sum().reveal() == 3
    assert one in frame
    assert other in frame


def test_names_that_are_integers_are_text(fresh):
    frame = an.from_pandas(fresh, {"bob": pd.DataFrame([[1, 2]]), "alice": pd.DataFrame({"0": [3], "1": [4]})}, {0: 8})
    assert frame.columns == ("0", "1")
    assert frame["0"].sum().reveal() == 4
    refused(fresh, ColumnError, "text or integers, not 1.5", {"bob": pd.DataFrame({1.5: [1]})})
    refused(fresh, ColumnError, "join its levels", {"bob": pd.DataFrame({("a", "b"): [1]})})
    refused(fresh, ColumnError, "no columns", {"bob": pd.DataFrame(index=[1, 2])})


def test_series_dicts_and_sparse_columns(fresh):
    sparse = pd.DataFrame({"age": pd.arrays.SparseArray([0, 0, 3]), "cost": pd.arrays.SparseArray([0.0, np.nan, 1.0])})
    frame = an.from_pandas(fresh, {"alice": pd.Series([1, 2], name="age"), "bob": {"age": [3, 4]}, "carol": sparse})
    assert frame.columns == ("age",)
    assert frame["age"].sum().reveal() == 13
    assert an.from_pandas(fresh, {"bob": pd.Series([1, 2])})["0"].sum().reveal() == 3
    assert an.from_pandas(fresh, {"bob": sparse})["cost"].mean().reveal() == 0.5
    refused(fresh, InputError, "'bob': a dict must hold columns of one length", {"bob": {"a": [1], "b": [1, 2]}})
    refused(fresh, InputError, "'bob': a dict must hold columns", {"bob": {"a": 1}})


class Stream:
    """As polars and duckdb offer their tables."""

    def __init__(self, table):
        self.table = table

    def __arrow_c_stream__(self, requested_schema=None):
        return self.table.__arrow_c_stream__(requested_schema)


class Batch:
    """As a record batch is offered."""

    def __init__(self, batch):
        self.batch = batch

    def __arrow_c_array__(self, requested_schema=None):
        return self.batch.__arrow_c_array__(requested_schema)


@pytest.mark.parametrize("rows", [1, 3000])
def test_whatever_offers_an_arrow_stream(rows):
    table = pa.table(
        {
            "n": pa.array(range(rows), pa.uint8() if rows < 256 else pa.uint16()),
            "text": pa.array(["é"] * rows).dictionary_encode(),
        }
    )
    view = table.set_column(1, "text", table["text"].cast(pa.string()).cast(pa.string_view()))
    with engine_of("two parties, two lanes", partition_bytes=8000) as engine:
        batch = table.combine_chunks().to_batches()[0]
        for source in (table, view, Stream(table), Batch(batch), table.to_reader()):
            frame = an.from_pandas(engine, {"bob": source, "alice": pd.DataFrame({"n": [5], "text": ["x"]})})
            assert frame.dtypes == {"n": "int", "text": "string"}
            assert frame["n"].sum().reveal() == rows * (rows - 1) // 2 + 5
            assert frame["text"].count().reveal() == rows + 1


def test_arrow_streams_that_do_not_do(fresh):
    def breaking():
        yield pa.record_batch({"n": [1]})
        raise OSError("the cable")

    reader = pa.RecordBatchReader.from_batches(pa.schema({"n": pa.int64()}), breaking())
    refused(fresh, InputError, "'bob': the Arrow stream of RecordBatchReader", {"bob": reader})
    refused(
        fresh, InputError, "'bob': the Arrow stream of Stream is no table", {"bob": Stream(pa.chunked_array([[1]]))}
    )
    refused(fresh, ColumnError, "no columns", {"bob": pa.table({})})
    frame = an.from_pandas(fresh, {"bob": pa.table([[1], [2], [3]], names=["a", "a", "b"])})
    with pytest.raises(ColumnError, match="bob: column 'a' is there twice"):
        frame["a"]
    assert frame["b"].sum().reveal() == 3


def test_periods_and_intervals_are_no_numbers(fresh, tmp_path):
    periods = pd.DataFrame({"n": [1, 2], "month": pd.period_range("2020-01", periods=2, freq="M")})
    periods["between"] = pd.interval_range(0, 2)
    pq.write_table(pa.Table.from_pandas(periods[["n", "month"]]), tmp_path / "a")
    for frame in (
        an.from_pandas(fresh, {"bob": periods}),
        an.read_parquet(fresh, {"bob": str(tmp_path / "a")}),
        an.from_pandas(fresh, {"bob": pa.Table.from_pandas(periods)}),
    ):
        assert "period" in frame.dtypes["month"]
        with pytest.raises(ColumnError, match=r"'month' holds .*period"):
            frame["month"].sum()
        assert frame["month"].count().reveal() == 2
        assert frame["n"].sum().reveal() == 3


def test_what_is_no_frame(fresh):
    refused(fresh, InputError, "'bob': a pandas.DataFrame, a Series, .* is needed, not list", {"bob": [1, 2]})
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
