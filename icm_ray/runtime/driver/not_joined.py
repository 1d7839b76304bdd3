"""Why a lane is not assembled: whoever finds a member gone leaves, too, and others see no more than that it left."""

from __future__ import annotations

from collections.abc import Mapping
from time import monotonic, sleep

from icm_ray.errors import FaultError, IcmError
from icm_ray.names import DRIVER
from icm_ray.runtime.driver.first_cause import Evidence, first_cause
from icm_ray.runtime.driver.handle import Pending

__all__ = ["why_not_joined"]


def why_not_joined(
    first: FaultError, joins: Mapping[str, Pending], organisations: Mapping[str, str], grace: float
) -> IcmError:
    """A member's refusal, if one says so within so many seconds; else the fault of whom nobody was lost before.

    first: what the driver saw. organisations: whose a member is, where its name does not say so.
    """
    said: dict[str, FaultError] = {}
    left, deadline = dict(joins), monotonic() + grace
    while left and monotonic() < deadline:
        for name in [name for name, pending in left.items() if pending.done()]:
            try:
                left.pop(name).result()
            except FaultError as error:
                said[name] = error
            except IcmError as refusal:
                return refusal
        if left:
            sleep(0.005)
    cause = first
    while cause.party in said:
        cause = said.pop(cause.party)
    return first_cause([Evidence(DRIVER, cause)], DRIVER, None, cause.step or "join", {}, organisations)
