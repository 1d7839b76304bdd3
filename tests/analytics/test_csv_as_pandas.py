"""CSV files of all sorts: kinds, rows and sums are those of pandas.read_csv on the same file."""

import bz2
import gzip
import io
import lzma
import zipfile

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.csv_options import dialect_of
from icm_ray.errors import ColumnError, NullError, SourceError
from icm_ray.owner.tables import Tables
from icm_ray.query.tasks import Aggregate, ColumnValues, CsvSource
from icm_ray.ring import wide
from icm_ray.ring.fixed import float_of_key, key_of_words

DEFAULTS = {
    "sep": ",",
    "decimal": ".",
    "encoding": "utf-8",
    **dict.fromkeys(("thousands", "na_values", "dtype", "true_values", "false_values", "comment", "skiprows")),
}


def opened(path, **options):
    tables = Tables(partition_bytes=1 << 16)
    source = CsvSource((str(path),), None, dialect_of(**DEFAULTS | options))
    return tables, tables.open("t", source)


def kind_in_pandas(column):
    """Nulls have no kind of their own in pandas: integers with some are floats, booleans objects."""
    present = column.dropna()
    if present.empty:
        return "null"
    if pd.api.types.is_bool_dtype(present) or all(isinstance(cell, bool) for cell in present):
        return "bool"
    kinds = {"i": "int", "u": "int", "f": "float"}
    return kinds.get(column.dtype.kind, "string")


def least(tables, column, kind):
    words = tables.make(Aggregate("t", column, tuple(range(len(tables.info("t").rows))), "min")).view(np.int64)
    key = key_of_words(*words.reshape(-1).tolist())
    return float_of_key(key) if kind == "float" else key


def hold_to_pandas(path, **options):
    """Rows, kinds, missing values, and the least value of every column of numbers."""
    tables, info = opened(path, **options)
    frame = pd.read_csv(path, **options)
    assert sum(info.rows) == len(frame)
    assert [column.name for column in info.columns] == list(frame)
    for column in info.columns:
        plain = frame[column.name]
        wanted = kind_in_pandas(plain)
        if wanted == "float" and column.kind == "int":  # pandas makes room for a null
            assert plain.isna().any()
            assert (plain.dropna() % 1 == 0).all()
        else:
            assert column.kind == wanted, column
        assert not column.fault
        parts = tuple(range(len(info.rows)))
        if plain.isna().any():
            for kind in ("count", "min") if column.kind in {"int", "float", "bool"} else ("count",):
                with pytest.raises(NullError, match="null"):
                    tables.make(Aggregate("t", column.name, parts, kind))
        elif column.kind in {"int", "float", "bool"} and np.isfinite(plain.astype(float)).all() and len(plain):
            assert least(tables, column.name, column.kind) == pytest.approx(
                float(plain.min()), rel=1e-15
            )  # pandas rounds
        elif len(plain):
            assert tables.make(Aggregate("t", column.name, parts, "count"))[0] == len(plain)


numerals = st.one_of(
    st.integers(-(2**40), 2**40).map(str),
    st.integers(0, 99).map(lambda number: f"{number:05d}"),
    st.integers(0, 99).map(lambda number: f"+{number}"),
    st.floats(-1e6, 1e6, allow_nan=False).map(repr),
    st.sampled_from(["5.", ".5", "1e5", "1E-3", "-0", "-0.0", " 7", "7 ", "inf", "-inf", "Infinity"]),
)
words = st.sampled_from(
    ["a", "x y", "TRUE", "True", "false", "0x1F", "1_0", "-", "2020-01-01", "12:30", "tru", "+", "1 2"]
)
nothing = st.sampled_from(["", "NA", "nan", "NULL", "None", "<NA>", "n/a"])
columns = st.one_of(
    st.lists(numerals, min_size=1, max_size=6),
    st.lists(st.one_of(numerals, nothing), min_size=1, max_size=6),
    st.lists(st.sampled_from(["True", "false", "TRUE"]), min_size=1, max_size=6),
    st.lists(st.one_of(numerals, words, nothing), min_size=1, max_size=6),
    st.lists(st.one_of(words, nothing), min_size=1, max_size=6),
)


