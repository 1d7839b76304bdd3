"""What may be opened, from public facts alone: refused here is what need not reach a worker to be refused."""

from __future__ import annotations

from icm_ray.errors import InputError, OwnerError, PolicyError
from icm_ray.names import DRIVER
from icm_ray.query.lane_build import Members
from icm_ray.query.question import Asked, Question

__all__ = ["check_disclosure"]


def check_disclosure(asked: Asked, members: Members) -> None:
    """Refuse a question that the datasets' policies do not allow; sharing opens nothing.

    Errors: `InputError` (no statistics), `OwnerError` (a recipient that is no member), `PolicyError` (too few rows, or
    a recipient that a policy does not allow).
    """
    question = asked.what
    if not isinstance(question, Question):
        return
    if not question.statistics:
        raise InputError("there is nothing to reveal")
    there = (*members.parties, *members.owners)
    to = question.to
    if to not in (*there, DRIVER):
        raise OwnerError(f"the recipient {to!r} is not in the session; there are {', '.join(there)}", recipient=to)
    for statistic in question.statistics:
        rows = asked.rows(statistic.dataset)
        reason = None if rows.policy is None else rows.policy.objection(statistic.title, rows.count, to)
        if reason is not None:
            raise PolicyError(reason, dataset=rows.source, recipient=None if to == DRIVER else to)
