"""Skewness, kurtosis, standard errors, covariance and correlation: pandas' on the pooled rows, and exact beyond it."""

import math
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import analytics as an
import icm_ray as icm
from icm_ray.errors import ColumnError, InputError
from icm_ray.query.withheld import Withheld
from tests.analytics.conftest import numbers, split
from tests.analytics.test_any_scale import HARD, doubles, signed, unsigned

ONE = ("sem", "skew", "kurt")
SHAPES = ("skew", "kurt")
PLAIN = {"skew": pd.Series.skew, "kurt": pd.Series.kurt, "sem": pd.Series.sem}


def exact_moments(values):
    """N, and the sums of the second, third and fourth powers of distances to the mean."""
    plain = [Fraction(value) for value in np.asarray(values).tolist()]
    mean = sum(plain) / len(plain)
    return len(plain), *(sum((value - mean) ** power for value in plain) for power in (2, 3, 4))


def held_to(query, squared, sign=1):
    """The result is within its bound of a number that is given as its square, and as its sign."""
    result = query.reveal()
    bound = Fraction(query.error.at(result))
    assert bound <= abs(Fraction(result)) / 2**51 + Fraction(1, 2**1073)
    size = Fraction(result) * sign
    assert max(size - bound, 0) ** 2 <= squared <= (size + bound) ** 2, (result, float(squared))


@given(st.one_of(numbers, doubles, signed, unsigned))
@settings(max_examples=10)
def test_shape_is_exact_whatever_the_scale(engine, values):
    column = split(engine, values)["x"]
    n, second, third, fourth = exact_moments(values)
    skew, kurt, sem = column.skew(), column.kurt(), column.sem()
    if n < 3 or not second:
        assert math.isnan(skew.reveal())
    else:
        held_to(skew, Fraction(n * n * (n - 1)) * third**2 / ((n - 2) ** 2 * second**3), 1 if third >= 0 else -1)
    if n < 4 or not second:
        assert math.isnan(kurt.reveal())
    else:
        exact = Fraction(n * (n + 1) * (n - 1), (n - 2) * (n - 3)) * fourth / second**2
        exact -= Fraction(3 * (n - 1) ** 2, (n - 2) * (n - 3))
        result = kurt.reveal()
        assert abs(Fraction(result) - exact) <= Fraction(kurt.error.at(result))
    if n > 1 and second < Fraction(np.finfo(float).max) ** 2:
        held_to(sem, second / (n * (n - 1)))


@pytest.mark.parametrize("statistic", ONE)
def test_is_what_pandas_finds(engine, statistic):
    rng = np.random.default_rng(7)
    for values in (rng.gamma(2.0, size=200), rng.integers(-50, 1000, 99), rng.random(40) < 0.3):
        found = getattr(split(engine, values)["x"], statistic)().reveal()
        plain = pd.Series(values)
        expected = getattr(plain if plain.dtype != bool else plain.astype(int), statistic)()
        assert found == pytest.approx(expected, rel=1e-11)


rows = st.lists(
    st.tuples(
        st.one_of(st.none(), st.floats(-1e6, 1e6)),
        st.integers(-(2**31), 2**31),
        st.one_of(st.none(), st.floats(-10, 10)),
        st.booleans(),
    ),
    min_size=1,
    max_size=15,
)
COLUMNS = ("x", "n", "y", "b")


def frames(given_rows):
    columns = list(zip(*given_rows, strict=True)) or [()] * len(COLUMNS)
    kinds = ("float64", "int64", "float64", "bool")
    return pd.DataFrame(
        {name: pd.Series(list(c), dtype=kind) for name, c, kind in zip(COLUMNS, columns, kinds, strict=True)}
    )


def two_owners(engine, one, other, **stated):
    first, second = frames([(1.5, 3, -2.5, True), *one]), frames(other)
    held = an.from_pandas(engine, dict(zip(engine.everyone, (first, second), strict=False)), **stated)
    return held, pd.concat([first, second], ignore_index=True)


