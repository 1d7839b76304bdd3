"""What is computed of opened results, whatever type their numbers are of."""

import numpy as np
import pytest

from analytics.from_sql.table import Step, Table
from icm_ray.query.expressions.tree import apply, literal
from icm_ray.query.tasks import ColumnInfo


@pytest.mark.timeout(20)  # whether a number of numpy is in a range is found by counting
def test_numbers_of_numpy():
    table = Table((ColumnInfo("n", "int"),), ((np.int64(3), None, np.int64(5)),), 3)
    assert table.to_pandas()["n"].tolist()[::2] == [3, 5]
    twice = table.then(Step((("twice", apply("multiply", ("n", literal(2)))),), order=(("n", True, False),)))
    assert twice.values == ((10, 6, None),)


def test_sums_beyond_64_bits():
    table = Table((ColumnInfo("n", "int"),), ((1 << 70, 1),), 2)
    assert table.to_pandas()["n"].tolist() == [1 << 70, 1]
    half = table.then(Step((("half", apply("divide", ("n", literal(2)))),)))
    assert half.values == ((2.0**69, 0.5),)
