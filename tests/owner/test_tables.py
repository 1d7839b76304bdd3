"""Tables of owners from Parquet, CSV and pushed streams: facts, values, aggregates, laziness, errors without values."""

from __future__ import annotations

import subprocess
import sys
import traceback

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
import pytest

from icm_ray.errors import BoundError, ColumnError, NullError, ProgramError, SourceError
from icm_ray.owner import parquet
from icm_ray.owner.tables import Tables
from icm_ray.owner.views import merged
from icm_ray.query.tasks import (
    Aggregate,
    ColumnInfo,
    ColumnValues,
    CsvSource,
    Given,
    ParquetSource,
    PushedSource,
    TableInfo,
)
from icm_ray.ring import wide
from icm_ray.ring.fixed import decode, decode_integers, words_of_key

ROWS = 5000
COLUMNS = (
    ColumnInfo("age", "int", nullable=False),
    ColumnInfo("cost", "float", nullable=False),
    ColumnInfo("ill", "bool", nullable=False),
    ColumnInfo("ward", "string", nullable=False),
)


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(11)
    return pa.table(
        {
            "age": rng.integers(-5, 97, ROWS),
            "cost": rng.lognormal(3, 1, ROWS),
            "ill": rng.random(ROWS) < 0.3,
            "ward": rng.choice(["north", "south"], ROWS),
        }
    )


def stream(table):
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def write(kind, table, path, row_group_size=700):
    if kind == "parquet":
        pq.write_table(table, path, row_group_size=row_group_size)
    else:
        pc.write_csv(table, path)


def source(kind, *paths, columns=None):
    made = ParquetSource if kind == "parquet" else CsvSource
    return made(tuple(str(path) for path in paths), columns)


def kinds(info):
    return [(column.name, column.kind) for column in info.columns]


def values(tables, column, f=0, bound=20, name="t"):
    parts = range(len(tables.info(name).rows))
    return np.concatenate([tables.make(ColumnValues(name, column, part, f, bound)) for part in parts])


@pytest.fixture(params=["parquet", "csv"])
def kind(request):
    return request.param


@pytest.fixture
def opened(kind, frame, tmp_path):
    """Two files, ten partitions or so."""
    write(kind, frame.slice(0, 3100), tmp_path / f"a.{kind}")
    write(kind, frame.slice(3100), tmp_path / f"b.{kind}")
    tables = Tables(partition_bytes=16_000)
    tables.open("t", source(kind, tmp_path / f"*.{kind}"))
    return tables


def test_facts(opened):
    info = opened.info("t")
    assert kinds(info) == kinds(TableInfo(COLUMNS, ()))
    assert sum(info.rows) == ROWS
    assert len(info.rows) > 5
    assert max(info.rows) * 24 <= 16_000


def test_values_are_exact(opened, frame):
    assert np.array_equal(decode_integers(values(opened, "age")), frame["age"].to_numpy())
    assert np.array_equal(decode_integers(values(opened, "age", f=10)), frame["age"].to_numpy() << 10)
    assert np.array_equal(decode_integers(values(opened, "ill")), frame["ill"].to_numpy())
    found = decode(values(opened, "cost", f=16), 16)
    assert np.abs(found - frame["cost"].to_numpy()).max() <= 2.0**-17


def test_partitions_in_any_order(opened, frame):
    parts = list(range(len(opened.info("t").rows)))
    starts = np.cumsum((0, *opened.info("t").rows))
    for part in [*parts[::-1], *parts[::3], parts[2], parts[2], *parts[1::3]]:
        for column in ("age", "ill"):
            found = opened.make(ColumnValues("t", column, part, 0, 20))
            expected = frame[column].to_numpy()[starts[part] : starts[part + 1]]
            assert np.array_equal(decode_integers(found), expected)


