"""What a party's own worker checks before it contributes to a program."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from icm_ray.errors import PolicyError
from icm_ray.ops.linear import Reveal
from icm_ray.program.program import Program

__all__ = ["Policy", "check_policy"]


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """What may be revealed of a dataset.

    min_rows: the fewest rows behind a revealed number. recipients: who may receive (None: anyone in the session).
    """

    min_rows: int = 1
    recipients: tuple[str, ...] | None = None


def check_policy(program: Program, policies: Mapping[str, Policy], me: str) -> None:
    """Raise `PolicyError` where a policy of this party refuses the program; nothing has been shared yet."""
    reveals = [node.op for node in program.nodes if isinstance(node.op, Reveal)]
    for dataset, policy in policies.items():
        for reveal in reveals:
            if program.rows and program.rows < policy.min_rows:
                raise PolicyError(
                    f"{me} refuses: {reveal.name} has {program.rows} rows behind it, fewer than {policy.min_rows}",
                    party=me,
                    dataset=dataset,
                )
            if policy.recipients is not None and reveal.to not in policy.recipients:
                raise PolicyError(f"{me} refuses: {reveal.to} may not receive {reveal.name}", party=me, dataset=dataset)
