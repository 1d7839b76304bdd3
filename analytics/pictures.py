"""Pictures of an organisation's catalogue, by name: models predict on them where they lie."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Pictures"]


@dataclass(frozen=True, slots=True)
class Pictures:
    """So many images of `owner`'s, which its own worker reads; `session.peer(owner)[name]` finds them.

    Args:
        owner: The organisation that has them.
        name: Theirs in its catalogue.
        count: How many there are.
    """

    owner: str
    name: str
    count: int

    def __len__(self) -> int:
        return self.count
