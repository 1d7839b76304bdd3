"""icm-ray: secure analytics over additive shares, distributed with Ray.

Sessions, policies, errors and `reveal` are found here; frames, columns and models in `analytics`. What needs Ray is
imported when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from icm_ray import errors
from icm_ray.errors import *  # noqa: F403 - the whole tree, as its own list says
from icm_ray.revealable import reveal

if TYPE_CHECKING:
    from collections.abc import Callable

    from icm_ray.policy import Noise, Policy
    from icm_ray.query.withheld import Withheld
    from icm_ray.runtime.session import Session

    connect: Callable[..., Any]

__all__ = ["Noise", "Policy", "Session", "Withheld", "connect", "reveal"]
__all__ += errors.__all__

_LATER = {
    "Noise": "icm_ray.policy",
    "Policy": "icm_ray.policy",
    "Session": "icm_ray.runtime.session",
    "Withheld": "icm_ray.query.withheld",
    "connect": "analytics.organisations",  # by name: the engine stands below what users touch
}


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(import_module(_LATER[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
