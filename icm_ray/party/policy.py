"""What a party's own worker checks before it contributes to a program."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from icm_ray.errors import PolicyError
from icm_ray.ops.linear import Reveal
from icm_ray.ops.products import OwnedProduct
from icm_ray.program.program import Program

__all__ = ["Policy", "check_policy"]


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """What may be revealed of a dataset.

    min_rows: the fewest rows behind a revealed number; the program states how many there are, and one that states none
    is refused where more than one is asked for, unless it is a model's prediction.
    recipients: who may receive (None: anyone in the session).
    """

    min_rows: int = 1
    recipients: tuple[str, ...] | None = None


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
