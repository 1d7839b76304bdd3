"""Programs that a worker has received before: the same one comes again for every batch and every partition."""

from __future__ import annotations

from icm_ray.program.program import Program, decode_program

__all__ = ["Programs"]


class Programs:
    """The latest programs by their bytes, decoded and checked; at most `limit` bytes of them, and always the last."""

    def __init__(self, limit: int = 4 << 20) -> None:
        self._limit, self._bytes = limit, 0
        self._kept: dict[bytes, Program] = {}  # in the order of their last use

    def __len__(self) -> int:
        return len(self._kept)

    def decoded(self, payload: bytes) -> Program:
        """As `decode_program`: raises `ProgramError` where it is not well formed, every time."""
        program = self._kept.pop(payload, None)
        if program is None:
            program = decode_program(payload)
            self._bytes += len(payload)
        self._kept[payload] = program
        while self._bytes > self._limit and len(self._kept) > 1:
            oldest = next(iter(self._kept))
            self._bytes -= len(oldest)
            del self._kept[oldest]
        return program
