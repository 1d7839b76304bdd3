"""Discrete noise has the distribution that it is named after, at any scale, and is a function of its key."""

import math
from collections import Counter
from fractions import Fraction

import pytest

from icm_ray.ring.discrete_noise import UniformNumbers, discrete_gaussian, discrete_laplace
from icm_ray.ring.prg import Key

DRAWS = 3000


def numbers(seed=1):
    return UniformNumbers(Key(bytes([seed]) * 16))


def gaussian(variance):
    return lambda x: math.exp(-(x**2) / (2 * variance))


def laplace(scale):
    return lambda x: math.exp(-abs(x) / scale)


@pytest.mark.parametrize(
    ("draw", "argument", "mass"),
    [
        (discrete_gaussian, Fraction(1, 4), gaussian(0.25)),
        (discrete_gaussian, Fraction(25, 4), gaussian(6.25)),
        (discrete_laplace, Fraction(1, 2), laplace(0.5)),
        (discrete_laplace, Fraction(7, 3), laplace(7 / 3)),
    ],
)
def test_frequencies_are_those_of_the_distribution(draw, argument, mass):
    """Chi-squared over the values that are expected ten times or more: below its mean and five deviations."""
    source = numbers()
    found = Counter(draw(source, argument) for _ in range(DRAWS))
    weights = {x: mass(x) for x in range(-60, 61)}
    expected = {x: DRAWS * weight / sum(weights.values()) for x, weight in weights.items()}
    common = [x for x, count in expected.items() if count >= 10]
    distance = sum((found[x] - expected[x]) ** 2 / expected[x] for x in common)
    assert distance < len(common) + 5 * math.sqrt(2 * len(common))
    rare = DRAWS - sum(found[x] for x in common)
    assert abs(rare - (DRAWS - sum(expected[x] for x in common))) < 5 * math.sqrt(DRAWS / 100) + 5


@pytest.mark.parametrize("draw", [discrete_gaussian, discrete_laplace])
def test_scales_far_beyond_doubles(draw):
    scale = Fraction(10) * 2**1074
    argument, expected = (scale**2, 1.0) if draw is discrete_gaussian else (scale, math.sqrt(2))
    source = numbers(2)
    drawn = [draw(source, argument) for _ in range(300)]
    assert len({value % 2**1000 for value in drawn}) == 300, "low bits are drawn too"
    spread = math.sqrt(sum(float(value / scale) ** 2 for value in drawn) / 300)
    assert 0.8 * expected < spread < 1.2 * expected


def test_a_key_gives_the_same_numbers_again():
    one, same, other = (
        [discrete_gaussian(source, Fraction(100)) for _ in range(20)] for source in map(numbers, (3, 3, 4))
    )
    assert one == same != other


def test_uniform_numbers_reach_every_value():
    source = numbers(5)
    assert {source.below(5) for _ in range(200)} == set(range(5))
    assert source.below(1) == 0
