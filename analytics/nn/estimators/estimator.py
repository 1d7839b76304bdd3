"""Fitted estimators of scikit-learn's, by the names of their classes, and pipelines of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from analytics.nn.estimators import linear, trees
from analytics.nn.estimators.reading import Reader, Scaled
from analytics.nn.findings import Finding
from analytics.nn.torch_ops.building import GraphBuilder, Refused, Wire
from analytics.nn.weighted import WeightedGraph
from icm_ray.errors import InputError
from icm_ray.network.graph import Graph
from icm_ray.network.layer import INPUT
from icm_ray.network.passes import drop_unused, merge_reshapes

__all__ = ["ESTIMATORS", "Read", "graph_of", "is_estimator"]

ESTIMATORS: Mapping[str, Reader] = MappingProxyType(
    {
        "LinearRegression": linear.read_regressor,
        "Ridge": linear.read_regressor,
        "Lasso": linear.read_regressor,
        "ElasticNet": linear.read_regressor,
        "LogisticRegression": linear.read_classifier,
        "MLPRegressor": linear.read_perceptron_regressor,
        "MLPClassifier": linear.read_perceptron_classifier,
        "DecisionTreeRegressor": trees.read_tree_regressor,
        "DecisionTreeClassifier": trees.read_tree_classifier,
        "RandomForestRegressor": trees.read_forest_regressor,
        "RandomForestClassifier": trees.read_forest_classifier,
        "ExtraTreesRegressor": trees.read_forest_regressor,
        "ExtraTreesClassifier": trees.read_forest_classifier,
        "GradientBoostingRegressor": trees.read_boosted,
        "GradientBoostingClassifier": trees.read_boosted,
        "HistGradientBoostingRegressor": trees.read_histogram_boosted,
        "HistGradientBoostingClassifier": trees.read_histogram_boosted,
    }
)
"""By the name of a class, or of one that it is derived from."""
_PREDICTS: Final = frozenset({"predict", "predict_proba", "decision_function"})


@dataclass(frozen=True, slots=True)
class Read:
    """An estimator as a network. likely, asks: as of its reading."""

    network: WeightedGraph = field(repr=False)
    likely: bool
    asks: bool


def is_estimator(model: object) -> bool:
    """Whether it is of scikit-learn's classes, or of one derived from them."""
    return any(kind.__module__.startswith("sklearn.") for kind in type(model).__mro__)


def graph_of(model: Any) -> Read | Finding:
    """The network of a fitted estimator, or what is in the way. Raises `InputError` where it is not fitted."""
    count = getattr(model, "n_features_in_", None)
    if count is None:
        raise InputError(f"this {type(model).__name__} is not fitted; call fit() first")
    seen, last, path = Scaled.plain(int(count)), model, ""
    try:
        for place, step in _steps(model):
            path, last = place, step
            scaling = _scaling(last)
            if scaling is not None:
                seen = seen.then(*scaling)
        read = _reader(type(last))
        build = GraphBuilder(batch=1)
        reading = read(build, last, seen, Wire(INPUT, (int(count),)))
    except Refused as refusal:
        return Finding(path, type(last).__name__, str(refusal))
    graph = Graph(nodes=tuple(build.nodes), input_shape=(int(count),), output=reading.wire.name)
    network = WeightedGraph(graph, build.weights).simplified(drop_unused).simplified(merge_reshapes)
    return Read(network, reading.likely, reading.asks)


def _reader(kind: type) -> Reader:
    """That of the class, or of the first that it is derived from, unless one between them predicts in its own way."""
    for base in kind.__mro__:
        ours = base.__module__.startswith("sklearn.")
        if ours and base.__name__ in ESTIMATORS:
            return ESTIMATORS[base.__name__]
        own = [] if ours else sorted(_PREDICTS & vars(base).keys())
        if own:
            raise Refused(f"{base.__name__} has its own {own[0]}(); give the estimator of scikit-learn's")
    raise Refused(f"of scikit-learn's estimators these are supported: {', '.join(sorted(ESTIMATORS))}")


def _steps(model: Any) -> Iterator[tuple[str, Any]]:
    """The paths and estimators of a pipeline, of those within it too: the last one predicts."""
    if type(model).__name__ != "Pipeline":
        yield "", model
        return
    for place, (name, step) in enumerate(model.steps):
        if step is None or isinstance(step, str):  # "passthrough"
            if place == len(model.steps) - 1:
                raise Refused("its last step predicts nothing")
            continue
        for inner, found in _steps(step):
            yield f"{name}.{inner}" if inner else name, found
            last = place == len(model.steps) - 1
            if not last and _scaling(found) is None:
                raise Refused(f"its step {name!r} is no StandardScaler or MinMaxScaler; transform the rows before")


def _scaling(step: Any) -> tuple[Any, Any] | None:
    """(mean, scale) of (x - mean) / scale; None where a step does something else."""
    name = type(step).__name__
    if name == "StandardScaler":
        mean = np.asarray(step.mean_, np.float64) if step.with_mean else 0.0  # found where it is not subtracted, too
        return mean, 1.0 if step.scale_ is None else np.asarray(step.scale_, np.float64)
    if name == "MinMaxScaler" and not step.clip:
        return -step.min_ / step.scale_, 1 / step.scale_
    return None
