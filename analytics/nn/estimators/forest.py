"""Decision trees as a network: every question of every tree at once, then every leaf, then the sum of those reached.

    b_n = [t_n - x_f(n) >= 0]             for each question n: 1 goes left
    l_k = [sum_n S_kn b_n - c_k >= 0]     for each leaf k: S is 1 where the way to it goes left, -1 where it goes right,
                                          c_k how often it goes left; 1 where all answers are those on its way
    y   = sum_k v_k l_k

What is computed does not depend on the data. Which feature is asked for, thresholds, the trees' shapes and values are
weights; public are the number of trees, and of the questions and leaves of the largest. Smaller trees are filled up
with questions of nothing, and leaves that are never reached.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from analytics.nn.estimators.reading import Array, Scaled
from analytics.nn.torch_ops.building import GraphBuilder, Refused, Wire
from icm_ray.network.layers import AtLeast, Conv, Leaves, Linear

__all__ = ["Tree", "add_forest", "evaluate"]

_MOST = 1 << 24  # weights between questions and leaves
Whole = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Tree:
    """left, right: the numbers of children by node, -1 at leaves. feature, threshold: left where x[feature] <=
    threshold. values: (nodes, outputs), of leaves.
    """

    left: Whole
    right: Whole
    feature: Whole
    threshold: Array
    values: Array

    def ways(self) -> tuple[list[int], list[tuple[int, dict[int, int]]]]:
        """The nodes that ask, and for each leaf the answers on its way: 1 for left, -1 for right, by node."""
        asks: list[int] = []
        leaves: list[tuple[int, dict[int, int]]] = []
        pending: list[tuple[int, dict[int, int]]] = [(0, {})]
        while pending:
            node, way = pending.pop()
            if self.left[node] < 0:
                leaves.append((node, way))
                continue
            asks.append(node)
            pending += [(int(self.right[node]), {**way, node: -1}), (int(self.left[node]), {**way, node: 1})]
        return asks, leaves


def add_forest(build: GraphBuilder, trees: Sequence[Tree], seen: Scaled, x: Wire, bias: Array) -> Wire:
    """The sum of the trees' values, plus `bias` (outputs,), of the features x."""
    ways = [tree.ways() for tree in trees]
    count, outputs = len(trees), trees[0].values.shape[1]
    asked, reached = (max(1, *(len(way[part]) for way in ways)) for part in range(2))
    if count * asked * reached > _MOST:
        raise Refused(
            f"its {count} trees of up to {reached} leaves are too many: {count} x {asked} x {reached} is more than"
            f" {_MOST}; fit fewer, or shallower ones"
        )
    pick, limits = np.zeros((count, asked, x.shape[0])), np.ones((count, asked))
    paths, counts = np.zeros((count, reached, asked)), np.full((count, reached), -1.0)
    values = np.zeros((outputs, count, reached))
    for number, (tree, (asks, leaves)) in enumerate(zip(trees, ways, strict=True)):
        for place, node in enumerate(asks):
            feature, limit = int(tree.feature[node]), float(tree.threshold[node])
            if np.isfinite(limit):  # a question whose answer is known stays one of nothing: 1 >= 0
                pick[number, place, feature] = -1
                limits[number, place] = seen.before(limit, feature)
        places = {node: place for place, node in enumerate(asks)}
        for place, (leaf, way) in enumerate(leaves):
            counts[number, place] = -sum(side > 0 for side in way.values())
            values[:, number, place] = tree.values[leaf]
            for node, side in way.items():
                paths[number, place, places[node]] = side
        values[:, number, len(leaves) :] = values[:, number, :1]
        if not asks:  # a question of nothing leads to a leaf that is alone
            paths[number, 0, 0], counts[number, 0] = 1, -1
    flat = {"weight": torch.from_numpy(pick.reshape(count * asked, -1)), "bias": torch.from_numpy(limits.ravel())}
    y = build.emit(Linear, x, shape=(count * asked,), whole=True, **flat)
    y = build.reshape(build.emit(AtLeast, y, shape=y.shape, at=0.0), (count * asked, 1, 1))
    square, none = (1, 1), ((0, 0), (0, 0))
    y = build.emit(
        Conv,
        y,
        shape=(count * reached, 1, 1),
        weight=torch.from_numpy(paths.reshape(count * reached, asked, 1, 1)),
        bias=torch.from_numpy(counts.ravel()),
        kernel=square,
        stride=square,
        padding=none,
        dilation=square,
        groups=count,
        whole=True,
    )
    y = build.reshape(build.emit(AtLeast, y, shape=y.shape, at=0.0, whole=True), (count * reached,))
    facts = {"weight": torch.from_numpy(values.reshape(outputs, -1)), "bias": torch.from_numpy(bias.copy())}
    return build.emit(Leaves, y, shape=(outputs,), trees=count, **facts)


def evaluate(trees: Sequence[Tree], row: Array) -> Array:
    """The sum of the trees' values for one row of what they see, (outputs,)."""
    total = np.zeros(trees[0].values.shape[1])
    for tree in trees:
        node = 0
        while tree.left[node] >= 0:
            goes_left = row[tree.feature[node]] <= tree.threshold[node]
            node = int(tree.left[node] if goes_left else tree.right[node])
        total += tree.values[node]
    return total
