"""Estimators of scikit-learn's say what scikit-learn says."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn import datasets
from sklearn.cluster import KMeans
from sklearn.ensemble import (
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, PolynomialFeatures, StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from analytics.nn.estimators.estimator import Read, graph_of
from analytics.nn.model import SecureModel
from analytics.nn.reference import run_reference
from icm_ray.errors import InputError, UnsupportedError

LOADERS: dict[str, Callable[..., Any]] = {
    "iris": datasets.load_iris,
    "cancer": datasets.load_breast_cancer,
    "diabetes": datasets.load_diabetes,
}
CASES: dict[str, tuple[str, Any]] = {
    "logistic, two classes": ("cancer", make_pipeline(StandardScaler(), LogisticRegression())),
    "logistic, three classes": ("iris", LogisticRegression(max_iter=500)),
    "linear": ("diabetes", LinearRegression()),
    "ridge of scaled rows": ("diabetes", make_pipeline(MinMaxScaler(), "passthrough", Ridge())),
    "perceptron, three classes": ("iris", make_pipeline(StandardScaler(), MLPClassifier((8, 6), max_iter=20))),
    "perceptron, two classes": ("cancer", MLPClassifier((4,), activation="tanh", max_iter=5)),
    "perceptron, regression": ("diabetes", MLPRegressor(hidden_layer_sizes=(5,), activation="logistic", max_iter=5)),
    "tree, classes": ("cancer", DecisionTreeClassifier(max_depth=4, random_state=0)),
    "tree of a pipeline": ("iris", make_pipeline(StandardScaler(), DecisionTreeClassifier(random_state=0))),
    "tree of rows that keep their mean": (
        "iris",
        make_pipeline(StandardScaler(with_mean=False), DecisionTreeClassifier(random_state=0)),
    ),
    "tree, regression": ("diabetes", DecisionTreeRegressor(max_depth=5, random_state=0)),
    "a leaf alone": ("iris", DecisionTreeClassifier(max_depth=1, min_samples_split=1000)),
    "forest, classes": ("iris", RandomForestClassifier(5, random_state=0)),
    "forest, regression": ("diabetes", RandomForestRegressor(5, max_depth=4, random_state=0)),
    "boosted, two classes": ("cancer", GradientBoostingClassifier(n_estimators=4)),
    "boosted, three classes": ("iris", GradientBoostingClassifier(n_estimators=3)),
    "boosted, regression": ("diabetes", GradientBoostingRegressor(n_estimators=4)),
    "boosted from zero": ("diabetes", GradientBoostingRegressor(n_estimators=4, init="zero")),
    "histogram, two classes": ("cancer", HistGradientBoostingClassifier(max_iter=4)),
    "histogram, three classes": ("iris", HistGradientBoostingClassifier(max_iter=3)),
    "histogram, regression": ("diabetes", make_pipeline(StandardScaler(), HistGradientBoostingRegressor(max_iter=4))),
}


def fitted(name: str) -> tuple[Any, np.ndarray]:
    data, model = CASES[name]
    x, y = LOADERS[data](return_X_y=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # few steps are enough here
        model.fit(x, y)
    return model, x


def softmax(scores: np.ndarray) -> np.ndarray:
    powers = np.exp(scores - scores.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def right(model: Any, x: np.ndarray, scores: np.ndarray, likely: bool, off: float) -> None:
    """What the model says of the rows follows from scores (n, outputs)."""
    if not hasattr(model, "classes_"):
        np.testing.assert_allclose(scores[:, 0], model.predict(x), rtol=0, atol=off)
        return
    np.testing.assert_array_equal(model.classes_[scores.argmax(1)], model.predict(x))
    shares = scores if likely else softmax(scores)
    np.testing.assert_allclose(shares, model.predict_proba(x), rtol=0, atol=off)
    if hasattr(model, "decision_function"):
        expected = model.decision_function(x)
        found = scores[:, 1] - scores[:, 0] if expected.ndim == 1 else scores
        np.testing.assert_allclose(found, expected, rtol=0, atol=off)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.few(8)
def test_graph(name: str) -> None:
    model, x = fitted(name)
    read = graph_of(model)
    assert isinstance(read, Read)
    right(model, x, run_reference(read.network, x), read.likely, 1e-9 * max(1.0, float(np.abs(x).max())))


@pytest.mark.parametrize("name", ["tree of a pipeline", "histogram, three classes", "perceptron, three classes"])
def test_secure(lanes, name: str) -> None:
    model, x = fitted(name)
    rows = x[::10]
    secure = SecureModel(lanes, model, "alice", batch_size=8)
    assert secure.preflight() == ()
    found = secure.predict(rows, owner="bob").reveal(to="bob")
    likely = name.startswith("tree")
    right(model, rows, found, likely, 2e-4)
    shares = secure.predict(rows, owner="bob", output="probabilities")
    assert shares.output == "probabilities"
    np.testing.assert_allclose(shares.reveal(to="bob"), model.predict_proba(rows), rtol=0, atol=2e-4)
    labels = secure.predict(rows, owner="bob", output="label").reveal(to="bob")
    np.testing.assert_array_equal(labels, model.predict(rows))
    assert secure.expected_error <= 2**-10


def test_numbers_that_hardly_differ_are_told_apart(lanes) -> None:
    """Thresholds between numbers that are 2^-30 apart, below a bound of 1/4."""
    x = 0.125 + np.arange(8).reshape(8, 1) * 2.0**-23
    model = DecisionTreeRegressor().fit(x, np.arange(8.0))
    secure = SecureModel(lanes, model, "alice", input_bound=0.25, batch_size=8)
    np.testing.assert_allclose(secure.predict(x, owner="bob").reveal(to="bob")[:, 0], np.arange(8.0), atol=1e-6)
    assert secure.error >= 7  # another leaf, where a number lies at a threshold


def test_trees_of_one_class(lanes) -> None:
    x = datasets.load_iris().data[:4]
    for model in (DecisionTreeClassifier(), RandomForestClassifier(2), DecisionTreeRegressor()):
        secure = SecureModel(lanes, model.fit(x, np.full(4, 3)), "alice", input_bound=8, batch_size=4)
        right(model, x, secure.predict(x, owner="bob").reveal(to="bob"), True, 1e-6)


class Exponential(LinearRegression):
    def predict(self, X):
        return np.exp(super().predict(X))


class Named(LinearRegression):
    """Predicts as its class does."""


def test_classes_of_their_own() -> None:
    x, y = datasets.load_iris(return_X_y=True)
    assert "Exponential has its own predict()" in str(graph_of(Exponential().fit(x, y)))
    model = Named().fit(x, y)
    read = graph_of(model)
    assert isinstance(read, Read)
    right(model, x, run_reference(read.network, x), False, 1e-9)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for alone in (MLPClassifier((2,), max_iter=2), HistGradientBoostingClassifier(max_iter=2)):
            assert "one class alone" in str(graph_of(alone.fit(x, np.zeros(150))))


def test_what_cannot_be_read_is_named(lanes) -> None:
    x, y = datasets.load_iris(return_X_y=True)
    steps = make_pipeline(PolynomialFeatures(), LogisticRegression(max_iter=2000)).fit(x, y)
    refused = {
        "polynomialfeatures": (steps, "StandardScaler"),
        "": (KMeans(2, n_init=1).fit(x), "these are supported"),
    }
    for path, (model, words) in refused.items():
        secure = SecureModel(lanes, model, "alice")
        (finding,) = secure.preflight()
        assert finding.module == path
        assert words in finding.hint
        with pytest.raises(UnsupportedError, match=finding.op):
            secure.predict(x, owner="bob")
    with pytest.raises(InputError, match="not fitted"):
        SecureModel(lanes, Ridge(), "alice")
    labels = np.stack([y > 0, y > 1], 1)
    for model in (MLPClassifier((2,), max_iter=2), DecisionTreeClassifier()):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(x, labels)
        assert "several labels" in str(graph_of(model))
    poisson = HistGradientBoostingRegressor(loss="poisson", max_iter=2).fit(x, y)
    assert "poisson" in str(graph_of(poisson))
    categories = HistGradientBoostingClassifier(max_iter=2, categorical_features=[0]).fit(np.rint(x), y)
    assert "categories" in str(graph_of(categories))
