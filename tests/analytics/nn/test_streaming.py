"""Batches go to the lanes in turn; randomness is dealt ahead for models as for other programs."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch

from analytics.nn.model import SecureModel
from icm_ray.errors import InputError, OwnerError
from tests.analytics.nn.conftest import Watched, passing, small_net
from tests.analytics.nn.secure_checks import plain

X = np.random.default_rng(7).uniform(-3, 3, (8, 4))


def lanes_of(jobs):
    return [job.lane for job in jobs if "images" in job.given.get("bob", {})]


def test_a_loop_of_predictions_uses_all_lanes(small, lanes):
    _, model = small
    before = len(lanes.jobs)
    for row in range(4):
        model.predict(X[row : row + 1], owner="bob").reveal()
    used = lanes_of(lanes.jobs[before:])
    assert used in ([0, 1, 0, 1], [1, 0, 1, 0])


def test_what_was_dealt_ahead_is_used(small, lanes, monkeypatch):
    net, model = small
    prediction = model.predict(X, owner="bob", output="label")
    prediction.preprocess(to="bob")
    ahead = []
    run = Watched.execute

    def watched(self, jobs):
        done = run(self, jobs)
        ahead.extend(execution.preprocessed for execution in done)
        return done

    monkeypatch.setattr(Watched, "execute", watched)
    assert prediction.reveal(to="bob").tolist() == plain(net, torch.from_numpy(X)).argmax(axis=1).tolist()
    assert sum(ahead) == 2  # two full batches of three, and a smaller one, which is dealt for as it runs


def test_how_many_batches_to_deal_for_has_to_be_known(small):
    prediction = small[1].predict(iter(X), owner="bob")
    with pytest.raises(InputError, match="for how many batches"):
        prediction.preprocess()
    with pytest.raises(OwnerError):
        prediction.preprocess(1, to="eve")
    prediction.preprocess(1)


def test_progress_of_a_source_of_unknown_size(small):
    told = []
    small[1].predict(iter(X), owner="bob", progress=lambda *step: told.append(step)).reveal()
    assert told == [(3, None), (6, None), (8, None)]


def test_a_prediction_outlives_its_model(lanes):
    net = small_net()
    prediction = SecureModel(lanes, net, "alice", (torch.zeros(1, 4),)).predict(X, owner="bob")
    for _ in range(2):
        np.testing.assert_allclose(prediction.reveal(), plain(net, torch.from_numpy(X)), atol=prediction.error)


def test_results_come_in_order(lanes):
    model = SecureModel(lanes, passing(3), "alice", (torch.zeros(1, 3),), batch_size=1)
    x = np.arange(60.0).reshape(20, 3) / 32
    np.testing.assert_allclose(model.predict(x, owner="carol").reveal(), x, atol=model.error)


def test_whoever_predicts_while_others_load_the_weights_waits_for_them(lanes):
    model = SecureModel(lanes, small_net(), owner="alice", example_inputs=(torch.zeros(1, 4),))
    one, other, order = object(), object(), []
    (job,) = model._loaded.loading([0], by=one)
    assert model._loaded.loading([0], by=one) == []  # its own jobs of a lane are in order

    def wait():
        order.append(model._loaded.loading([0], by=other))

    waiting = threading.Thread(target=wait)
    waiting.start()
    waiting.join(0.1)  # time to go wrong
    order.append("loaded")
    job.done()
    waiting.join()
    assert order == ["loaded", []]


def test_where_weights_were_not_loaded_whoever_waits_loads_them(lanes):
    model = SecureModel(lanes, small_net(), owner="alice", example_inputs=(torch.zeros(1, 4),))
    jobs = []
    model._loaded.loading([0], by=object())
    waiting = threading.Thread(target=lambda: jobs.extend(model._loaded.loading([0], by=object())))
    waiting.start()
    model._loaded.give_up()
    waiting.join()
    assert len(jobs) == 1
