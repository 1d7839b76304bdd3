"""Directories whose names hold columns, against pandas.read_parquet on the same directory."""

import pandas as pd
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
import pytest

from icm_ray.errors import ColumnError, NullError
from icm_ray.owner.tables import Tables
from icm_ray.query.tasks import Aggregate, ColumnValues, CsvSource, ParquetSource
from icm_ray.ring import wide
from icm_ray.ring.fixed import decode_integers

FRAME = pd.DataFrame(
    {
        "year": [2019, 2019, 2020, 2020, 2021] * 40,
        "ward": ["north", "a/b c", "north", "größe", "north"] * 40,
        "cost": range(200),
        "note": list("abcde") * 40,
    }
)


@pytest.fixture
def folder(tmp_path):
    FRAME.to_parquet(tmp_path / "visits", partition_cols=["year", "ward"])
    (tmp_path / "visits" / "_SUCCESS").write_text("", encoding="utf-8")
    (tmp_path / "visits" / ".hidden").write_text("no table", encoding="utf-8")
    return tmp_path / "visits"


def total(tables, column):
    parts = tuple(range(len(tables.info("t").rows)))
    return wide.to_integers(tables.make(Aggregate("t", column, parts, "sum")))[0]


@pytest.mark.parametrize("ending", ["", "/year=*", "/**/*.parquet"])
def test_columns_in_names_of_directories(folder, ending):
    tables = Tables(partition_bytes=300)
    info = tables.open("t", ParquetSource((f"{folder}{ending}",)))
    plain = pd.read_parquet(folder)
    assert {column.name: column.kind for column in info.columns} == {
        "cost": "int",
        "note": "string",
        "year": "int",
        "ward": "string",
    }
    assert set(plain) == {column.name for column in info.columns}
    assert sum(info.rows) == len(plain) == 200
    assert len(info.rows) > 4
    assert total(tables, "cost") == plain["cost"].sum()
    assert total(tables, "year") == plain["year"].astype(int).sum()
    parts = tuple(range(len(info.rows)))
    assert tables.make(Aggregate("t", "ward", parts, "count"))[0] == 200
    years = [decode_integers(tables.make(ColumnValues("t", "year", part, 0, 12))) for part in parts]
    assert sorted(year for part in years for year in part) == sorted(FRAME["year"])
    with pytest.raises(ColumnError, match="numbers are needed, and its type is string"):
        total(tables, "ward")


def test_some_years_and_some_columns(folder):
    tables = Tables()
    info = tables.open("t", ParquetSource((f"{folder}/year=2020",), ("year", "cost")))
    assert [(column.name, column.kind) for column in info.columns] == [("year", "int"), ("cost", "int")]
    assert total(tables, "year") == 2020 * 80
    tables.open("t", ParquetSource((f"{folder}/year=2020",), ("year",)))
    assert total(tables, "year") == 2020 * 80
    with pytest.raises(ColumnError, match="no column 'month'; there are cost, note, year, ward"):
        tables.open("t", ParquetSource((str(folder),), ("month",)))


def test_csv_below_directories(tmp_path):
    for year in (2019, 2020):
        below = tmp_path / f"year={year}" / "part=__HIVE_DEFAULT_PARTITION__"
        below.mkdir(parents=True)
        pc.write_csv(pa.table({"cost": [1, 2, 3], "part": ["x", "y", "z"]}), below / "a.csv")
    for columns in (None, ("year",), ("year", "cost")):
        tables = Tables()
        info = tables.open("t", CsvSource((str(tmp_path),), columns))
        assert sum(info.rows) == 6
        assert total(tables, "year") == 3 * (2019 + 2020)
    tables.open("t", CsvSource((str(tmp_path),)))
    with pytest.raises(NullError, match="'part' has null"):
        tables.make(Aggregate("t", "part", (0,), "count"))


def test_names_of_directories_that_are_not_all_integers_are_text(tmp_path):
    for name in ("2019", "unknown"):
        (tmp_path / f"year={name}").mkdir()
        pq.write_table(pa.table({"n": [1]}), tmp_path / f"year={name}" / "a")
    (year,) = (c for c in Tables().open("t", ParquetSource((str(tmp_path),))).columns if c.name == "year")
    assert year.kind == "string"


def test_a_nameless_index_is_no_column_unless_it_is_asked_for(tmp_path):
    path = tmp_path / "a"
    FRAME[["cost"]].sample(frac=1, random_state=0).to_parquet(path)
    assert [column.name for column in Tables().open("t", ParquetSource((str(path),))).columns] == ["cost"]
    tables = Tables()
    tables.open("t", ParquetSource((str(path),), ("__index_level_0__",)))
    assert total(tables, "__index_level_0__") == FRAME["cost"].sum()