@given(st.lists(columns, min_size=1, max_size=3))
@settings(max_examples=150)
@pytest.mark.slow
def test_cells_of_all_sorts(tmp_path_factory, cells):
    rows = min(map(len, cells))
    lines = [",".join(["row", *(f"c{number}" for number in range(len(cells)))])]
    lines += [",".join([str(row), *(column[row] for column in cells)]) for row in range(rows)]
    path = tmp_path_factory.mktemp("csv") / "a"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    hold_to_pandas(path)


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("a;b\n1,5;2\n-3;4\n", {"sep": ";", "decimal": ","}),
        ("a;b\n1.234,5;1.000\n2;3\n", {"sep": ";", "decimal": ",", "thousands": "."}),
        ("a\tb\n1,234\t2\n5\t6\n", {"sep": "\t", "thousands": ","}),
        ("a,b\n# said\n1,2#there\n3,4\n", {"comment": "#"}),
        ('a,b\n1,"x#y"\n2,"x\n#y"\n3,z\n', {"comment": "#"}),
        ("made by\n\na,b\n1,2\n", {"skiprows": 2}),
        ("a,b\nunit,unit\n1,2\n3,4\n", {"skiprows": [1]}),
        ("a,b\nyes,1\nno,2\n", {"true_values": ["yes"], "false_values": ["no"]}),
        ("a,b\n-99,1\n3,x\n", {"na_values": [-99, "x"]}),
        ("a,b\n-99.00,1\n3.5,-99\n", {"na_values": -99}),
        ("a,b\nunknown,1\n3,2\n", {"na_values": "unknown"}),
        ("zip,b\n01234,1\n99999,2\n", {"dtype": {"zip": str}}),
        ("zip,b\n01234,1\n", {"dtype": "str"}),
        ("a,b\n1,1\n2,2\n", {"dtype": {"a": "float64", "b": np.int32}}),
        ("größe,b\n1,ä\n", {"encoding": "latin-1"}),
        ("größe,b\n1,ä\n", {"encoding": "utf-16"}),
        ("größe,b\n1,€\n2,#\n", {"encoding": "cp1252", "comment": "#"} | {"sep": ","}),
        ("\ufeffa,b\n1,2\n", {}),
        ("\ufeffa,b\n1,2\n", {"comment": "#"}),
        (",a\n0,1\n1,2\n", {}),
        ("\n\na,b\r\n1,2\r\n\r\n3,4\r\n", {}),
        ("a,b\r1,2\r", {}),
        ("a\n1\n\n2\n", {}),
        ('a,b\n"1","2"\n"","x"\n', {}),
        ('a,b\n1,5" pipe\n2,y\n', {}),
        ('a,b\n1,"say ""so"""\n2,"two\nlines"\n', {}),
        ("a,b\n", {}),
        ("a,b", {}),
    ],
)
def test_settings(tmp_path, text, options):
    path = tmp_path / "a"
    path.write_bytes(text.encode(options.get("encoding", "utf-8")))
    hold_to_pandas(path, **options)


@pytest.mark.parametrize("late", ["1.5", "+7", "x", "-99.0", "", "1234567890123456789012"])
def test_late_cells_settle_the_type(tmp_path, late):
    path = tmp_path / "a"
    path.write_text("n,m\n" + "1,2\n" * 60_000 + f"{late},3\n", encoding="utf-8")
    options = {"na_values": [-99]} if late == "-99.0" else {}
    if late.startswith("123"):
        _, info = opened(path)
        assert "data row 60001 is an integer that a float would round" in info.columns[0].fault
        return
    hold_to_pandas(path, **options)


@pytest.mark.parametrize(
    ("cells", "row"),
    [(["-1", "12345678901234567890"], 2), (["1.5", "9007199254740993"], 2), (["123456789012345678901234567890"], 1)],
)
def test_integers_are_read_exactly_or_refused(tmp_path, cells, row):
    """Given a kind, one decides what is lost."""
    path = tmp_path / "a"
    path.write_text("n,m\n" + "".join(f"{cell},1\n" for cell in cells), encoding="utf-8")
    tables, _ = opened(path)
    for task in (
        Aggregate("t", "n", (0,), "sum"),
        ColumnValues("t", "n", 0, 0, 20),
        Aggregate("t", "n", (0,), "count"),
    ):
        with pytest.raises(ColumnError, match=f"a: column 'n': data row {row} is an integer that a float would round"):
            tables.make(task)
    assert tables.make(ColumnValues("t", "m", 0, 0, 20)).tolist() == [1] * len(cells)
    tables, info = opened(path, dtype={"n": float})
    assert (info.columns[0].kind, info.columns[0].fault) == ("float", "")
    assert opened(path, dtype={"n": str})[1].columns[0].kind == "string"
    exact = tmp_path / "exact"
    exact.write_text("n\n1.5\n9007199254740994\n", encoding="utf-8")
    assert not opened(exact)[1].columns[0].fault


