"""What users drop, their workers drop; what they try to send elsewhere stays."""

import copy
import gc
import pickle

import numpy as np
import pandas as pd
import pytest
import torch

import analytics as an
import icm_ray as icm
from icm_ray.runtime.carriers.threads import ThreadEngine
from icm_ray.runtime.driver.ending import GIVE_BACK
from icm_ray.runtime.driver.keeper import keeper

X = {"alice": pd.DataFrame({"x": [1, 2, 3]}), "bob": pd.DataFrame({"x": [4, 5]})}


@pytest.fixture
def engine():
    with ThreadEngine(("alice", "bob")) as opened:
        yield opened


def given_back(engine, monkeypatch, drop) -> set[str]:
    """The names that the engine is told to forget when `drop` has been called and what it dropped is collected."""
    told = set()
    forget = engine.forget
    monkeypatch.setattr(engine, "forget", lambda names: (told.update(names), forget(names))[1])
    drop()
    gc.collect()
    keeper(GIVE_BACK).submit(lambda: None).result()
    monkeypatch.undo()
    return told


@pytest.mark.slow
def test_a_dropped_frame_is_forgotten(engine, monkeypatch):
    frames = [an.from_pandas(engine, X)]
    kept = set(frames[0]._dataset.facts.kept)
    assert kept
    assert given_back(engine, monkeypatch, frames.clear) >= kept


def test_dropped_shares_are_forgotten_and_what_they_came_from_is_not(engine, monkeypatch):
    frame = an.from_pandas(engine, X)
    shares = [frame.share()]
    kept = set(shares[0]._dataset.facts.kept)
    assert kept
    assert given_back(engine, monkeypatch, shares.clear) >= kept
    assert frame["x"].sum().reveal() == 15
    assert frame.share()["x"].sum().reveal() == 15


def test_a_column_or_query_keeps_its_rows(engine, monkeypatch):
    frames = [an.from_pandas(engine, X)]
    query = frames[0]["x"].sum()
    assert given_back(engine, monkeypatch, frames.clear) == set()
    assert query.reveal() == 15


def linear_model(engine) -> an.SecureModel:
    net = torch.nn.Sequential(torch.nn.Linear(3, 2)).eval()
    return an.SecureModel(engine, net, owner="alice", example_inputs=(torch.zeros(1, 3),))


IMAGES = np.ones((2, 3), np.float32)


def test_weights_of_a_dropped_model_are_forgotten(engine, monkeypatch):
    models = [linear_model(engine)]
    models[0].predict(IMAGES, owner="bob").reveal()
    kept = set(models[0]._loaded._version.keys)
    assert kept
    assert given_back(engine, monkeypatch, models.clear) == kept


def test_a_prediction_keeps_its_model(engine, monkeypatch):
    models = [linear_model(engine)]
    prediction = models[0].predict(IMAGES, owner="bob")
    first = prediction.reveal()
    assert given_back(engine, monkeypatch, models.clear) == set()
    assert np.allclose(prediction.reveal(), first, atol=1e-3)


def test_weights_that_workers_do_not_have_are_not_forgotten(engine, monkeypatch):
    models = [linear_model(engine), linear_model(engine)]
    models[0].predict(IMAGES, owner="bob").reveal()
    models[0].close()
    assert given_back(engine, monkeypatch, models.clear) == set()


def test_what_belongs_to_a_session_is_not_pickled(engine):
    frame = an.from_pandas(engine, X)
    for thing in (frame, frame["x"], frame["x"].sum()):
        with pytest.raises(icm.UnsupportedError, match=r"cannot be pickled .* Call reveal\(\) here"):
            pickle.dumps(thing)
        assert copy.copy(thing) is thing
        assert copy.deepcopy(thing) is thing
