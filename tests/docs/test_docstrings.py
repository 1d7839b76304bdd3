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
from tests.docs.definitions import definitions

FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
SHOWN = dict(definitions())


@pytest.fixture(scope="module")
def engine():
    with ThreadEngine() as engine:
        yield engine


@pytest.fixture(scope="module")
def model(engine):
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2)).eval()
    return {"net": net, "model": an.SecureModel(engine, net, owner="alice", example_inputs=(torch.zeros(2, 4),))}


@pytest.fixture
def names(model):
    """What the examples find there: an open session, alice's and bob's visits, stays of alice's, a small model."""
    north = pd.DataFrame({"age": [34, 61, 47], "cost": [120.5, 80.0, 310.25], "ward": ["a", "b", "a"]})
    south = pd.DataFrame({"age": [29, 70], "cost": [95.0, 410.75], "ward": ["b", "b"]})
    with ThreadEngine() as session, ThreadEngine() as ended:
        visits = an.from_pandas(session, {"alice": north, "bob": south})
        closed = an.from_pandas(ended, {"alice": north})
        ended.close()
        modules = {"an": an, "icm": icm, "np": np, "pd": pd, "torch": torch}
        came = pd.to_datetime(["2024-01-05 08:00:00.000000", "2024-03-31 17:40:05.000250"])
        born = ["01.02.1950", "24.12.1999"]
        stays = pd.DataFrame({"came": came, "left": came + pd.to_timedelta([1, 3], unit="D"), "born": born})
        frames = {"north": north, "south": south, "visits": visits, "closed": closed}
        frames["stays"] = an.from_pandas(session, {"alice": stays})
        yield modules | frames | model | {"session": session}


@pytest.mark.parametrize("name", SHOWN)
def test_examples_run(name, names):
    text = inspect.getdoc(SHOWN[name]) or ""
    example = doctest.DocTestParser().get_doctest(text, dict(names), name, None, None)
    assert example.examples, f"{name} has no example"
    said = []
    runner = doctest.DocTestRunner(optionflags=FLAGS)
    runner.run(example, out=said.append)
    assert not runner.failures, "".join(said)