def exact_pair(plain, one, other):
    """N, C = N Sxy - Sx Sy and both V, over the rows where both have a value."""
    pairs = plain[[one, other]].dropna() if one != other else plain[[one]].dropna()
    xs, ys = ([Fraction(value) for value in pairs[name].tolist()] for name in (one, other))
    n = len(xs)
    centred = [
        n * sum(a * b for a, b in zip(u, v, strict=True)) - sum(u) * sum(v) for u, v in ((xs, ys), (xs, xs), (ys, ys))
    ]
    return n, *centred


PAIRS = [("x", "y"), ("x", "n"), ("n", "b"), ("n", "n"), ("y", "b")]


def hold_columns(x, y, exact, *, rounded=False):
    """Covariance and correlation of two columns to those of `exact_pair`; rounded: correlations say what they are."""
    n, both, first, second = exact
    cov, corr = x.cov(y), x.corr(y)
    found, scaled = icm.reveal(cov, corr)
    if n < 2:
        assert math.isnan(found)
        assert math.isnan(scaled)
        return
    assert abs(Fraction(found) - both / (n * (n - 1))) <= Fraction(cov.error.at(found))
    if rounded:
        assert math.isnan(scaled) or -1 <= scaled <= 1
        return
    if not first or not second:
        assert math.isnan(scaled)
        return
    held_to(corr, both**2 / (first * second), 1 if both >= 0 else -1)
    assert -1 <= scaled <= 1


def hold_pair(engine, names, one, other):
    held, plain = two_owners(engine, one, other)
    hold_columns(*(held[name] for name in names), exact_pair(plain, *names))


@pytest.mark.parametrize("names", PAIRS, ids="-".join)
@given(one=rows, other=rows)
@settings(max_examples=4)
@pytest.mark.few(3)
def test_pairs_are_exact(pair, names, one, other):
    hold_pair(pair, names, one, other)


@given(names=st.sampled_from(PAIRS), one=rows, other=rows)
@settings(max_examples=5)
def test_pairs_of_more_owners_and_lanes(engine, names, one, other):
    hold_pair(engine, names, one, other)


def test_of_far_numbers_where_pandas_loses_digits(fresh):
    x = np.array([1e15, 1e15 + 1, 1e15 + 2, 1e15 + 4])
    held = an.from_pandas(fresh, {"alice": pd.DataFrame({"x": x[:2], "y": [1.0, 2.0]}),
                                  "bob": pd.DataFrame({"x": x[2:], "y": [3.0, 5.0]})})  # fmt: skip
    assert held["x"].corr(held["y"]).reveal() == 1.0
    assert held["x"].cov(held["y"]).reveal() == np.cov([0, 1, 2, 4], [1, 2, 3, 5])[0, 1]


@pytest.mark.parametrize("values", HARD.values(), ids=HARD)
def test_a_column_with_itself(fresh, values):
    column = split(fresh, values)["x"]
    cov, var, corr = icm.reveal(column.cov(column), column.var(), column.corr(column))
    assert cov == var
    assert corr == 1.0


def test_of_chosen_rows_and_of_few_of_them(fresh):
    values = np.arange(20.0)
    frame = pd.DataFrame({"x": values, "y": values**2, "ill": values < 6})
    held = an.from_pandas(
        fresh,
        {"alice": frame[:10], "bob": frame[10:]},
        policy=icm.Policy(min_rows=3, largest=100, two_largest=100, residual_df=6),
    )
    well, few = held[~held["ill"]], held[held["ill"]]
    plain = frame[~frame["ill"]]
    assert well["x"].corr(well["y"]).reveal() == pytest.approx(plain["x"].corr(plain["y"]), rel=1e-12)
    assert well["y"].skew().reveal() == pytest.approx(plain["y"].skew(), rel=1e-12)
    for query in (few["x"].corr(few["y"]), few["y"].kurt(), few["x"].sem()):
        assert isinstance(query.reveal(), Withheld)


