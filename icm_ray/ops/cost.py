"""What an operation sends and waits for; declared here, measured by the transport, compared by a test."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

__all__ = ["Cost"]


@dataclass(frozen=True, slots=True)
class Cost:
    """rounds: exchanges that wait for one another; sent: payload bytes that each party sends; dealt: bytes of
    corrections; second: how many of these are for the party after the one whose turn it is.
    """

    rounds: int
    sent: tuple[int, ...]
    dealt: int
    second: int = 0

    @staticmethod
    @cache
    def free(parties: int) -> Cost:
        """Of what is computed without a word: the same for most of a program's operations."""
        return Cost(0, (0,) * parties, 0)

    @staticmethod
    def opening(parties: int, size: int, dealt: int = 0, rounds: int = 1, second: int = 0) -> Cost:
        """Every party sends `size` bytes to every other."""
        return Cost(rounds, (size * (parties - 1),) * parties, dealt, second)

    def then(self, other: Cost) -> Cost:
        """This, and `other` after it."""
        sent = tuple(a + b for a, b in zip(self.sent, other.sent, strict=True))
        return Cost(self.rounds + other.rounds, sent, self.dealt + other.dealt, self.second + other.second)

    def beside(self, other: Cost) -> Cost:
        """This and `other` in the same rounds."""
        both = self.then(other)
        return Cost(max(self.rounds, other.rounds), both.sent, both.dealt, both.second)
