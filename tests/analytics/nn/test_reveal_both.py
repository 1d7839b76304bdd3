"""Statistics and predictions of one session, revealed by one call."""

import numpy as np
import pandas as pd
import pytest
import torch

import analytics as an
import icm_ray as icm
from icm_ray.errors import InputError, OwnerError, PolicyError, SessionClosed
from icm_ray.policy import Policy
from icm_ray.revealable import Revealable
from icm_ray.runtime.carriers.threads import ThreadEngine

torch.set_num_threads(1)
IMAGES = np.array([[1.0, 2.0, 3.0], [4.0, 0.5, -1.0]], np.float32)


def small(engine):
    net = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.ReLU(), torch.nn.Linear(2, 2)).eval()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(torch.linspace(-1, 1, parameter.numel()).reshape(parameter.shape))
    return net, an.SecureModel(engine, net, owner="alice", example_inputs=(torch.zeros(1, 3),))


@pytest.fixture
def engine():
    with ThreadEngine() as running:
        yield running


def frame(engine, **settings):
    sources = {"alice": pd.DataFrame({"x": [1, 2]}), "bob": pd.DataFrame({"x": [3]})}
    return an.from_pandas(engine, sources, **settings)


def test_queries_and_predictions_together(engine):
    net, model = small(engine)
    column, prediction = frame(engine)["x"], model.predict(IMAGES, owner="bob")
    assert isinstance(prediction, Revealable)
    total, logits, most = icm.reveal(column.sum(), prediction, column.max(), to="bob")
    assert (total, most) == (6, 3)
    with torch.no_grad():
        np.testing.assert_allclose(logits, net(torch.from_numpy(IMAGES)).numpy(), atol=prediction.error)
    assert prediction.spent is not None


def test_a_prediction_is_not_made_where_a_query_is_refused(engine):
    _, model = small(engine)
    strict, prediction = frame(engine, policy=Policy(min_rows=4)), model.predict(IMAGES, owner="bob")
    with pytest.raises(PolicyError):
        icm.reveal(prediction, strict["x"].sum())
    with pytest.raises(OwnerError, match="nobody"):
        icm.reveal(prediction, to="nobody")
    assert prediction.spent is None


def test_a_policy_of_rows_does_not_judge_predictions(engine):
    _, model = small(engine)
    strict = frame(engine, policy=Policy(min_rows=3, recipients=("alice",), largest=100, two_largest=100))
    prediction = model.predict(IMAGES, owner="bob", output="label")
    assert prediction.reveal(to="bob").shape == (2,)
    assert strict["x"].sum().reveal(to="alice") == 6


def test_other_sessions_and_closed_ones(engine):
    with ThreadEngine() as other:
        _, model = small(other)
        prediction = model.predict(IMAGES, owner="bob")
        with pytest.raises(InputError, match="different sessions"):
            icm.reveal(frame(engine)["x"].sum(), prediction)
    with pytest.raises(SessionClosed):
        icm.reveal(prediction)
