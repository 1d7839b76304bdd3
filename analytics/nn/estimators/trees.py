"""Decision trees, forests of them, and sums of boosted ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from analytics.nn.estimators.forest import Tree, add_forest, evaluate
from analytics.nn.estimators.reading import Array, Reading, Scaled, need_classes, of_two
from analytics.nn.torch_ops.building import GraphBuilder, Refused, Wire

__all__ = [
    "read_boosted",
    "read_forest_classifier",
    "read_forest_regressor",
    "read_histogram_boosted",
    "read_tree_classifier",
    "read_tree_regressor",
]

_LINEAR_LOSSES: Final = {"squared_error", "absolute_error", "quantile", "huber"}


def read_tree_classifier(build: GraphBuilder, model: Any, seen: Scaled, x: Wire) -> Reading:
    """The shares of the classes in the leaf that is reached."""
    return _classes(build, [model], seen, x)


def read_forest_classifier(build: GraphBuilder, model: Any, seen: Scaled, x: Wire) -> Reading:
    """Their mean over all trees."""
    return _classes(build, model.estimators_, seen, x)


def read_tree_regressor(build: GraphBuilder, model: Any, seen: Scaled, x: Wire) -> Reading:
    """The value of the leaf that is reached."""
    return _values(build, [model], seen, x)


def read_forest_regressor(build: GraphBuilder, model: Any, seen: Scaled, x: Wire) -> Reading:
    """Its mean over all trees."""
    return _values(build, model.estimators_, seen, x)


def read_boosted(build: GraphBuilder, model: Any, seen: Scaled, x: Wire) -> Reading:
    """A constant, and trees for each class, or for the only score of two classes."""
    if model.init not in (None, "zero"):
        raise Refused("it starts from another estimator (init=); leave init out")
    if model.loss == "exponential":
        raise Refused("of its losses log_loss is supported, not exponential")
    stages, outputs = model.estimators_.shape
    trees = [
        _tree(model.estimators_[stage, output].tree_, model.learning_rate, outputs, output)
        for stage in range(stages)
        for output in range(outputs)
    ]
    return _sum(build, model, trees, seen, x)


def read_histogram_boosted(build: GraphBuilder, model: Any, seen: Scaled, x: Wire) -> Reading:
    """The same, of trees that keep their nodes as records; the learning rate is in their values."""
    if not hasattr(model, "classes_") and model.loss not in _LINEAR_LOSSES:
        raise Refused(
            f"its loss {model.loss!r} has predictions that are exponentials; {sorted(_LINEAR_LOSSES)} have not"
        )
    trees: list[Tree] = []
    for stage in model._predictors:
        for output, predictor in enumerate(stage):
            nodes = predictor.nodes
            leaf = nodes["is_leaf"].astype(bool)
            if (nodes["is_categorical"].astype(bool) & ~leaf).any():
                raise Refused("it asks for categories (categorical_features=); encode them as columns of 0 and 1")
            values = np.zeros((len(nodes), len(stage)))
            values[:, output] = nodes["value"]
            left, right = (np.where(leaf, -1, nodes[side].astype(np.int64)) for side in ("left", "right"))
            thresholds = nodes["num_threshold"].astype(np.float64)
            trees.append(Tree(left, right, nodes["feature_idx"].astype(np.int64), thresholds, values))
    return _sum(build, model, trees, seen, x)


def _sum(build: GraphBuilder, model: Any, trees: list[Tree], seen: Scaled, x: Wire) -> Reading:
    """What all start from is what the estimator says of a row of zeros less what the trees say of it."""
    if hasattr(model, "classes_"):
        need_classes(model)
    zeros = np.zeros((1, model.n_features_in_))
    scores = model.decision_function if hasattr(model, "classes_") else model.predict
    start = np.atleast_1d(np.asarray(_unnamed(scores, zeros), np.float64).squeeze()) - evaluate(trees, zeros[0])
    if hasattr(model, "classes_") and len(model.classes_) == 2:
        values = [of_two(tree.values.T, start)[0].T for tree in trees]
        trees = [Tree(t.left, t.right, t.feature, t.threshold, two) for t, two in zip(trees, values, strict=True)]
        start = np.concatenate([np.zeros(1), start])
    return Reading(add_forest(build, trees, seen, x, start), asks=True)


def _unnamed(function: Any, rows: Array) -> Any:
    """An estimator that was fitted with a frame warns of rows without names."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return function(rows)


def _classes(build: GraphBuilder, models: Sequence[Any], seen: Scaled, x: Wire) -> Reading:
    if any(model.n_outputs_ != 1 for model in models):
        raise Refused("it was fitted with several labels for each row; fit one estimator for each")
    trees = []
    for model in models:
        shares = model.tree_.value[:, 0, :]
        total = shares.sum(1, keepdims=True)
        values = shares / np.where(total == 0, 1, total) / len(models)
        trees.append(_nodes(model.tree_, values))
    return Reading(add_forest(build, trees, seen, x, np.zeros(trees[0].values.shape[1])), likely=True, asks=True)


def _values(build: GraphBuilder, models: Sequence[Any], seen: Scaled, x: Wire) -> Reading:
    trees = [_nodes(model.tree_, model.tree_.value[:, :, 0] / len(models)) for model in models]
    return Reading(add_forest(build, trees, seen, x, np.zeros(trees[0].values.shape[1])), asks=True)


def _tree(tree: Any, factor: float, outputs: int, output: int) -> Tree:
    values = np.zeros((tree.node_count, outputs))
    values[:, output] = factor * tree.value[:, 0, 0]
    return _nodes(tree, values)


def _nodes(tree: Any, values: Array) -> Tree:
    left, right, feature = (
        np.asarray(numbers, np.int64) for numbers in (tree.children_left, tree.children_right, tree.feature)
    )
    return Tree(left, right, feature, _in_doubles(np.asarray(tree.threshold, np.float64)), values)


def _in_doubles(thresholds: Array) -> Array:
    """These trees ask whether the nearest float32 is t at most, and many a t is one: half way to the next answers."""
    near = thresholds.astype(np.float32)
    below = np.where(near > thresholds, np.nextafter(near, np.float32(-np.inf)), near)
    above = np.nextafter(below, np.float32(np.inf))
    return (below.astype(np.float64) + above.astype(np.float64)) / 2
