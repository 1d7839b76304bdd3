"""A byte stream in records under AES-128-GCM (NIST SP 800-38D), for the bulk that links carry.

TLS proves who is there and agrees on a fresh secret (`channel.py`); after that its own records, of 16 KiB and through
two copies of Python's, would cost four times as much as these: a record is encrypted once into the buffer that is sent
and decrypted straight into the array that waits for it.

A record: length 4 | sealed bytes | tag 16; the length is authenticated with it. Records are counted by both sides, the
count is the nonce: one that was altered, repeated, left out or moved does not open, and the stream ends. A key belongs
to one direction of one link, and after 2^19 records (at most 128 GiB) the next follows from it.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Callable
from time import monotonic
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from icm_ray.ring.prg import KEY_BYTES, derive_secret
from icm_ray.transport.stream import PlainStream

__all__ = ["RECORD", "SealedStream"]

RECORD: Final = 256 << 10
"""The most that one record holds: larger ones leave a core's own cache, and a slow link has to bring a whole one in
time."""
_JOINED: Final = 16 << 10
"""Small buffers, a frame's header above all, are joined up to so many bytes."""
_LENGTH: Final = struct.Struct(">I")
_NONCE: Final = struct.Struct(">IQ")
_TAG: Final = 16
_EPOCH: Final = 1 << 19
"""Records under one key."""
_AROUND: Final = _LENGTH.size + _TAG
"""Bytes of a record beside those that it holds."""


class _Keys:
    """The cipher and the nonce of one record after the other. The secret behind keys that are over is forgotten."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._count = 0
        self._cipher = self._next_cipher()

    def _next_cipher(self) -> AESGCM:
        cipher = AESGCM(derive_secret(self._secret, "record key")[:KEY_BYTES])
        self._secret = derive_secret(self._secret, "next records")
        return cipher

    def use(self) -> tuple[AESGCM, bytes]:
        """For the next record, once."""
        epoch, index = divmod(self._count, _EPOCH)
        if epoch and not index:
            self._cipher = self._next_cipher()
        self._count += 1
        return self._cipher, _NONCE.pack(epoch, index)


class SealedStream:
    """One direction: it either sends or receives, for its key is good for one writer."""

    def __init__(self, plain: PlainStream, secret: bytes) -> None:
        self._plain = plain
        self._keys = _Keys(secret)
        # Sending: the record that is on its way, how much of it has left, and how many plain bytes it holds.
        self._sealed = memoryview(b"")
        self._left = memoryview(b"")
        self._holds = 0
        # Receiving: sealed bytes as they come, from `_start` to `_end`, and what was opened and not taken yet.
        self._came = memoryview(b"")
        self._start = self._end = 0
        self._clear = memoryview(b"")
        self._opened = memoryview(b"")
        self.wait_writable: Callable[[float], bool] = plain.wait_writable
        self.unread: Callable[[], int] = plain.unread
        self.shutdown: Callable[[], None] = plain.shutdown
        self.close: Callable[[], None] = plain.close

    def pending(self) -> bool:
        return len(self._opened) > 0 or self._end > self._start

    # ------------------------------------------------------------------------------------------------------ sending

    def send_some(self, views: list[memoryview]) -> int:
        """As promised, with the whole of a record as the least that counts as sent: until then the caller repeats."""
        if not self._left:
            self._seal(_piece(views))
        while self._left:
            sent = self._plain.send_some([self._left])
            if not sent:
                return 0
            self._left = self._left[sent:]
        return self._holds

    def _seal(self, piece: memoryview) -> None:
        if not self._sealed:
            self._sealed = memoryview(bytearray(RECORD + _AROUND))
        self._holds = len(piece)
        end = _LENGTH.size + len(piece) + _TAG
        head = self._sealed[: _LENGTH.size]
        _LENGTH.pack_into(head, 0, len(piece) + _TAG)
        cipher, nonce = self._keys.use()
        cipher.encrypt_into(nonce, piece, head, self._sealed[_LENGTH.size : end])
        self._left = self._sealed[:end]

    # ---------------------------------------------------------------------------------------------------- receiving

    def receive_into(self, view: memoryview, timeout: float) -> int:
        if not self._opened:
            size = self._whole_record(timeout)
            if not size:
                return 0
            if size <= len(view):
                self._open(view[:size])
                return size
            if not self._clear:
                self._clear = memoryview(bytearray(RECORD))
            self._open(self._clear[:size])
            self._opened = self._clear[:size]
        count = min(len(view), len(self._opened))
        view[:count] = self._opened[:count]
        self._opened = self._opened[count:]
        return count

    def _whole_record(self, timeout: float) -> int:
        """Wait until the next record is there; how many bytes it holds, 0 where the stream has ended. A timeout leaves
        what came where it is."""
        if not self._came:
            self._came = memoryview(bytearray(RECORD + _AROUND + _LENGTH.size))
        until = monotonic() + timeout
        while (wanted := self._wanted()) > self._end - self._start:
            if self._start:
                rest = bytes(self._came[self._start : self._end])
                self._came[: len(rest)] = rest
                self._start, self._end = 0, len(rest)
            # Of the record after this one its length alone, which says how much to ask for then: what lies here has to
            # be moved.
            most = wanted if wanted > _LENGTH.size else _JOINED + _AROUND
            count = self._plain.receive_into(self._came[self._end : most + _LENGTH.size], timeout)
            if not count:
                return 0
            self._end += count
            if monotonic() > until and self._wanted() > self._end:
                raise TimeoutError
        return wanted - _AROUND

    def _wanted(self) -> int:
        """So many bytes the record in front has, or its length if that is not there yet."""
        if self._end - self._start < _LENGTH.size:
            return _LENGTH.size
        (length,) = _LENGTH.unpack_from(self._came, self._start)
        if not _TAG < length <= RECORD + _TAG:
            raise OSError(errno.EBADMSG, "a record of an impossible length")
        return _LENGTH.size + int(length)

    def _open(self, view: memoryview) -> None:
        """The record in front, which is there, into `view`, which is as long."""
        body = self._start + _LENGTH.size
        end = body + len(view) + _TAG
        cipher, nonce = self._keys.use()
        try:
            cipher.decrypt_into(nonce, self._came[body:end], self._came[self._start : body], view)
        except InvalidTag:
            raise OSError(errno.EBADMSG, "a record was altered, repeated or left out") from None
        self._start = end
        if self._start == self._end:
            self._start = self._end = 0


def _piece(views: list[memoryview]) -> memoryview:
    """What the next record is to hold: of a large buffer a part as it is, small ones joined."""
    first = views[0]
    if len(first) >= _JOINED or len(views) == 1:
        return first[:RECORD]
    joined = bytearray()
    for view in views:
        joined += view[: _JOINED - len(joined)]
        if len(joined) == _JOINED:
            break
    return memoryview(joined)