def test_aggregates_over_files(opened, frame):
    parts = tuple(range(len(opened.info("t").rows)))
    ages = frame["age"].to_numpy()
    assert wide.to_integers(opened.make(Aggregate("t", "age", parts, "sum"))) == [int(ages.sum())]
    assert wide.to_integers(opened.make(Aggregate("t", "age", parts, "squares"))) == [int((ages**2).sum())]
    assert np.array_equal(opened.make(Aggregate("t", "age", parts, "min")), words_of_key(int(ages.min())))
    costs, edges = frame["cost"].to_numpy(), (0.0, 10.0, 20.0, 40.0)
    counts = opened.make(Aggregate("t", "cost", parts, "histogram", edges))
    assert counts.tolist() == np.histogram(costs, edges)[0].tolist()
    some = opened.make(Aggregate("t", "age", (1, 3), "sum"))
    starts = np.cumsum((0, *opened.info("t").rows))
    expected = sum(int(ages[starts[part] : starts[part + 1]].sum()) for part in (1, 3))
    assert wide.to_signed(some) == [expected]


def test_columns_are_those_asked_for(kind, frame, tmp_path):
    write(kind, frame, tmp_path / "a")
    tables = Tables()
    info = tables.open("t", source(kind, tmp_path / "a", columns=("ill", "age")))
    assert (kinds(info), info.rows) == ([("ill", "bool"), ("age", "int")], (ROWS,))
    assert tables.has("t")
    tables.close("t")
    tables.close("t")
    assert not tables.has("t")


def test_lanes_see_the_same_table(kind, frame, tmp_path):
    write(kind, frame, tmp_path / "a")
    first, second = Tables(10_000), Tables(10_000)
    assert first.open("t", source(kind, tmp_path / "a")) == second.open("t", source(kind, tmp_path / "a"))


def test_home_and_relative_paths(kind, frame, tmp_path, monkeypatch):
    write(kind, frame.slice(0, 9), tmp_path / "a")
    write(kind, frame.slice(0, 9), tmp_path / "odd[1]")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for path in ("~/a", "a", "**/a", "odd[1]"):
        assert Tables().open("t", source(kind, path)).rows == (9,)
    assert sum(Tables().open("t", source(kind, "*", "a", "~/a")).rows) == 18  # no file twice


# --- pushed -------------------------------------------------------------------------------------------------------


def test_pushed_partitions(frame):
    lanes = [Tables(), Tables(), Tables()]
    pieces = [stream(frame.slice(start, 2000)) for start in (0, 2000, 4000)]
    lanes[0].receive("t", 3, ((part, pieces[part]) for part in (0, 2)))
    lanes[1].receive("t", 3, [(1, pieces[1])])
    lanes[2].receive("t", 3, [])
    infos = [held.info("t") for held in lanes]
    assert [info.rows for info in infos] == [(2000, 0, 1000), (0, 2000, 0), (0, 0, 0)]
    assert merged(infos) == TableInfo(COLUMNS, (2000, 2000, 1000))
    found = lanes[0].make(ColumnValues("t", "age", 2, 0, 20))
    assert np.array_equal(decode_integers(found), frame["age"].to_numpy()[4000:])
    for lane in (1, 2):
        with pytest.raises(ProgramError, match="not held"):
            lanes[lane].make(ColumnValues("t", "age", 2, 0, 20))


def test_pushed_partitions_are_checked(frame):
    piece = stream(frame)
    for pushed in ([(2, piece)], [(0, piece), (0, piece)], [(-1, piece)]):
        with pytest.raises(ProgramError, match="pushed"):
            Tables().receive("t", 2, pushed)
    with pytest.raises(SourceError, match="partition 1"):
        Tables().receive("t", 2, [(0, piece), (1, b"no stream")])
    info = Tables().receive("t", 2, [(0, piece), (1, stream(frame.drop_columns(["ward"])))])
    assert info.columns[:3] == COLUMNS[:3]
    assert info.columns[3].fault == "partition 1 has no column 'ward', which partition 0 has"


def test_merged_views_agree():
    with pytest.raises(ProgramError):
        merged([])
    with pytest.raises(ProgramError):
        merged([TableInfo(COLUMNS, (1,)), TableInfo(COLUMNS, (1, 2))])
    floats = TableInfo((ColumnInfo("age", "float"),), (1,))
    assert merged([TableInfo(COLUMNS[:1], (1,)), floats]) == TableInfo((ColumnInfo("age", "float"),), (2,))
    text = TableInfo((ColumnInfo("age", "string"),), (1,))
    assert (
        "'age' is int in lane 0 and string in lane 1" in merged([TableInfo(COLUMNS[:1], (1,)), text]).columns[0].fault
    )


