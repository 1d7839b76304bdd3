"""icm-ray: secure analytics over additive shares, distributed with Ray.

Sessions, policies, errors and `reveal` are found here; frames, columns and models in `analytics`. What needs Ray is
imported when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from icm_ray.errors import (
    AddressReused,
    BoundError,
    BoundExceeded,
    ColumnError,
    Desynchronised,
    FaultError,
    IcmError,
    InputError,
    NullError,
    OwnerError,
    PeerLost,
    PeerRefused,
    PeerSilent,
    PlacementError,
    PolicyError,
    PoolExhausted,
    ProgramError,
    SessionClosed,
    SessionError,
    ShapeError,
    SourceError,
    StockError,
    UnsupportedError,
)

if TYPE_CHECKING:
    from icm_ray.policy import Policy
    from icm_ray.runtime.session import Session

__all__ = [
    "AddressReused",
    "BoundError",
    "BoundExceeded",
    "ColumnError",
    "Desynchronised",
    "FaultError",
    "IcmError",
    "InputError",
    "NullError",
    "OwnerError",
    "PeerLost",
    "PeerRefused",
    "PeerSilent",
    "PlacementError",
    "Policy",
    "PolicyError",
    "PoolExhausted",
    "ProgramError",
    "Session",
    "SessionClosed",
    "SessionError",
    "ShapeError",
    "SourceError",
    "StockError",
    "UnsupportedError",
    "reveal",
]

_LATER = {"Policy": "icm_ray.policy", "Session": "icm_ray.runtime.session"}


def reveal(*queries: Any, to: str | None = None) -> Any:
    """Several results of one session as one program, with shared rounds; a tuple in the order of the queries.

    to: who receives them; None: this process. Raises `InputError` without a query.

    Examples:
        >>> icm.reveal(visits["age"].mean(), visits["age"].max())
        (48.2, 70)
    """
    if not queries:
        raise InputError("reveal takes one query or more")
    return type(queries[0]).reveal_together(queries, to)


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(import_module(_LATER[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
