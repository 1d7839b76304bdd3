"""What a party's own worker checks before it contributes to a program."""

from __future__ import annotations

from collections.abc import Mapping

from icm_ray.errors import PolicyError, ProgramError
from icm_ray.ops.labels import Labels, rows_behind
from icm_ray.ops.linear import Load, Reveal, Store
from icm_ray.policy import Policy
from icm_ray.program.program import Program

__all__ = ["check_labels", "check_policy", "kept_labels"]

_VALUES = (Load, Store)


def check_policy(program: Program, policies: Mapping[str, Policy], me: str) -> None:
    """Raise `PolicyError` where a dataset that reaches a reveal has a policy here that refuses it; nothing has been
    shared yet.
    """
    if not policies:
        return
    labels = program.labels()
    for index, node in program.outward:
        if not isinstance(node.op, Reveal):
            continue
        for dataset in dict.fromkeys(label.dataset for label in labels[index]):
            policy = policies.get(dataset)
            if policy is None:
                continue
            reason = policy.objection(node.op.name, rows_behind(labels[index], dataset), node.op.to)
            if reason is not None:
                raise PolicyError(f"{me} refuses: {reason}", party=me, dataset=dataset)


def check_labels(program: Program, kept: Mapping[str, Labels], me: str) -> None:
    """Raise `ProgramError` where a value that this party keeps is made of other rows than the program says, or would be
    replaced by one that is. kept: whose rows each kept value is made of.
    """
    labels = program.labels()
    for index, node in program.outward:
        if isinstance(node.op, _VALUES) and kept.get(node.op.key, labels[index]) != labels[index]:
            raise ProgramError(f"{me} keeps {node.op.key} as made of other rows: {_names(kept[node.op.key])}")


def kept_labels(program: Program) -> dict[str, Labels]:
    """Whose rows the values are made of that the program leaves, by key."""
    labels = program.labels()
    return {node.op.key: labels[index] for index, node in program.outward if isinstance(node.op, Store)}


def _names(labels: Labels) -> str:
    parts = [f"{sum(rows for _, rows in label.parts)} of {label.owner} in {label.dataset}" for label in labels]
    return ", ".join(parts) or "none of a dataset"