# --- files that do not do -----------------------------------------------------------------------------------------


def test_missing_files(kind, tmp_path):
    for path in ("nothing.here", "*.nothing"):
        with pytest.raises(SourceError, match=path.replace("*", r"\*")):
            Tables().open("t", source(kind, tmp_path / path))
    with pytest.raises(SourceError, match="directory without files"):
        Tables().open("t", source(kind, tmp_path))
    with pytest.raises(SourceError):
        Tables().open("t", source(kind))


def test_unreadable_files_name_no_content(kind, tmp_path):
    damaged = {"parquet": b"PAR1 secret 4711 PAR1", "csv": b"a,b\n1,2\n4711,2,3\n"}[kind]
    for content in (damaged, b""):
        (tmp_path / "bad").write_bytes(content)
        tables = Tables()
        with pytest.raises(SourceError, match="bad") as caught:
            tables.open("t", source(kind, tmp_path / "bad"))
        assert "4711" not in "".join(traceback.format_exception(caught.value))
        assert not tables.has("t")


def test_no_rows_are_an_empty_part(kind, frame, tmp_path):
    write(kind, frame.slice(0, 0), tmp_path / "none")
    info = Tables().open("t", source(kind, tmp_path / "none"))
    assert (info.rows, [column.name for column in info.columns]) == ((), ["age", "cost", "ill", "ward"])
    write(kind, frame.slice(0, 3), tmp_path / "some")
    info = Tables().open("t", source(kind, tmp_path / "none", tmp_path / "some"))
    assert info.rows == (3,)
    assert kinds(info) == kinds(TableInfo(COLUMNS, ()))


def test_unknown_columns_list_what_there_is(kind, frame, tmp_path):
    write(kind, frame, tmp_path / "a")
    with pytest.raises(ColumnError, match=r"'wages'.*age, cost, ill, ward"):
        Tables().open("t", source(kind, tmp_path / "a", columns=("age", "wages")))
    with pytest.raises(ColumnError):
        Tables().open("t", source(kind, tmp_path / "a", columns=()))


@pytest.mark.parametrize(
    ("other", "column", "fault"),
    [
        ({"age": [1], "cost": ["x"]}, "cost", "'cost' is float in .*/a and string in .*/b.* make it the same kind"),
        ({"age": [1]}, "cost", "/b has no column 'cost', which .*/a has"),
        ({"age": [1], "cost": [0.5], "new": [1]}, "new", "/a has no column 'new', which .*/b has"),
    ],
)
def test_files_of_one_source_agree_on_what_is_used(kind, tmp_path, other, column, fault):
    write(kind, pa.table({"age": [1], "cost": [0.5]}), tmp_path / "a")
    write(kind, pa.table(other), tmp_path / "b")
    tables = Tables()
    info = tables.open("t", source(kind, tmp_path / "a", tmp_path / "b"))
    assert info.rows == (2,)
    for task in (Aggregate("t", column, (0,), "sum"), ColumnValues("t", column, 0, 0, 20)):
        with pytest.raises(ColumnError, match=fault):
            tables.make(task)
    assert wide.to_integers(tables.make(Aggregate("t", "age", (0,), "sum"))) == [2]
    assert Tables().open("t", source(kind, tmp_path / "a", tmp_path / "b", columns=("age",))).rows == (2,)


def test_columns_twice_are_refused_when_used(kind, tmp_path):
    write(kind, pa.table([[1], [2], [3]], names=["a", "a", "b"]), tmp_path / "a")
    tables = Tables()
    tables.open("t", source(kind, tmp_path / "a"))
    with pytest.raises(ColumnError, match="'a' is there twice"):
        tables.make(Aggregate("t", "a", (0,), "sum"))
    assert tables.make(ColumnValues("t", "b", 0, 0, 20)).tolist() == [3]


def test_changed_files_are_found(kind, frame, tmp_path):
    write(kind, frame, tmp_path / "a")
    tables = Tables()
    tables.open("t", source(kind, tmp_path / "a"))
    values(tables, "age")
    write(kind, frame.slice(7), tmp_path / "a")
    with pytest.raises(SourceError, match="changed"):
        values(tables, "age")


