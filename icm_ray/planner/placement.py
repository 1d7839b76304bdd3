"""Where the workers of lanes may run, how many lanes a cluster carries, and how much of a CPU each worker asks for.

Pure: a snapshot of the nodes goes in. What cannot be placed is a typed error at once, since Ray would wait for ever.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from icm_ray.errors import InputError, PlacementError
from icm_ray.names import DEALER

__all__ = ["LABEL", "WORKER_BYTES", "LanePlacement", "NodeFacts", "place"]

LABEL: Final = "icm-party"
"""The key of the node label that says whose node it is."""
_STEP: Final = 10_000
"""Ray counts CPUs in steps of 1/10000."""
_LEAST: Final = 0.001
WORKER_BYTES: Final = 200 << 20
"""What a worker takes before it has any data, measured."""


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """One living node: CPUs that nobody has asked for, labels, and bytes of memory that workers may take."""

    name: str
    cpus: float
    labels: Mapping[str, str] = field(default_factory=dict)
    memory: float = math.inf


@dataclass(frozen=True, slots=True)
class LanePlacement:
    """lanes; cpus: what every worker asks for; selectors: by worker's name, the labels that its node must have.

    notice: what will be started, in words, where lanes were asked for that have no CPU for each worker; else empty.
    """

    lanes: int
    cpus: float
    selectors: Mapping[str, Mapping[str, str]]
    notice: str = ""


def place(
    nodes: Sequence[NodeFacts],
    parties: Sequence[str],
    owners: Sequence[str] = (),
    lanes: int | None = None,
    taken: str = "",
) -> LanePlacement:
    """Place `lanes` lanes (None: as many as there is a CPU for each worker of, and one at least).

    The workers' CPUs together leave one CPU free, for reading data beside them, or half of the CPUs where there are
    fewer than two. taken: what to end where there are none, in words. Where any
    node bears the label `icm-party`, the workers of a party or owner run only on nodes that bear its name, the dealer's
    on nodes labelled `dealer`, or on those without the label.
    """
    if lanes is not None and lanes < 1:
        raise InputError(f"{lanes} lanes; a session has one at least")
    names = (*parties, *owners, DEALER)
    groups = _groups(nodes, names)
    free = sum(node.cpus for node in nodes)
    budget = max(free - 1, free / 2)
    for name, (_, allowed) in groups.items():
        if sum(node.cpus for node in allowed) < _LEAST or budget < _LEAST:
            raise PlacementError(
                f"{name}: no free CPU on {_named(allowed)}; {taken or 'end what uses it'}, or add a node",
                party=name,
                missing="CPU",
            )
    shared = _shared(groups)
    most = math.inf if lanes is not None else 1.0  # whoever asks for few lanes gets wide ones
    if lanes is None:
        lanes = int(budget // len(names))
        for together, allowed in shared:
            lanes = min(lanes, _room(allowed, 1.0) // len(together))
        lanes = max(lanes, 1)
    cpus = min(most, budget / (lanes * len(names)))
    for together, allowed in shared:
        cpus = min(cpus, _largest(allowed, lanes * len(together), cpus))
    cpus = math.floor(cpus) if cpus > 1 else math.floor(cpus * _STEP) / _STEP  # a worker has whole threads
    if cpus < _LEAST:
        raise PlacementError(
            f"{names[0]}: {lanes} lanes of {len(names)} workers do not fit {free:g} free CPUs; ask for fewer lanes",
            party=names[0],
            missing="CPU",
        )
    _check_memory(shared, lanes, len(names))
    notice = ""
    if lanes > 1 and cpus < 1:
        workers = lanes * len(names)
        notice = (
            f"{lanes} lanes of {len(names)} workers: {workers} processes start, with "
            f"{workers * WORKER_BYTES / 1e9:.1f} GB of memory before any data, on {free:g} free CPUs"
        )
    return LanePlacement(lanes, cpus, {name: selector for name, (selector, _) in groups.items()}, notice)


def _check_memory(shared: list[tuple[list[str], tuple[NodeFacts, ...]]], lanes: int, size: int) -> None:
    for together, allowed in shared:
        needed, there = lanes * len(together) * WORKER_BYTES, sum(node.memory for node in allowed)
        if needed > there and lanes > 1:
            raise PlacementError(
                f"{together[0]}: {lanes} lanes of {size} workers need {needed / 1e9:.1f} GB of memory on "
                f"{_named(allowed)} before any data, and {there / 1e9:.1f} GB are free; ask for fewer lanes",
                party=together[0],
                missing="memory",
            )


_Group = tuple[dict[str, str], tuple[NodeFacts, ...]]


def _groups(nodes: Sequence[NodeFacts], names: Iterable[str]) -> dict[str, _Group]:
    """For each name: what to select by, and the nodes that fit."""
    labels = sorted({node.labels[LABEL] for node in nodes if LABEL in node.labels})
    if not labels:
        return {name: ({}, tuple(nodes)) for name in names}
    groups: dict[str, _Group] = {}
    for name in names:
        own = tuple(node for node in nodes if node.labels.get(LABEL) == name)
        selector = {LABEL: name}
        if name == DEALER and not own:
            own = tuple(node for node in nodes if LABEL not in node.labels)
            selector = {LABEL: f"!in({','.join(labels)})"}
        if not own:
            also = ", and every node bears that label" if name == DEALER else ""
            raise PlacementError(
                f"{name}: no node has the label {LABEL}={name}{also}; there are {', '.join(labels)}",
                party=name,
                missing=f"{LABEL}={name}",
            )
        groups[name] = (selector, own)
    return groups


def _shared(groups: Mapping[str, _Group]) -> list[tuple[list[str], tuple[NodeFacts, ...]]]:
    """Names that share their nodes. Two sets of nodes are the same or have none in common."""
    together: dict[tuple[str, ...], tuple[list[str], tuple[NodeFacts, ...]]] = {}
    for name, (_, allowed) in groups.items():
        together.setdefault(tuple(node.name for node in allowed), ([], allowed))[0].append(name)
    return list(together.values())


def _room(nodes: Iterable[NodeFacts], cpus: float) -> int:
    """How many workers of `cpus` each the nodes hold."""
    return sum(int((node.cpus + 1e-9) / cpus) for node in nodes)


def _largest(nodes: Sequence[NodeFacts], workers: int, most: float) -> float:
    """The largest share of a CPU, up to `most`, of which the nodes hold `workers`."""
    if _room(nodes, most) >= workers:
        return most
    shares = sorted({node.cpus / count for node in nodes for count in range(1, workers + 1)}, reverse=True)
    return next((share for share in shares if share > 0 and share <= most and _room(nodes, share) >= workers), 0.0)


def _named(nodes: Sequence[NodeFacts]) -> str:
    return ", ".join(node.name for node in nodes) if nodes else "the cluster, which has no node"
