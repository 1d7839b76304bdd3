"""Results as one table for who did not ask: names, rows and kinds follow from the question."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest

from icm_ray.errors import InputError
from icm_ray.owner.result_parquet import parquet_of
from icm_ray.query.expressions.tree import EVERY_ROW, apply, literal
from icm_ray.query.question import Asked, Question
from icm_ray.query.result_table import asked_in_words, check_deliverable, result_table
from icm_ray.query.selection import Selection
from icm_ray.query.statistics.count import Count
from icm_ray.query.statistics.group_keys import GroupKeys
from icm_ray.query.statistics.histogram import Histogram
from icm_ray.query.statistics.mean import Mean
from icm_ray.query.statistics.minmax import MinMax
from icm_ray.query.statistics.most import Most
from icm_ray.query.statistics.quantile import Quantile
from icm_ray.query.statistics.sum import Sum
from icm_ray.query.tasks import GroupKey
from icm_ray.query.withheld import Withheld, masked_counts
from tests.query.facts import SHARES, SHARING, VISITS, WARD

OLD = apply("greater_equal", ("age", literal(65)))
GROUPS = Selection("visits", OLD, (GroupKey("ward", ("A", "B")), GroupKey("age", edges=(0, 50, 100))))


def asked(*statistics, selections=()):
    return Asked(Question(statistics, "bob", tuple(selections)), (VISITS, SHARES))


def table_of(question, results):
    check_deliverable(question)
    return pd.read_parquet(io.BytesIO(parquet_of(result_table(question, results))))


def test_numbers_are_columns_of_one_row():
    question = asked(Sum("visits", "age"), Mean("visits", "cost"), Sum("visits", "age"), MinMax("visits", "ok"))
    table = table_of(question, [1 << 70, Withheld("too few"), -3, 1])
    assert list(table.columns) == ["sum of age", "mean of cost", "sum of age (2)", "max of ok"]
    assert [int(table.iat[0, 0]), int(table.iat[0, 2]), bool(table.iat[0, 3])] == [1 << 70, -3, True]
    assert table["max of ok"].dtype == "bool"
    assert np.isnan(table.iat[0, 1])
    assert result_table(question, [0, Withheld("too few"), 0, 0]).withheld == ("too few",)
    assert asked_in_words(question).endswith("max of ok, of 14 rows of alice and 7 rows of dora")


def test_groups_that_have_rows_are_rows():
    name = GROUPS.name
    question = asked(Count(name, EVERY_ROW), Sum(name, "cost"), selections=[GROUPS])
    table = table_of(question, [np.array([3, 0, 5, 7]), [1.5, 0.0, Withheld("few"), 2.5]])
    assert list(table.index) == [("A", "[0, 50)"), ("B", "[0, 50)"), ("B", "[50, 100]")]
    assert table["number of rows"].tolist() == [3, 5, 7]
    assert table["sum of cost"].isna().tolist() == [False, True, False]
    assert asked_in_words(question).startswith("number of rows, sum of cost by ward, age where age >= 65")


def test_bins_and_lists_of_values_are_rows():
    counts = masked_counts(np.array([4, 0]), np.array([False, True]), "few in it")
    table = table_of(asked(Histogram("visits", "age", edges=(0, 50, 100))), [(counts, np.array([0, 50, 100]))])
    assert table["count"].isna().tolist() == [False, True]
    assert table[["from", "to"]].values.tolist() == [[0, 50], [50, 100]]
    table = table_of(asked(Most(SHARING.into, "age", n=3)), [[9, 8, 8]])
    assert table["3 largest of age"].tolist() == [9, 8, 8]


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        (asked(Quantile("visits", "age")), "step by step"),
        (asked(Most("visits", "age", n=5)), "step by step"),
        (asked(Sum("visits", "age"), Histogram("visits", "age", edges=(0, 50))), "several forms"),
        (asked(Sum(GROUPS.name, "age"), Sum("visits", "age"), selections=[GROUPS]), "several forms"),
    ],
)
def test_what_is_not_one_table_is_refused(question, reason):
    with pytest.raises(InputError, match=reason):
        check_deliverable(question)


def test_keys_that_are_private_come_in_order():
    private = Selection("visits", private=WARD)
    question = asked(Count(private.name, EVERY_ROW), GroupKeys(private.name, "ward"), selections=[private])
    table = table_of(question, [np.array([2, 0, 3]), ["b", None, "a"]])
    assert table["number of rows"].to_dict() == {"a": 3, "b": 2}