# --- values that do not do ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [None, float("nan"), float("inf"), float("-inf")])
def test_nulls_are_refused(bad):
    column = pa.array([4711.5, bad], pa.float64())
    tables = Tables()
    tables.receive("t", 1, [(0, stream(pa.table({"cost": column})))])
    for task in (ColumnValues("t", "cost", 0, 16, 20), Aggregate("t", "cost", (0,), "sum")):
        with pytest.raises(NullError, match="cost") as caught:
            tables.make(task)
        assert "4711" not in str(caught.value)


def test_nulls_of_integers_and_booleans_are_refused(kind, tmp_path):
    table = pa.table({"n": pa.array([1, None]), "b": pa.array([True, None]), "x": pa.array([1.5, 2.5])})
    write(kind, table, tmp_path / "a")
    tables = Tables()
    assert [column.kind for column in tables.open("t", source(kind, tmp_path / "a")).columns] == [
        "int",
        "bool",
        "float",
    ]
    for column in ("n", "b"):
        with pytest.raises(NullError, match=column):
            tables.make(Aggregate("t", column, (0,), "max"))
    assert tables.make(ColumnValues("t", "x", 0, 1, 10)).tolist() == [3, 5]


def test_text_is_no_number(opened):
    with pytest.raises(ColumnError, match=r"ward.*string"):
        opened.make(ColumnValues("t", "ward", 0, 0, 20))
    with pytest.raises(ColumnError, match="wages"):
        opened.make(Aggregate("t", "wages", (0,), "sum"))


def test_bounds_are_kept_without_telling_values():
    tables = Tables()
    tables.receive("t", 1, [(0, stream(pa.table({"cost": [4711.0], "n": [4711]})))])
    for column in ("cost", "n"):
        with pytest.raises(BoundError, match=column) as caught:
            tables.make(ColumnValues("t", column, 0, 16, 12))
        assert "4711" not in str(caught.value)


def test_tasks_that_fit_no_table(opened):
    for task in (
        ColumnValues("other", "age", 0, 0, 20),
        ColumnValues("t", "age", 4711, 0, 20),
        ColumnValues("t", "age", -1, 0, 20),
        Aggregate("other", "age", (0,), "sum"),
        Aggregate("t", "age", (0,), "median"),
        Given(),
    ):
        with pytest.raises(ProgramError):
            opened.make(task)
    with pytest.raises(ProgramError):
        opened.info("other")
    with pytest.raises(ProgramError):
        opened.open("t", PushedSource(1))


def test_number_types(tmp_path):
    types = [pa.int8(), pa.uint8(), pa.int16(), pa.uint32(), pa.int64(), pa.uint64(), pa.float16(), pa.float32()]
    table = pa.table(
        {str(held): pa.array(np.array([0, 1, 100]).astype(held.to_pandas_dtype()), held) for held in types}
    )
    table = table.append_column("when", pa.array([1, 2, 3], pa.timestamp("ms")))
    table = table.append_column("kind", pa.array(["a", "b", "a"]).dictionary_encode())
    pq.write_table(table, tmp_path / "a")
    tables = Tables()
    info = tables.open("t", ParquetSource((str(tmp_path / "a"),)))
    assert [column.kind for column in info.columns[:8]] == ["int"] * 6 + ["float"] * 2
    assert info.columns[8].kind == "timestamp[ms]"
    assert info.columns[9].kind == "string"
    for held in types:
        assert tables.make(ColumnValues("t", str(held), 0, 3, 10)).tolist() == [0, 8, 800]
        floats = pa.types.is_floating(held)
        total = tables.make(Aggregate("t", str(held), (0,), "sum"))
        assert wide.to_integers(total) == [101 << wide.GRID * floats]
    for column in ("when", "kind"):
        with pytest.raises(ColumnError, match=column):
            tables.make(Aggregate("t", column, (0,), "sum"))


