"""What a model is asked for is what torch computes of the logits, and nothing else is opened."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from analytics.nn.intake import Intake
from analytics.nn.model import SecureModel
from icm_ray.errors import BoundError, InputError, ShapeError, UnsupportedError
from icm_ray.network.outputs import add_output
from icm_ray.ops.linear import Input, Reveal
from icm_ray.ops.values import ValueType
from icm_ray.program.build import Builder
from tests.analytics.nn.conftest import passing
from tests.analytics.nn.secure_checks import plain

X = np.random.default_rng(5).uniform(-3, 3, (6, 4))


def opened(session, since):
    return {node.op.name for job in session.jobs[since:] for node in job.program.nodes if isinstance(node.op, Reveal)}


@pytest.mark.parametrize("classes", [1, 2, 3, 5])
def test_probabilities(lanes, classes):
    model = SecureModel(lanes, passing(classes), "alice", (torch.zeros(1, classes),))
    x = torch.linspace(-4, 4, 6 * classes).reshape(6, classes)
    expected = torch.sigmoid(x) if classes == 1 else torch.softmax(x, 1)
    before = len(lanes.jobs)
    prediction = model.predict(x, owner="bob", output="probabilities")
    result = prediction.reveal(to="bob")
    np.testing.assert_allclose(result, expected.numpy(), atol=prediction.error)
    assert prediction.error < 1e-3
    assert opened(lanes, before) == {"probabilities"}
    assert f"probabilities differ from real arithmetic by {prediction.error:.3g}" in prediction.explain()


@pytest.mark.parametrize(
    ("last", "classes"), [(torch.nn.Softmax(1), 2), (torch.nn.Softmax(1), 4), (torch.nn.Sigmoid(), 1)]
)
def test_probabilities_that_the_network_makes_are_opened_as_they_are(lanes, last, classes):
    model = SecureModel(lanes, torch.nn.Sequential(passing(classes), last).eval(), "alice", (torch.zeros(1, classes),))
    x = torch.linspace(-4, 4, 6 * classes).reshape(6, classes)
    prediction = model.predict(x, owner="bob", output="probabilities")
    np.testing.assert_allclose(prediction.reveal(), last(x).numpy(), atol=prediction.error)
    assert prediction.error < 1e-2


def test_logarithms_of_probabilities_are_logits(lanes):
    net = torch.nn.Sequential(passing(3), torch.nn.LogSoftmax(1)).eval()
    x = torch.linspace(-4, 4, 6).reshape(2, 3)
    prediction = SecureModel(lanes, net, "alice", (torch.zeros(1, 3),)).predict(x, owner="bob", output="probabilities")
    np.testing.assert_allclose(prediction.reveal(), torch.softmax(x, 1).numpy(), atol=prediction.error)


@pytest.mark.parametrize("k", [1, 2, 5])
def test_top_k(small, lanes, k):
    net, model = small
    before = len(lanes.jobs)
    result = model.predict(X, owner="carol", output="top_k", k=k).reveal(to="carol")
    expected = np.argsort(-plain(net, torch.from_numpy(X)), axis=1, kind="stable")[:, :k]
    np.testing.assert_array_equal(result, expected)
    assert result.dtype == np.int64
    assert opened(lanes, before) == {"top_k"}


def test_of_equals_the_first_come_first(lanes):
    model = SecureModel(lanes, passing(4), "alice", (torch.zeros(1, 4),))
    x = np.array([[1.0, 2.0, 2.0, 1.0], [0.0, 0.0, 0.0, 0.0], [-8.0, 8.0, -8.0, 8.0]])
    found = model.predict(x, owner="bob", output="top_k", k=4).reveal()
    assert found.tolist() == [[1, 2, 0, 3], [0, 1, 2, 3], [1, 3, 0, 2]]


def test_every_output_of_numbers_as_wide_as_the_ring_allows(lanes):
    net = passing(3)
    x = np.array([[900.5, -1000.0, 1000.0], [-0.25, -0.5, -0.75]])
    model = SecureModel(lanes, net, "alice", (torch.zeros(1, 3),), input_bound=2.0**15)
    assert model._public.result.width > 60
    assert model.predict(x, "bob", output="top_k", k=3).reveal().tolist() == [[2, 0, 1], [0, 1, 2]]
    assert model.predict(x, "bob", output="label").reveal().tolist() == [2, 0]
    assert model.predict(x, "bob", output="above", threshold=-0.5).reveal().tolist() == [[1, 0, 1], [1, 1, 0]]
    chances = model.predict(x, "bob", output="probabilities")
    np.testing.assert_allclose(chances.reveal(), torch.softmax(torch.from_numpy(x), 1).numpy(), atol=chances.error)


@pytest.mark.parametrize("threshold", [0.5, 1e9, -1e9])
def test_no_threshold_is_wider_than_results(threshold):
    builder = Builder(("alice", "bob"))
    x = builder.add(Input("alice", "x", ValueType(shape=(2, 3), f=46, width=63)))
    assert add_output(builder, x, 0.0, "above", 0, threshold).type.shape == (2, 3)


@pytest.mark.parametrize("threshold", [-1, 0.5, 1e300, -1e5])
def test_above_a_threshold(small, lanes, threshold):
    net, model = small
    before = len(lanes.jobs)
    result = model.predict(X, owner="bob", output="above", threshold=threshold).reveal()
    np.testing.assert_array_equal(result, plain(net, torch.from_numpy(X)) >= threshold)
    assert result.dtype == np.int8
    assert opened(lanes, before) == {"above"}


def test_a_threshold_itself_is_reached(lanes):
    model = SecureModel(lanes, passing(3), "alice", (torch.zeros(1, 3),))
    x = np.array([[0.5, 0.5 - 2.0**-10, 0.5 + 2.0**-10]])
    assert model.predict(x, owner="bob", output="above", threshold=0.5).reveal().tolist() == [[1, 0, 1]]


REFUSED = [
    ({"output": "scores"}, InputError, "'above', not 'scores'"),
    ({"output": ["label"]}, InputError, r"not \['label'\]"),
    ({"output": "top_k"}, InputError, "needs k="),
    ({"output": "top_k", "k": 6}, InputError, "k is 1 to 5, not 6"),
    ({"output": "top_k", "k": 0}, InputError, "k is 1 to 5, not 0"),
    ({"output": "top_k", "k": 1.0}, InputError, "whole number"),
    ({"k": 1}, InputError, "is of output='top_k'"),
    ({"output": "above"}, InputError, "needs threshold="),
    ({"output": "above", "threshold": float("nan")}, InputError, "finite"),
    ({"threshold": 1.0}, InputError, "is of output='above'"),
    ({"errors": "ignore"}, InputError, "'raise' or 'mask'"),
]


@pytest.mark.parametrize(("asked", "error", "match"), REFUSED)
def test_what_cannot_be_asked_is_refused(small, lanes, asked, error, match):
    before = len(lanes.jobs)
    with pytest.raises(error, match=match):
        small[1].predict(X, owner="bob", **asked)
    assert len(lanes.jobs) == before


@pytest.mark.parametrize("output", ["top_k", "probabilities"])
def test_classes_need_an_axis_of_their_own(lanes, output):
    model = SecureModel(lanes, torch.nn.ReLU().eval(), "alice", (torch.zeros(1, 3, 2),))
    with pytest.raises(UnsupportedError, match="one axis of classes"):
        model.predict(np.zeros((1, 3, 2)), owner="bob", output=output, k=1 if output == "top_k" else None)


PIXELS = np.random.default_rng(6).integers(0, 256, (3, 3, 2, 2), dtype=np.uint8)
MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)


def test_pixels_are_normalised_by_their_owner(lanes):
    net = torch.nn.Flatten().eval()
    model = SecureModel(
        lanes, net, "alice", (torch.zeros(1, 3, 2, 2),), scale=1 / 255, normalize=(MEAN, torch.tensor(STD))
    )
    mean, std = (np.array(numbers).reshape(3, 1, 1) for numbers in (MEAN, STD))
    prediction = model.predict(PIXELS, owner="bob")
    np.testing.assert_allclose(
        prediction.reveal(), ((PIXELS / 255 - mean) / std).reshape(3, 12), atol=prediction.error + 1e-7
    )
    assert "scaled and normalised by itself" in prediction.explain()
    with pytest.raises(BoundError, match="image 0"):
        SecureModel(lanes, net, "alice", (torch.zeros(1, 3, 2, 2),)).predict(PIXELS, owner="bob")


@pytest.mark.parametrize(
    ("named", "error"),
    [
        ({"scale": 0}, InputError),
        ({"scale": "1/255"}, InputError),
        ({"scale": (1.0, 2.0)}, InputError),
        ({"normalize": 0.5}, InputError),
        ({"normalize": (0.5,)}, InputError),
        ({"normalize": (0.5, 0.0)}, InputError),
        ({"normalize": (0.5, float("inf"))}, InputError),
        ({"normalize": ((0.5, 0.5), 1.0)}, ShapeError),
    ],
)
def test_a_normalisation_that_cannot_be_is_refused(named, error):
    with pytest.raises(error):
        Intake.of(named.get("scale", 1.0), named.get("normalize"), (3, 2, 2))
