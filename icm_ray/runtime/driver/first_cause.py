"""Which failure came first: several members report the same death, each in its own words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from icm_ray.errors import FaultError, PeerLost, PeerSilent

__all__ = ["Evidence", "first_cause"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """A failure as `observer` saw it: the driver, or a member of the lane."""

    observer: str
    error: FaultError


def first_cause(
    evidence: Sequence[Evidence],
    driver: str,
    partition: int | None,
    step: str,
    ended: Mapping[str, str] | None = None,
    organisations: Mapping[str, str] | None = None,
) -> FaultError:
    """The one error to raise, from evidence in the order of arrival.

    What the driver saw itself comes before what a member says of another: a member may have been cut off alone. Place
    and step are those of a member that was waiting for the lost one, if there is such.

    ended: why workers are known to be gone, by member, for those that are: a broken link alone does not say it.
    organisations: whose a member is, where its name does not say so.
    """
    seen = [item.error for item in evidence if item.observer == driver]
    error = (seen or [item.error for item in evidence])[0]
    gone = [item.party for item in seen if isinstance(item, PeerLost)]
    if isinstance(error, PeerSilent) and error.party not in gone and gone:
        error = next(item for item in seen if item.party == gone[0])
    told = next((item.error for item in evidence if item.observer != driver and item.error.party == error.party), error)
    where = {key: value for key, value in error.where.items() if key not in {"party", "partition", "step"}}
    why = (ended or {}).get(error.party, "")
    message = told.message if why in told.message else f"{told.message}: {why}"
    if whose := (organisations or {}).get(error.party):
        message, where["organisation"] = f"{whose} ({error.party}): {message}", whose
    return type(error)(
        message,
        party=error.party,
        partition=told.partition if told.partition is not None else partition,
        step=told.step if told.partition is not None else step,
        **where,
    )