@pytest.mark.parametrize(
    ("whole", "exact"),
    [(2**53 + 2, True), (-(2**60), True), (2**53 + 1, False), (-(2**53) - 1, False), (2**63 - 1, False)],
)
def test_integers_of_a_column_of_floats_are_never_rounded(whole, exact, tmp_path):
    pq.write_table(pa.table({"x": [1, whole]}), tmp_path / "a")
    tables = Tables()
    tables.open("t", ParquetSource((str(tmp_path / "a"),)))
    task = Aggregate("t", "x", (0,), "sum", read_as="float")
    if exact:
        assert wide.to_signed(tables.make(task)) == [(whole + 1) << wide.GRID]
    else:
        with pytest.raises(ColumnError, match="would be rounded"):
            tables.make(task)


# --- CSV's own ----------------------------------------------------------------------------------------------------


def test_csv_types_are_widened_by_later_lines(tmp_path):
    head = b"n,x,late,text\n" + b"1,1,,1\n" * 300_000
    (tmp_path / "a").write_bytes(head + b'2,1.5,7,"one\ntwo"\n')
    tables = Tables()
    info = tables.open("t", source("csv", tmp_path / "a"))
    assert [column.kind for column in info.columns] == ["int", "float", "int", "string"]
    assert info.rows == (300_001,)
    assert wide.to_integers(tables.make(Aggregate("t", "x", (0,), "sum"))) == [600_003 << wide.GRID - 1]


def test_csv_headers_need_utf8(tmp_path):
    (tmp_path / "a").write_bytes("größe\n1\n".encode("latin1"))
    with pytest.raises(SourceError, match="line 1 is no utf-8; give its encoding="):
        Tables().open("t", source("csv", tmp_path / "a"))


# --- cost ---------------------------------------------------------------------------------------------------------


def test_parquet_reads_only_what_is_needed(frame, tmp_path, monkeypatch):
    pq.write_table(frame, tmp_path / "a", row_group_size=1000)
    asked = []
    plain = parquet._Parquet.batches

    def watched(self, piece, columns):
        asked.append((piece.group.number, tuple(columns)))
        return plain(self, piece, columns)

    monkeypatch.setattr(parquet._Parquet, "batches", watched)
    tables = Tables(partition_bytes=24_000)
    tables.open("t", source("parquet", tmp_path / "a", columns=("age", "cost", "ill")))
    assert asked == []
    tables.make(ColumnValues("t", "age", 3, 0, 20))
    tables.make(Aggregate("t", "age", (3,), "sum"))  # kept
    assert asked == [(3, ("age",))]


def test_csv_partitions_in_order_take_one_pass(frame, tmp_path, monkeypatch):
    from icm_ray.owner import delimited

    pc.write_csv(frame, tmp_path / "a")
    passes = []
    plain = delimited._Csv.batches

    def watched(self, piece, columns):
        passes.append(piece.start)
        return plain(self, piece, columns)

    monkeypatch.setattr(delimited._Csv, "batches", watched)
    tables = Tables(partition_bytes=10_000)
    rows = tables.open("t", source("csv", tmp_path / "a")).rows
    assert len(rows) > 10
    for part in range(0, len(rows), 2):  # a lane's share of partitions, two columns of each
        tables.make(Aggregate("t", "age", (part,), "sum"))
        tables.make(Aggregate("t", "cost", (part,), "sum"))
    assert len(passes) == 1


def test_a_failed_read_leaves_the_table_usable(tmp_path):
    table = pa.table({"n": pa.array([*range(99), None]), "m": range(100)})
    pc.write_csv(table, tmp_path / "a")
    tables = Tables(partition_bytes=400)
    tables.open("t", source("csv", tmp_path / "a"))
    last = len(tables.info("t").rows) - 1
    for _ in range(2):
        with pytest.raises(NullError):
            tables.make(ColumnValues("t", "n", last, 0, 20))
        assert decode_integers(tables.make(ColumnValues("t", "m", last, 0, 20)))[-1] == 99


def test_importing_tables_imports_no_arrow():
    code = "import sys, icm_ray.owner.tables; sys.exit('pyarrow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


def test_representations_hold_no_values(opened):
    opened.make(ColumnValues("t", "age", 0, 0, 20))
    text = repr(opened) + repr(opened._tables["t"])
    assert "array" not in text
    assert msgspec.json.encode(opened.info("t"))  # facts alone