@given(
    one=rows,
    other=rows,
    bounds=st.sampled_from([{"x": 2**20, "y": 10}, {"x": 2**20, "y": 2**35, "n": 2**36}]),
    old=st.booleans(),
)
@settings(max_examples=4)
@pytest.mark.slow
def test_of_shares(pair, one, other, bounds, old):
    """Of whole numbers exact, else within what is stated."""
    held, plain = two_owners(pair, one, other, bounds=bounds)
    shared = held.share()
    if old:
        shared, plain = shared[shared["n"] >= 0], plain[plain["n"] >= 0]
    for names in PAIRS[1:4]:
        hold_columns(
            *(shared[name] for name in names), exact_pair(plain, *names), rounded=not {"x", "y"}.isdisjoint(names)
        )


@pytest.mark.slow
def test_of_shares_beside_pandas(pair):
    rng = np.random.default_rng(3)
    parts = [pd.DataFrame({"x": rng.gamma(2.0, size=n), "n": rng.integers(-(2**30), 2**30, n)}) for n in (300, 211)]
    for part in parts:
        part.loc[::5, "x"] = np.nan
    plain = pd.concat(parts, ignore_index=True)
    shared = an.from_pandas(pair, dict(zip(pair.everyone, parts, strict=False))).share()
    some, those = shared[shared["n"] > 0], plain[plain["n"] > 0]
    x, kurt = shared["x"], shared["n"].kurt()
    found = icm.reveal(x.skew(), kurt, some["x"].kurt(), some["n"].skew(), some["x"].corr(some["n"]))
    of = [plain["x"].skew(), plain["n"].kurt(), those["x"].kurt(), those["n"].skew(), those["x"].corr(those["n"])]
    assert found == pytest.approx(of, rel=1e-3)
    assert found[1::2] == pytest.approx(of[1::2], rel=1e-12)
    assert abs(found[0] - of[0]) < x.skew().error.at(found[0])


def test_what_does_not_vary_has_no_shape(pair):
    """Neither a number nor zero, held or shared: as pandas has it."""
    plain = pd.DataFrame({"x": [2.5] * 5, "n": [7] * 5, "g": [1] * 5})
    held = an.from_pandas(pair, {pair.everyone[0]: plain})
    shared = held.share()
    found = icm.reveal(*(getattr(frame[c], name)() for frame in (held, shared) for c in "xn" for name in SHAPES))
    of = [getattr(plain[c], name)() for c in "xn" for name in SHAPES]
    assert np.isnan(of).all()
    assert np.isnan(found).all()
    groups = icm.reveal(*(getattr(held.groupby("g", domain=[1])["x"], name)() for name in SHAPES))
    assert np.isnan(groups).all()


def test_no_sum_of_powers_is_opened(fresh):
    column = split(fresh, np.arange(9.0))["x"]
    fresh.jobs.clear()
    icm.reveal(column.skew(), column.kurt(), column.cov(column), column.corr(column))
    opened = [name for _, name in fresh.revealed()]
    assert [name.split(":")[1].split()[0] for name in opened] == ["V", "W", "V", "K", "C", "C", "Vx", "Vy"]


def test_what_cannot_be_is_refused_before_anything_is_asked(fresh):
    frame = pd.DataFrame({"x": [1.0, 2.0], "ward": ["a", "b"], "n": [1, 2]})
    held, other = (an.from_pandas(fresh, {"alice": frame}) for _ in range(2))
    shared = held[["x", "n"]].share()
    fresh.jobs.clear()
    for refused, error, says in (
        (held["ward"].skew, ColumnError, "holds string, and no numbers"),
        (lambda: held["x"].corr(held["ward"]), ColumnError, "holds string, and no numbers"),
        (lambda: held["x"].cov(other["x"]), InputError, "different frames"),
        (lambda: held["x"].cov(held[held["x"] > 1]["x"]), InputError, "different rows"),
        (lambda: held["x"].cov(3), InputError, "another column"),
        (lambda: held["x"].cov(held["n"], ddof=-1), InputError, "ddof"),
        (lambda: held["x"].sem(ddof=0.5), InputError, "ddof"),
        (lambda: shared["x"].corr(held["x"]), InputError, "different frames"),
    ):
        with pytest.raises(error, match=says):
            refused()
    assert not fresh.jobs
