"""A policy's rules: defaults, what cannot be, TOML files with errors that name rule and line."""

import math

import msgspec
import pytest

from icm_ray.errors import InputError
from icm_ray.policy import OPERATIONS, Noise, Policy
from icm_ray.query.statistics.catalogue import Statistic

SEVERAL = {
    "minmax": {"min", "max"},
    "most": {"nlargest", "nsmallest"},
    "variance": {"var", "std"},
    "covariance": {"cov", "corr"},
    "distinct": {"nunique", "mode"},
    "distinct_in_groups": {"nunique"},
    "group_keys": {"count"},
    "quantile": {"median", "quantile"},
    "shape": {"skew", "kurt"},
}
"""What a statistic of several kinds of output is called, by its tag."""


def test_defaults():
    assert Policy().min_rows == 10
    assert Policy().forbids("min").endswith("ask for quantile(0.05)")
    assert all(Policy().forbids(name) is None for name in ("count", "sum", "mean", "std", "histogram", "quantile"))


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        ({"min_rows": 2}, "min_rows is 2; it has to be a whole number from 3 on"),
        ({"min_rows": True}, "min_rows is True"),
        ({"min_rows": 10.0}, "min_rows is 10.0"),
        ({"min_rows": 2**41}, "2.40 at most"),
        ({"operations": ("count", "avg")}, "operations is 'avg'; it has to be names of count, sum"),
        ({"operations": "count"}, "operations is 'count'; it has to be a tuple of names"),
        ({"recipients": ("bob", 3)}, "recipients is"),
        ({"hide_zeros": 1}, "hide_zeros is 1; it has to be true or false"),
        ({"residual_df": 0}, "residual_df is 0"),
        ({"noise": 2}, "noise is 2; it has to be an icm.Noise"),
    ],
)
def test_what_cannot_be(rules, says):
    with pytest.raises(InputError, match=says):
        Policy(**rules)
    with pytest.raises(msgspec.ValidationError):
        msgspec.msgpack.decode(msgspec.msgpack.encode(rules), type=Policy)


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("min_rows = 20\nminrows = 3\n", 2, "there is no rule 'minrows'; there are"),
        ('# rows\n\nmin_rows = "ten"', 3, "min_rows is 'ten'"),
        ('operations = [\n  "count",\n  "avg",\n]', 1, "operations is 'avg'"),
        ("min_rows = 20\nrecipients = [", 2, "no TOML"),
        ("[min_rows]\nk = 3", 1, "min_rows is {'k': 3}"),
        ("[noise]\nscale = 1\nkind = 'loud'", 3, "of kind gaussian or laplace"),
        ("noise = { scale = 0 }", 1, "of a scale from 1/1024"),
        ("\nnoise = 3", 2, "noise is 3; it has to be a table of kind, scale, bounds"),
        ("[noise]\nscale = 0.0001", 2, "noise is 0.0001; it has to be of a scale from 1/1024 to 2.30"),
        ("min_rows = 9\n[noise]\nscale = 1\nbounds = { cost = 3 }", 4, "with bounds = { column"),
    ],
)
def test_a_file_with_a_fault_is_refused_by_rule_and_line(tmp_path, text, line, says):
    path = tmp_path / "visits.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=says) as error:
        Policy.from_toml(path)
    assert error.value.where["line"] == line
    assert f"line {line}: " in str(error.value)


def test_a_file_says_what_python_says(tmp_path):
    path = tmp_path / "visits.toml"
    path.write_text('min_rows = 20\nrecipients = ["bob"]\noperations = ["count", "min"]\nhide_zeros = true\n')
    assert Policy.from_toml(path) == Policy(
        min_rows=20, recipients=("bob",), operations=("count", "min"), hide_zeros=True
    )
    path.write_text("")
    assert Policy.from_toml(str(path)) == Policy()
    with pytest.raises(InputError, match="cannot be read"):
        Policy.from_toml(tmp_path / "nowhere.toml")


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        ({"kind": "uniform", "scale": 1}, "'uniform'; it has to be of kind gaussian or laplace or cell_key"),
        ({"kind": "cell_key", "scale": 20}, "from 1/4 to 16 and without bounds"),
        ({"kind": "cell_key", "scale": 2, "bounds": (("x", 0, 1),)}, "without bounds where it is of cell keys"),
        ({"scale": math.nan}, "noise is nan"),
        ({"scale": True}, "noise is True"),
        ({"scale": 1, "bounds": {"cost": (0, 1)}}, "with bounds in a tuple"),
        ({"scale": 1, "bounds": (("cost", 0),)}, "once for each name"),
        ({"scale": 1, "bounds": (("cost", 0, 1), ("cost", 0, 2))}, "once for each name"),
        ({"scale": 1, "bounds": (("cost", 1, 1),)}, "the least below the largest"),
        ({"scale": 1, "bounds": (("cost", 0, 10**400),)}, "finite bounds"),
    ],
)
def test_noise_that_cannot_be(rules, says):
    with pytest.raises(InputError, match=says):
        Noise(**rules)


def test_noise_from_a_file_and_over_a_wire(tmp_path):
    path = tmp_path / "visits.toml"
    path.write_text(
        'name = "visits"\n[noise]\nkind = "laplace"\nscale = 2\nbounds = { cost = [0, 1000], age = [0, 120] }\n'
    )
    stated = Noise(kind="laplace", scale=2, bounds=(("cost", 0, 1000), ("age", 0, 120)))
    policy = Policy.from_toml(path)
    assert policy == Policy(name="visits", noise=stated)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(policy), type=Policy) == policy
    assert "each party adds laplace noise of scale 2 to counts and to sums and means, of cost, age" in " ".join(
        policy.in_words()
    )
    assert stated.within("age") == (0, 120)
    assert stated.within("x") is None


def test_every_statistic_can_be_named():
    """Whoever writes a policy finds each kind of output in the vocabulary."""
    for statistic in Statistic.__args__:
        tag = statistic.__struct_config__.tag
        names = SEVERAL.get(tag, {tag})
        assert names <= set(OPERATIONS), f"{tag} is missing in icm_ray.policy.OPERATIONS"


def test_fewest():
    policy = Policy(min_rows=5)
    assert policy.fewest("mean") == 5
    assert policy.fewest("std", lost=0) == 10
    assert policy.fewest("quantile", fraction=0.5) == 10
    assert policy.fewest("quantile", fraction=0.9) == 50
    assert policy.fewest("quantile", fraction=0.0) == policy.fewest("quantile", fraction=1.0) > 10**9
