"""Secrets and stream keys of slots. Their purposes are their own: no live run has an address in common with a slot."""

from __future__ import annotations

from icm_ray.ring.prg import Key, derive_key, derive_secret

__all__ = ["slot_key", "slot_secret"]


def slot_secret(secret: bytes, program: bytes, store: bytes, offset: int, attempt: int) -> bytes:
    """The 32 bytes of (party, dealer, slot): from what the two share in this session, and what is new in each
    preparation, the store's name and the attempt.
    """
    return derive_secret(secret, "slot secret", program, store, offset, attempt)


def slot_key(secret: bytes, program: bytes, store: bytes, offset: int) -> Key:
    """The stream key of a slot, from its own secret."""
    return derive_key(secret, "slot", program, store, offset)
