"""The engine's only source of secret randomness: AES-128 in counter mode, and fresh seeds from the system.

A stream is named by (key, operation, tag); its counter block is operation(32) | tag(32) | chunk(32) | block(32), so
that no two streams of a key overlap. AES-CTR as a pseudorandom generator: NIST SP 800-90A, section 10.2.

The counter mode is that inside AES-GCM, of zeros: blocks of a chunk are counted from 2 (NIST SP 800-38D, section 7.1).
The tag is thrown away; even so it takes half as long as the library's bare counter mode.
"""

from __future__ import annotations

import hashlib
import secrets
import struct

import numpy as np
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from numpy.typing import NDArray

from icm_ray.profile import Part, spends

__all__ = ["KEY_BYTES", "Key", "derive_key", "derive_secret", "fresh_secret"]

KEY_BYTES = 16
_CHUNK = 1 << 18
_ZEROS = memoryview(bytes(_CHUNK))
_TAG = 16


class Key:
    """A key from which streams of uniform words are expanded. Never printed, pickled or compared."""

    __slots__ = ("_cipher",)

    def __init__(self, secret: bytes) -> None:
        if len(secret) != KEY_BYTES:
            raise ValueError(f"a stream key has {KEY_BYTES} bytes, not {len(secret)}")
        self._cipher = AESGCM(secret)

    def __repr__(self) -> str:
        return "Key(hidden)"

    def __reduce__(self) -> str:
        raise TypeError("a key does not leave its process")

    @spends(Part.PRG)
    def words(
        self, operation: int, tag: int, count: int, dtype: type[np.unsignedinteger] = np.uint64
    ) -> NDArray[np.unsignedinteger]:
        """`count` uniform words of stream (operation, tag); the same call gives the same words.

        Raises:
            ValueError: where the chunks of so long a stream would be counted in more than 32 bits, and repeat.
        """
        size = np.dtype(dtype).itemsize * count
        if size > _CHUNK << 32:
            raise ValueError(f"a stream has at most {_CHUNK << 32} bytes, not {size}")
        buffer = np.empty(size + _TAG, dtype=np.uint8)
        view = buffer.data
        for chunk, start in enumerate(range(0, max(size, 1), _CHUNK)):
            step = min(_CHUNK, size - start)
            zeros = _ZEROS if step == _CHUNK else _ZEROS[:step]
            # the next chunk overwrites the tag behind this one
            nonce = struct.pack(">III", operation, tag, chunk)
            self._cipher.encrypt_into(nonce, zeros, None, view[start : start + step + _TAG])
        return buffer[:size].view(dtype)


def derive_key(secret: bytes, *context: bytes | str | int) -> Key:
    """A stream key from a secret and the public context of its use (HKDF-SHA256, RFC 5869).

    Every part of the context is prefixed with its length, so that different contexts never give the same key.
    """
    return Key(_derive(secret, KEY_BYTES, context))


def derive_secret(secret: bytes, *context: bytes | str | int) -> bytes:
    """32 bytes from which keys are derived later on. Of a shorter output with the same context they are the
    continuation (RFC 5869, 2.3): no context may be used for both.
    """
    return _derive(secret, 32, context)


def _derive(secret: bytes, size: int, context: tuple[bytes | str | int, ...]) -> bytes:
    info = bytearray()
    for part in context:
        raw = part if isinstance(part, bytes) else str(part).encode()
        info += struct.pack(">I", len(raw)) + raw
    return HKDF(hashes.SHA256(), size, None, hashlib.sha256(info).digest()).derive(secret)


def fresh_secret(size: int = 32) -> bytes:
    """`size` bytes from the operating system's generator."""
    return secrets.token_bytes(size)
