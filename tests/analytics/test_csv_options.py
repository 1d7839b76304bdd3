"""Settings of pandas.read_csv: taken as pandas takes them, or refused by name before anything is read."""

import numpy as np
import pandas as pd
import pytest

import analytics as an
from analytics.csv_options import dialect_of
from icm_ray.errors import InputError
from tests.analytics.test_csv_as_pandas import DEFAULTS


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"sep": None}, "sep must be one ASCII character, not None"),
        ({"sep": r"\s+"}, "sep must be one ASCII character"),
        ({"decimal": ""}, "decimal must be"),
        ({"sep": ",", "thousands": ","}, "the same character"),
        ({"comment": "//"}, "comment must be one"),
        ({"encoding": "latin-99"}, "encoding='latin-99' is unknown"),
        ({"encoding": 3}, "encoding=3"),
        ({"na_values": {"a": ["x"]}}, "na_values hold for all columns"),
        ({"na_values": [None]}, "na_values must be words and numbers, not None"),
        ({"dtype": {"a": "complex"}}, "dtype of 'a' must be int, float, bool or str, not 'complex'"),
        ({"dtype": "datetime64[ns]"}, "dtype must be"),
        ({"dtype": {"a": pd.Timestamp}}, "dtype of 'a'"),
        ({"true_values": "yes"}, "true_values must be a list of words"),
        ({"false_values": [0]}, "false_values must be"),
        ({"skiprows": -1}, "skiprows must be"),
        ({"skiprows": "2"}, "skiprows must be"),
        ({"skiprows": lambda row: row > 2}, "skiprows must be"),
        ({"skiprows": True}, "skiprows must be"),
    ],
)
def test_what_cannot_be_is_refused_by_name(fresh, options, words):
    with pytest.raises(InputError, match=words):
        an.read_csv(fresh, {"bob": "/nowhere.csv"}, **options)


@pytest.mark.parametrize(
    ("held", "kind"),
    [
        *((held, "int") for held in (int, "int", "int64", "Int64", np.int8, np.dtype("uint16"), pd.Int32Dtype())),
        *((held, "float") for held in (float, "float32", "Float64", np.float64, pd.Float32Dtype())),
        *((held, "bool") for held in (bool, "boolean", np.bool_, pd.BooleanDtype())),
        *((held, "string") for held in (str, "str", object, "object", "category", "string", pd.StringDtype())),
        (pd.CategoricalDtype(), "string"),
    ],
)
def test_kinds_as_pandas_names_them(held, kind):
    assert dialect_of(**DEFAULTS | {"dtype": {"a": held}}).given("a") == kind
    assert dialect_of(**DEFAULTS | {"dtype": held}).given("a") == kind


def test_missing_values_are_words_and_numbers():
    dialect = dialect_of(**DEFAULTS | {"na_values": ["x", -9, 2.5, np.int64(7)]})
    assert dialect.na_numbers == (-9.0, 2.5, 7.0)
    assert {"x", "-9", "-9.0", "2.5", "7", "", "NA"} <= set(dialect.nulls)


def test_lines_to_skip():
    for given, found in (
        (None, (0, ())),
        (2, (2, ())),
        ([0, 3], (0, (0, 3))),
        (range(2), (0, (0, 1))),
        ({1}, (0, (1,))),
    ):
        dialect = dialect_of(**DEFAULTS | {"skiprows": given})
        assert (dialect.skiprows, dialect.skip_lines) == found


def test_what_is_not_taken_says_what_to_write():
    for option, words in (("usecols", "columns="), ("parse_dates", "an.to_datetime"), ("quotechar", "docstring")):
        with pytest.raises(InputError, match=f"read_csv takes no {option}=; .*{words}"):
            an.read_csv(None, {"alice": "a.csv"}, **{option: ["a"]})