def test_all_integers_of_64_bits(tmp_path):
    path = tmp_path / "a"
    ends = {"n": [2**64 - 1, 0], "m": [2**63 - 1, -(2**63)]}
    path.write_text("n,m\n" + "".join(f"{n},{m}\n" for n, m in zip(*ends.values(), strict=True)), encoding="utf-8")
    tables, info = opened(path)
    assert [(column.kind, column.fault) for column in info.columns] == [("int", "")] * 2
    for name, numbers in ends.items():
        assert [cell for block in tables._tables["t"].blocks(0, name) for cell in block.to_pylist()] == numbers


def test_a_given_kind_that_cells_are_not(tmp_path):
    path = tmp_path / "a"
    path.write_text("n,m\n1,1\nsecret,1\n", encoding="utf-8")
    for held, word in ((int, "int"), ("float32", "float"), (bool, "bool")):
        tables, _ = opened(path, dtype={"n": held})
        row = 1 if held is bool else 2
        with pytest.raises(ColumnError, match=f"data row {row} is no {word}, as dtype says") as caught:
            tables.make(Aggregate("t", "n", (0,), "sum"))
        assert "secret" not in str(caught.value)
    assert "data row 2 is no number" in opened(path)[1].columns[0].origin


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "an empty file; a line of column names is needed"),
        (b"a,b\n1,2\n4711,2,3\n", r"line 3 has 3 cells, more than the 2 of the header \(sep=','\)"),
        (b"a,b\n1,2\n4711\n", "line 3 has 1 cell, fewer than the 2"),
        (b'a,b\n1,"x\ny"\n4711\n', "line 4 has 1 cell"),
        (b'a,b\n1,2\n3,"4711\n5,6\n', "a quoted cell that begins after line 2 does not end"),
        ("a,b\n1,2\nä4711,2\n".encode("latin-1"), "line 3 is no utf-8; give its encoding="),
        (b"\x1f\x8b\x08broken4711", "cannot be read"),
        (b"PK\x03\x04broken4711", "a zip that cannot be unpacked"),
    ],
)
def test_messages_say_which_line_and_what_was_expected(tmp_path, content, words):
    (tmp_path / "bad").write_bytes(content)
    with pytest.raises(SourceError, match=words) as caught:
        opened(tmp_path / "bad")
    assert "bad" in str(caught.value)
    assert "4711" not in str(caught.value)


def test_lines_are_counted_in_the_file(tmp_path):
    (tmp_path / "bad").write_text("made by\n# c\na,b\n1,2\n3\n", encoding="utf-8")
    with pytest.raises(SourceError, match="line 5 has 1 cell"):
        opened(tmp_path / "bad", skiprows=1, comment="#")


TEXT = b"n,word\n" + b"".join(b"%d,w%d\n" % (number, number % 7) for number in range(30_000))


def packed(codec):
    if codec in {"zstd", "lz4"}:
        sink = pa.BufferOutputStream()
        with pa.CompressedOutputStream(sink, codec) as stream:
            stream.write(TEXT)
        return sink.getvalue().to_pybytes()
    if codec == "zip":
        sink = io.BytesIO()
        with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("inside.csv", TEXT)
        return sink.getvalue()
    half = len(TEXT) // 2
    return {
        "gzip": gzip.compress,
        "bz2": bz2.compress,
        "xz": lzma.compress,
        "gzip of two members": lambda text: gzip.compress(text[:half]) + gzip.compress(text[half:]),
        "plain": bytes,
    }[codec](TEXT)


@pytest.mark.parametrize("codec", ["plain", "gzip", "gzip of two members", "bz2", "xz", "zstd", "lz4", "zip"])
@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz"])
def test_files_are_unpacked_by_their_content(tmp_path, codec, name):
    (tmp_path / name).write_bytes(packed(codec))
    tables, info = opened(tmp_path / name)
    assert sum(info.rows) == 30_000
    assert len(info.rows) > 5
    total = tables.make(Aggregate("t", "n", tuple(range(len(info.rows))), "sum"))
    assert wide.to_integers(total) == [(30_000 * 29_999 // 2)]


@pytest.mark.parametrize("codec", ["gzip", "bz2", "xz", "zstd", "lz4", "zip"])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.95])
def test_files_that_were_cut_off_are_source_errors(tmp_path, codec, share):
    whole = packed(codec)
    (tmp_path / "cut").write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(SourceError, match="cut"):
        opened(tmp_path / "cut")


def test_zips_of_several_files_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("one.csv", TEXT)
        archive.writestr("two.csv", TEXT)
    with pytest.raises(SourceError, match="a zip with 2 files; one file"):
        opened(tmp_path / "a.zip")


def test_a_real_table(shared_data):
    hold_to_pandas(shared_data / "ham10000_metadata.csv")
    hold_to_pandas(shared_data / "ham10000_metadata.csv", na_values=["unknown"], dtype={"age": float, "sex": str})
