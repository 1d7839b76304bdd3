"""What a party's own worker checks before it contributes to a program."""

from __future__ import annotations

from collections.abc import Mapping

from icm_ray.errors import PolicyError
from icm_ray.ops.linear import Reveal
from icm_ray.ops.products import OwnedProduct
from icm_ray.policy import Policy
from icm_ray.program.program import Program

__all__ = ["check_policy"]


def check_policy(program: Program, policies: Mapping[str, Policy], me: str) -> None:
    """Raise `PolicyError` where a policy of this party refuses the program; nothing has been shared yet."""
    reveals = [node.op for node in program.nodes if isinstance(node.op, Reveal)]
    predicts = any(isinstance(node.op, OwnedProduct) for node in program.nodes)  # a model's result is no statistic
    for dataset, policy in policies.items():
        for reveal in reveals:
            if program.rows < policy.min_rows > 1 and not (predicts and not program.rows):
                raise PolicyError(
                    f"{me} refuses: {reveal.name} has {program.rows} rows behind it, fewer than {policy.min_rows}",
                    party=me,
                    dataset=dataset,
                )
            if policy.recipients is not None and reveal.to not in policy.recipients:
                raise PolicyError(f"{me} refuses: {reveal.to} may not receive {reveal.name}", party=me, dataset=dataset)
