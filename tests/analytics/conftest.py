"""Engines that every test of the frame runs over, and how results are compared."""

from __future__ import annotations

import math
from collections import defaultdict
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import strategies as st

import analytics as an
from icm_ray.config import EngineConfig
from icm_ray.runtime.carriers.threads import ThreadEngine
from tests.analytics.derived_once import derive_once
from tests.inside import parties_of

SETUPS = {
    "two parties": (("alice", "bob"), (), 1),
    "two parties, two lanes": (("alice", "bob"), (), 2),
    "three parties, an owner outside": (("alice", "bob", "carol"), ("dora",), 1),
    "three parties, an owner outside, two lanes": (("alice", "bob", "carol"), ("dora",), 2),
}
BETWEEN = {"two parties, two lanes", "three parties, an owner outside"}
"""What these go through, the least and the most of them go through together: for runs that have time."""


MOST = "three parties, an owner outside, two lanes"
ONE_OF = 12


@pytest.hookimpl(tryfirst=True)  # before -m chooses
def pytest_collection_modifyitems(items):
    """Of the tests of each file every twelfth runs in the largest setup, the first one among them; the others, and
    cases of a test that has a `few` quick ones, where slow tests run: nothing depends on a verb and a setup together
    that does not show in one of them.
    """
    here, seen = Path(__file__).parent, defaultdict(dict)
    for item in items:
        if here in item.path.parents and MOST in item.name:
            functions = seen[item.path]
            if functions.setdefault(item.originalname, len(functions)) % ONE_OF:
                item.add_marker(pytest.mark.slow)


def maybe_slow(name, setup):
    """A parameter of tests that run in a setup."""
    return pytest.param(name, marks=pytest.mark.slow if setup in BETWEEN else ())


@pytest.fixture(scope="package", autouse=True)
def _derived_once():
    with pytest.MonkeyPatch.context() as patch:
        derive_once(patch)
        yield


class Recording(ThreadEngine):
    """Counts what reaches the lanes: jobs, and what is opened by name."""

    def __init__(self, *setup, **settings):
        super().__init__(*setup, **settings)
        self.jobs = []

    def execute(self, jobs):
        self.jobs += jobs
        return super().execute(jobs)

    @property
    def everyone(self):
        return (*self.parties, *self.owners)

    def revealed(self):
        """(recipient, what) of every reveal so far."""
        ops = [node.op for job in self.jobs for node in job.program.nodes]
        return [(op.to, op.name) for op in ops if type(op).__name__ == "Reveal"]

    def kept(self):
        """Names of what parties keep."""
        return {key for lane in range(self.lanes) for party in parties_of(self, lane).values() for key in party.store}


def engine_of(setup, **settings):
    """partition_bytes is small, so that a few rows make several partitions, in every lane."""
    return Recording(*SETUPS[setup], config=EngineConfig(**{"partition_bytes": 100, **settings}))


@pytest.fixture(scope="session", params=[maybe_slow(setup, setup) for setup in SETUPS])
def engine(request):
    """For tests that break nothing."""
    with engine_of(request.param) as running:
        yield running


@pytest.fixture(scope="session")
def pair():
    """The smallest of these engines, for tests that try many forms: some of them are tried in the others too."""
    with engine_of("two parties") as running:
        yield running


@pytest.fixture
def fresh():
    """Two parties and an owner outside, for one test."""
    with Recording(("alice", "bob"), ("carol",), config=EngineConfig()) as running:
        yield running


@pytest.fixture
def by_hand():
    """The same, whose workers take programs that no question implies."""
    with Recording(("alice", "bob"), ("carol",), config=EngineConfig(free_programs=True)) as running:
        yield running


def split(engine, values, name="x"):
    """A frame of one column: rows dealt to all owners of the session in turn (every owner needs one)."""
    series = pd.Series(values)
    owners = engine.everyone[: len(series)]
    return an.from_pandas(
        engine,
        {owner: pd.DataFrame({name: series.iloc[index :: len(owners)]}) for index, owner in enumerate(owners)},
    )


def both(engine, values, name="x"):
    """The column held by owners, and as shares."""
    frame = split(engine, values, name)
    return frame[name], frame.share()[name]


def exactly(values):
    return [Fraction(value) for value in np.asarray(values).tolist()]


def variance(values, ddof):
    """Exact, then rounded."""
    numbers = exactly(values)
    count, total = len(numbers), sum(numbers)
    if count <= ddof:
        return math.nan
    return (sum(x * x for x in numbers) - total * total / count) / (count - ddof)


def close(query, expected):
    """The revealed result is within the bound that the query stated beforehand."""
    result = query.reveal()
    assert isinstance(result, float)
    bound = query.error.at(result)
    assert abs(Fraction(result) - Fraction(expected)) <= Fraction(bound), (result, float(expected), bound)
    return result


integers = st.lists(st.integers(-(2**31), 2**31), min_size=1, max_size=40).map(lambda v: np.array(v, np.int64))
doubles = st.lists(st.floats(-(2.0**20), 2.0**20, allow_subnormal=True), min_size=1, max_size=40).map(np.array)
booleans = st.lists(st.booleans(), min_size=1, max_size=40).map(np.array)
numbers = st.one_of(integers, doubles, booleans)
