"""Batches go to the lanes in turn; randomness is dealt ahead for models as for other programs."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch

from analytics.nn import loaded
from analytics.nn.model import SecureModel
from analytics.nn.wanted import Wanted
from icm_ray.errors import InputError, OwnerError
from icm_ray.network.model import IMAGES
from icm_ray.ops.products import LoadWeight
from icm_ray.runtime.driver.engine import LaneJob
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
    version, (job,) = model._loaded.loading([0], by=one)
    assert model._loaded.loading([0], by=one) == (version, [])  # its own jobs of a lane are in order

    def wait():
        order.append(model._loaded.loading([0], by=other))

    waiting = threading.Thread(target=wait)
    waiting.start()
    waiting.join(0.1)  # time to go wrong
    order.append("loaded")
    job.done()
    waiting.join()
    assert order == ["loaded", (version, [])]


def test_where_weights_were_not_loaded_whoever_waits_loads_them(lanes):
    model = SecureModel(lanes, small_net(), owner="alice", example_inputs=(torch.zeros(1, 4),))
    one, found = object(), []
    version, _ = model._loaded.loading([0], by=one)
    waiting = threading.Thread(target=lambda: found.append(model._loaded.loading([0], by=object())))
    waiting.start()
    model._loaded.give_up(one)
    waiting.join()
    ((other, jobs),) = found
    assert other is not version
    assert len(jobs) == 1


def test_whoever_failed_when_weights_were_there_costs_others_nothing(lanes):
    model = SecureModel(lanes, passing(3), "alice", (torch.zeros(1, 3),), batch_size=1)
    x = np.arange(60.0).reshape(20, 3) / 32
    before = len(lanes.jobs)
    model.predict(x, owner="carol").reveal()
    assert sum(isinstance(job.program.nodes[0].op, LoadWeight) for job in lanes.jobs[before:]) == 2
    before, other = len(lanes.jobs), model.predict(x, owner="carol").iter_batches()
    rows = [next(other)["row"]]
    left = model.predict(x, owner="bob").iter_batches()
    next(left)
    left.close()
    rows += [batch["row"] for batch in other]
    assert np.concatenate(rows).tolist() == list(range(20))
    assert not any(isinstance(job.program.nodes[0].op, LoadWeight) for job in lanes.jobs[before:])


def test_weights_are_forgotten_when_nobody_uses_them_any_more(lanes, monkeypatch):
    model = SecureModel(lanes, small_net(), owner="alice", example_inputs=(torch.zeros(1, 4),))
    one, other, forgotten, told = object(), object(), [], threading.Event()
    version, loads = model._loaded.loading([0], by=one)
    lanes.execute(loads)
    assert model._loaded.loading([0], by=other) == (version, [])
    model._loaded.loading([1], by=one)
    monkeypatch.setattr(lanes, "forget", lambda keys: (forgotten.extend(keys), told.set()))
    keys = set(version.keys)
    model._loaded.give_up(other)  # it loaded nothing
    assert model._loaded.loading([0], by=other) == (version, [])
    model._loaded.give_up(one)  # whether the second lane has them is unknown
    assert len(model._loaded.loading([0], by=other)[1]) == 1
    assert not forgotten
    wanted = Wanted.of(model._public, "logits", None, None)
    program, origin = version.program(2, "bob", wanted, "bob")
    given = {"bob": {IMAGES: np.zeros((2, 4), np.uint64)}}
    lanes.execute([LaneJob(0, program, given=given, origin=origin)])  # they are there still
    del version
    assert told.wait(60)
    assert set(forgotten) == keys


def test_programs_are_kept_within_a_limit(lanes, monkeypatch):
    monkeypatch.setattr(loaded, "_TIMES", 1 << 20)
    model = SecureModel(lanes, small_net(), owner="alice", example_inputs=(torch.zeros(1, 4),))
    version, _ = model._loaded.loading([0], by=object())
    for threshold in range(3):
        model.predict(X, owner="bob", output="above", threshold=threshold).explain()
    assert len(version._programs) == 1
