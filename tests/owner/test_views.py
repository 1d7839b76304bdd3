"""What workers of several lanes saw of one table: equal views are one table, others are refused with both places."""

import pytest

from icm_ray.errors import SourceError
from icm_ray.owner.tables import Tables
from icm_ray.owner.views import one_view
from icm_ray.query.tasks import ColumnInfo, CsvSource, FileInfo, TableInfo

PLACES = ("lane 0 (10.0.0.1)", "lane 1 (10.0.0.2)", "lane 2 (10.0.0.3)")
AGE = (ColumnInfo("age", "int"),)
SEEN = TableInfo(AGE, (2000, 2000), (FileInfo("/data/a.csv", 9000, 10**18, 4000),))


def file(**changed):
    return FileInfo(**{"path": "/data/a.csv", "size": 9000, "modified": 10**18, "rows": 4000} | changed)


def test_equal_views_are_one_table():
    assert one_view([SEEN], PLACES[:1]) == SEEN
    copied = TableInfo(AGE, (2000, 2000), (file(modified=10**18 + 999_999),))  # a file system that keeps fewer digits
    assert one_view([SEEN, copied, SEEN], PLACES) == SEEN


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (TableInfo(AGE, (36000,), (file(rows=36000, size=81000),)), "/data/a.csv: 4000 rows on {0}, 36000 rows on {2}"),
        (TableInfo(AGE, (2000, 2000), (file(size=9001),)), "/data/a.csv: 9000 bytes on {0}, 9001 bytes on {2}"),
        (
            TableInfo(AGE, (2000, 2000), (file(modified=10**18 + 10**9),)),
            "/data/a.csv: modified at .* on {0}, at .* on {2}",
        ),
        (TableInfo(AGE, (2000, 2000), (file(), file(path="/data/b.csv"))), "/data/b.csv: there on {2}, not on {0}"),
        (TableInfo(AGE, (2000, 2000), ()), "/data/a.csv: there on {0}, not on {2}"),
        (TableInfo(AGE, (4000,), (file(),)), r"4000 rows in 2 partitions on {0} and 4000 rows in 1 partitions on {2}"),
        (TableInfo((ColumnInfo("age", "float"),), (2000, 2000), (file(),)), "unequal columns"),
    ],
)
def test_views_that_differ_name_the_file_and_both_places(other, words):
    escaped = [place.replace("(", r"\(").replace(")", r"\)") for place in PLACES]
    with pytest.raises(SourceError, match=words.format(*escaped)) as caught:
        one_view([SEEN, SEEN, other], PLACES)
    assert caught.value.where["places"] == (PLACES[0], PLACES[2])


def test_files_are_told_as_they_were_read(tmp_path):
    (tmp_path / "a.csv").write_text("age\n1\n2\n", encoding="utf-8")
    info = Tables().open("t", CsvSource((str(tmp_path / "*.csv"),)))
    status = (tmp_path / "a.csv").stat()
    assert info.files == (FileInfo(str(tmp_path / "a.csv"), status.st_size, status.st_mtime_ns, 2),)
