"""A model's owner says on how many images of whom it predicts, and its own workers count."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from analytics.nn.model import SecureModel
from icm_ray.errors import BoundExceeded, InputError, OwnerError, PolicyError
from tests.analytics.nn.conftest import bounded, passing

X = np.arange(24.0).reshape(8, 3) / 8


def limited(session, **quota):
    return SecureModel(session, passing(3), "alice", (torch.zeros(1, 3),), batch_size=2, quota=quota)


def test_images_are_counted_over_all_lanes(lanes):
    model = limited(lanes, bob=7)
    assert "predict on 7 images of bob's" in model.predict(X, owner="bob").explain()
    np.testing.assert_allclose(model.predict(X[:4], owner="bob").reveal(), X[:4], atol=model.error)
    np.testing.assert_allclose(model.predict(X[:3], owner="bob").reveal(), X[:3], atol=model.error)
    with pytest.raises(PolicyError, match="alice refuses: 0 images are left of its quota for bob") as caught:
        model.predict(X[:1], owner="bob").reveal()
    assert (caught.value.where["party"], caught.value.where["left"]) == ("alice", 0)
    np.testing.assert_allclose(model.predict(X, owner="carol").reveal(), X, atol=model.error)


def test_batches_are_handed_over_until_the_quota_is_used_up(lanes):
    model, handed = limited(lanes, bob=5), []
    with pytest.raises(PolicyError):
        handed.extend(model.predict(X, owner="bob").iter_batches())
    rows = [row for batch in handed for row in batch["row"].tolist()]
    assert rows == list(range(len(rows)))
    assert len(rows) <= 5


def test_it_is_the_worker_that_counts(lanes):
    model = limited(lanes, bob=4)
    model.predict(X[:4], owner="bob").reveal()
    model._loaded.quota._used.clear()  # as a driver that lies would
    for _ in range(2):
        with pytest.raises(PolicyError, match="alice refuses"):
            model.predict(X[:4], owner="bob").reveal()
        model.close()  # weights that are loaded again go on with what was counted
        model._loaded.quota._used.clear()


def test_images_that_are_tried_again_go_where_there_is_room(lanes):
    settings = {"input_bound": 1024.0, "bound": 4.0, "weight_gain": 256.0, "quota": {"bob": 22}}
    model = SecureModel(lanes, bounded(), "alice", (torch.zeros(1, 2),), batch_size=8, **settings)
    x = np.ones((8, 2))
    x[5] = 1000.0
    prediction = model.predict(x, owner="bob", errors="mask")
    prediction.reveal()  # the batch leaves 3 of 11 in its lane, and its halves are of 4
    assert prediction.failed.tolist() == [5]


def test_failed_runs_count(lanes):
    settings = {"input_bound": 1024.0, "bound": 4.0, "weight_gain": 256.0}
    model = SecureModel(lanes, bounded(), "alice", (torch.zeros(1, 2),), batch_size=4, quota={"bob": 8}, **settings)
    beyond = np.full((4, 2), 1000.0)
    for _ in range(2):
        with pytest.raises(BoundExceeded):
            model.predict(beyond, owner="bob").reveal()
    with pytest.raises(PolicyError):
        model.predict(beyond, owner="bob").reveal()


def test_nobody_is_let_in_by_a_quota_of_none(lanes):
    with pytest.raises(PolicyError):
        limited(lanes, bob=0).predict(X, owner="bob").reveal()


@pytest.mark.parametrize(
    ("quota", "error"),
    [
        (10, InputError),
        ({"bob": -1}, InputError),
        ({"bob": 1.5}, InputError),
        ({"bob": True}, InputError),
        ({"eve": 3}, OwnerError),
    ],
)
def test_a_quota_that_cannot_be_is_refused(lanes, quota, error):
    with pytest.raises(error):
        SecureModel(lanes, passing(3), "alice", (torch.zeros(1, 3),), quota=quota)
