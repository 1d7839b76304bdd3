"""Every definition that the API reference shows has an example in its docstring, and the examples run."""

import doctest
import inspect

import numpy as np
import pandas as pd
import pytest
import torch

import analytics as an
import icm_ray as icm
from icm_ray.runtime.carriers.threads import ThreadEngine
from tests.analytics.derived_once import derive_once
from tests.docs.definitions import definitions

FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
SHOWN = dict(definitions())
NORTH = pd.DataFrame({"age": [34, 61, 47], "cost": [120.5, 80.0, 310.25], "ward": ["a", "b", "a"]})
SOUTH = pd.DataFrame({"age": [29, 70], "cost": [95.0, 410.75], "ward": ["b", "b"]})
CAME = pd.to_datetime(["2024-01-05 08:00:00.000000", "2024-03-31 17:40:05.000250"])
STAYS = pd.DataFrame(
    {"came": CAME, "left": CAME + pd.to_timedelta([1, 3], unit="D"), "born": ["01.02.1950", "24.12.1999"]}
)


@pytest.fixture(scope="module")
def engine():
    """A session that no example breaks."""
    with pytest.MonkeyPatch.context() as patch, ThreadEngine() as engine:
        derive_once(patch)
        yield engine


@pytest.fixture(scope="module")
def closed():
    """Rows of a session that has ended."""
    with ThreadEngine() as ended:
        return an.from_pandas(ended, {"alice": NORTH})


@pytest.fixture(scope="module")
def model(engine):
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2)).eval()
    return {"net": net, "model": an.SecureModel(engine, net, owner="alice", example_inputs=(torch.zeros(2, 4),))}


@pytest.fixture
def names(engine, model, closed):
    """What the examples find there: an open session, alice's and bob's visits, stays of alice's, a small model."""
    north, south = NORTH.copy(), SOUTH.copy()
    frames = {"north": north, "south": south, "closed": closed}
    frames["visits"] = an.from_pandas(engine, {"alice": north, "bob": south})
    frames["stays"] = an.from_pandas(engine, {"alice": STAYS})
    modules = {"an": an, "icm": icm, "np": np, "pd": pd, "torch": torch}
    return modules | frames | model | {"session": engine}


@pytest.mark.parametrize("name", SHOWN)
@pytest.mark.few(85)
def test_examples_run(name, names):
    text = inspect.getdoc(SHOWN[name]) or ""
    example = doctest.DocTestParser().get_doctest(text, dict(names), name, None, None)
    assert example.examples, f"{name} has no example"
    said = []
    runner = doctest.DocTestRunner(optionflags=FLAGS)
    runner.run(example, out=said.append)
    assert not runner.failures, "".join(said)
