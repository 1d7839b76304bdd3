"""One kind for what several files, or owners, have in a column, where that loses nothing."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from icm_ray.owner.columns import kind_of
from icm_ray.query.kinds import PartColumns, agreed
from icm_ray.query.tasks import ColumnInfo


def joined(*kinds, rows=None):
    parts = [
        PartColumns(f"part{number}", (ColumnInfo("x", kind),), 1 if rows is None else rows[number])
        for number, kind in enumerate(kinds)
    ]
    (column,) = agreed(parts)
    return column


@pytest.mark.parametrize(
    ("kinds", "common"),
    [
        (("int", "int"), "int"),
        (("int", "float"), "float"),
        (("float", "int", "int"), "float"),
        (("null", "string"), "string"),
        (("int", "null", "float"), "float"),
        (("null", "null"), "null"),
        (("timestamp[ms]", "timestamp[us]"), "timestamp[us]"),
        (("timestamp[ns, tz=UTC]", "timestamp[s, tz=UTC]"), "timestamp[ns, tz=UTC]"),
    ],
)
def test_what_holds_both(kinds, common):
    assert joined(*kinds) == ColumnInfo("x", common)
    assert joined(*reversed(kinds)) == ColumnInfo("x", common)


@pytest.mark.parametrize(
    "kinds",
    [
        ("int", "string"),
        ("bool", "int"),
        ("float", "bool"),
        ("timestamp[s]", "timestamp[s, tz=UTC]"),
        ("binary", "string"),
    ],
)
def test_what_nothing_holds_is_a_fault_that_names_both(kinds):
    found = joined(*kinds)
    assert found.kind == "unequal"
    assert f"column 'x' is {kinds[0]} in part0 and {kinds[1]} in part1" in found.fault
    assert "columns=[...]" in found.fault


def test_the_part_that_settled_the_kind_is_named():
    assert "'x' is float in part1 and string in part2" in joined("int", "float", "string").fault


@given(st.lists(st.sampled_from(["int", "float", "null", "bool", "string"]), min_size=1, max_size=5))
def test_the_order_of_parts_changes_no_kind(kinds):
    assert joined(*kinds).kind == joined(*reversed(kinds)).kind == joined(*sorted(kinds)).kind


def test_parts_without_rows_have_no_say():
    assert joined("string", "int", rows=(0, 5)) == ColumnInfo("x", "int")
    lacking = PartColumns("empty", (), 0)
    assert agreed([lacking, PartColumns("full", (ColumnInfo("x", "int"),), 3)]) == (ColumnInfo("x", "int"),)
    assert joined("string", "int", rows=(0, 0)).kind == "unequal"


@pytest.mark.parametrize(
    ("held", "kind"),
    [
        (pa.uint64(), "int"),
        (pa.float16(), "float"),
        (pa.bool_(), "bool"),
        (pa.large_string(), "string"),
        (pa.string_view(), "string"),
        (pa.dictionary(pa.int8(), pa.string()), "string"),
        (pa.dictionary(pa.int32(), pa.large_string(), ordered=True), "string"),
        (pa.dictionary(pa.int8(), pa.int64()), "dictionary of int"),
        (pa.dictionary(pa.int32(), pa.int64()), "dictionary of int"),
        (pa.null(), "null"),
        (pa.duration("s"), "duration[s]"),
        (pa.decimal128(5, 2), "decimal128(5, 2)"),
    ],
)
def test_kinds_of_arrow_types(held, kind):
    assert kind_of(pa.field("x", held)) == kind


def test_an_extension_is_what_it_says_not_what_it_is_stored_as():
    stored = pa.field("x", pa.int64(), metadata={b"ARROW:extension:name": b"pandas.period"})
    assert kind_of(stored) == "pandas.period"
