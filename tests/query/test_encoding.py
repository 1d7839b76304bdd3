import pytest

from icm_ray.errors import BoundError
from icm_ray.query.secret_rows import encoding_for
from icm_ray.query.tasks import ColumnInfo


def test_fractional_bits_make_room_for_the_bound():
    cost, age, ok = ColumnInfo("cost", "float"), ColumnInfo("age", "int"), ColumnInfo("ok", "bool")
    assert encoding_for(cost, None, 2**23, 16, 20).f == 16
    assert encoding_for(cost, 30, 2**20, 16, 20).f == 10
    assert encoding_for(cost, None, 2**26, 16, 20).f == 14
    assert [encoding_for(cost, bound, 2**10, 16, 20).f for bound in (21, 20, 19, 0, -19)] == [16, 16, 17, 36, 55]
    assert encoding_for(cost, -1074, 2**10, 16, 20).f == 480
    assert encoding_for(age, None, 2**29, 16, 20).bound == 31
    assert encoding_for(ok, None, 2**40, 16, 20).bound == 0
    for column in (cost, age):
        with pytest.raises(BoundError, match=f"column '{column.name}'.*bounds="):
            encoding_for(column, 41, 2**20, 16, 20)
