"""What is heard of a result that is for another organisation: that it is there."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Receipt"]


@dataclass(frozen=True, slots=True)
class Receipt:
    """A receipt says that a result is at the organisation that it is for, and nothing of what it is.

    `Query.reveal(to=...)` between organisations gives it: users do not call the class.

    Args:
        recipient: The organisation.
        number: The number that the result has there: `icm results`.

    Examples:
        >>> Receipt("bob", 3)
        <delivered to bob: result 3 there>
    """

    recipient: str
    number: int

    def __repr__(self) -> str:
        return f"<delivered to {self.recipient}: result {self.number} there>"
