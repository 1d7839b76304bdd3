"""One direction of a link: a byte stream that is written by one thread and read by one other.

A wait ends with TimeoutError, a broken connection or a record that does not open with another OSError, an ended
connection with 0 bytes.
"""

from __future__ import annotations

import fcntl
import select
import socket
import struct
import termios
from pathlib import Path
from time import monotonic
from typing import Final, Protocol

from icm_ray.transport.config import TransportConfig

__all__ = ["PlainStream", "Stream", "tune"]

_IOV_LIMIT: Final = 512
"""Below the kernel's 1024 buffers for one sendmsg."""
_HOPE: Final = 3
"""So many looks in vain in a row, and the next `_RETRY_AFTER` reads go to sleep at once."""
_RETRY_AFTER: Final = 100
_SEND_FLAGS: Final = socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL


class Stream(Protocol):
    """What sender and receiver need of a connection."""

    def receive_into(self, view: memoryview, timeout: float) -> int:
        """Wait for at least one byte; returns how many came, 0 at the end of the stream."""

    def send_some(self, views: list[memoryview]) -> int:
        """Send what fits without waiting; 0 if nothing does. After 0 the next call must begin with the same bytes."""

    def wait_writable(self, timeout: float) -> bool:
        """Wait until `send_some` may get further."""

    def pending(self) -> bool:
        """Whether decrypted bytes wait inside the stream. Only for the reading thread."""

    def unread(self) -> int:
        """Bytes in the kernel that nobody has read yet. For any thread."""

    def shutdown(self) -> None:
        """End both directions now; whoever waits in this stream wakes up. For any thread."""

    def close(self) -> None:
        """Give back the file descriptor; nobody may be using the stream."""


class PlainStream:
    """A TCP socket. No secrecy, no authentication."""

    def __init__(self, sock: socket.socket, spin: float) -> None:
        sock.settimeout(None)
        self._sock = sock
        self._fd = sock.fileno()
        self._spin = spin
        self._hope = _HOPE
        self._skip = 0
        self._timeout = -1.0
        self._writable = select.poll()
        self._writable.register(self._fd, select.POLLOUT)
        self._readable = select.poll()
        self._readable.register(self._fd, select.POLLIN)

    def wait_writable(self, timeout: float) -> bool:
        return bool(self._writable.poll(timeout * 1000))

    def pending(self) -> bool:
        return False

    def _watch(self) -> None:
        """Look for bytes for a moment before going to sleep: to wake a sleeping CPU costs more than most answers take.

        Only while it pays: where cores are short, or answers take long, it gives up and tries again now and then.
        """
        if self._skip:
            self._skip -= 1
            return
        until = monotonic() + self._spin
        while not self._readable.poll(0):
            if monotonic() > until:
                self._hope -= 1
                if not self._hope:
                    self._hope, self._skip = 1, _RETRY_AFTER
                return
        self._hope = _HOPE

    def _came_meanwhile(self) -> bool:
        """Whether there is something to read although a wait has just ended in vain: whoever holds the interpreter for
        long keeps a reader from looking again before its time is over."""
        return bool(self._readable.poll(0))

    def unread(self) -> int:
        count = bytearray(4)
        fcntl.ioctl(self._fd, termios.FIONREAD, count)
        return int.from_bytes(count, "little")

    def shutdown(self) -> None:
        try:
            self._sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # already gone, which is what was wanted

    def close(self) -> None:
        self._sock.close()

    def receive_into(self, view: memoryview, timeout: float) -> int:
        if timeout != self._timeout:
            # The kernel's own timeout: one system call for each read, where Python's would poll first.
            micros = max(1000, int(timeout * 1e6))
            self._sock.setsockopt(
                socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", micros // 1_000_000, micros % 1_000_000)
            )
            self._timeout = timeout
        if self._spin:
            self._watch()
        try:
            return self._sock.recv_into(view)
        except BlockingIOError:
            if not self._came_meanwhile():
                raise TimeoutError from None
        return self._sock.recv_into(view)

    def send_some(self, views: list[memoryview]) -> int:
        try:
            return self._sock.sendmsg(views if len(views) <= _IOV_LIMIT else views[:_IOV_LIMIT], (), _SEND_FLAGS)
        except BlockingIOError:
            return 0


def tune(sock: socket.socket, config: TransportConfig) -> None:
    """No Nagle delay; kernel buffers of a fixed size if one is asked for and the system allows it.

    Asking for more than the system's maximum would switch its automatic growth off and end up with less.
    """
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if not config.socket_buffer:
        return
    for option, limit in ((socket.SO_SNDBUF, "wmem_max"), (socket.SO_RCVBUF, "rmem_max")):
        path = Path("/proc/sys/net/core") / limit
        if path.exists() and int(path.read_text()) >= config.socket_buffer:
            sock.setsockopt(socket.SOL_SOCKET, option, config.socket_buffer)
