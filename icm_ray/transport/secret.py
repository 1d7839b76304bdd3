"""The secret of two workers: from a fresh nonce of each, exchanged over their link when it is opened.

Over TLS nobody else sees the nonces; a new process has new nonces, so that nothing derived before can be derived again.
"""

from __future__ import annotations

import hashlib

from icm_ray.errors import PeerRefused
from icm_ray.ops.seams import Link
from icm_ray.ring.prg import fresh_secret

__all__ = ["derive_pair_secret"]

_NONCE_BYTES = 32


def derive_pair_secret(link: Link, first: bool) -> bytes:
    """The common secret (32 bytes); exactly one side is `first`."""
    mine = fresh_secret(_NONCE_BYTES)
    link.send_message(mine)
    theirs = link.receive_message()
    if len(theirs) != _NONCE_BYTES or theirs == mine:
        raise PeerRefused("the peer's nonce is not one", party=link.peer, step="handshake")
    return hashlib.sha256(b"icm-ray secret" + (mine + theirs if first else theirs + mine)).digest()
