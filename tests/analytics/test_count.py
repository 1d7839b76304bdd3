import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings

import analytics as an
from tests.analytics.conftest import both, numbers


@given(numbers)
@settings(max_examples=10)
def test_is_the_number_of_rows(engine, values):
    for column in both(engine, values):
        count = column.count().reveal()
        assert type(count) is int
        assert count == len(values) == len(column)


def test_where_no_value_is_missing_nothing_runs(fresh):
    held, shared = both(fresh, [1, 2, 3])
    fresh.jobs.clear()
    assert shared.count().reveal("carol") == held.count().reveal("carol") == 3
    assert not fresh.jobs


@pytest.mark.parametrize("lacking", [None, float("nan")])
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_missing_value_does_not_count(fresh, tmp_path, kind, lacking):
    """pandas counts values, not rows."""
    path = tmp_path / f"a.{kind}"
    columns = {"x": [1.5, lacking], "n": pa.array([None, 1]), "who": pa.array(["a", None]), "full": ["a", "b"]}
    table = pa.table(columns)
    pc.write_csv(table, path) if kind == "csv" else pq.write_table(table, path)
    frame = {"csv": an.read_csv, "parquet": an.read_parquet}[kind](fresh, {"bob": str(path)})
    for name in ("x", "n", "who"):
        fresh.jobs.clear()
        assert frame[name].count().reveal() == 1
        assert fresh.revealed() == [("driver", f"0: count (count of {name})")]
    assert frame["full"].count().reveal() == 2


def test_infinite_values_are_values(fresh, tmp_path):
    pq.write_table(pa.table({"x": [1.5, float("inf")]}), tmp_path / "a")
    assert an.read_parquet(fresh, {"bob": str(tmp_path / "a")})["x"].count().reveal() == 2
