"""Keys of one address: from a secret of two workers and everything that names the use."""

from __future__ import annotations

from icm_ray.ops.seams import Address
from icm_ray.ring.prg import Key, derive_key

__all__ = ["key_for"]


def key_for(secret: bytes, purpose: str, address: Address) -> Key:
    """The stream key of two workers for one address; `secret` is theirs alone and new in every process."""
    return derive_key(secret, purpose, address.job, address.program, address.partition, address.attempt)
