"""What can be revealed: statistics of columns, predictions of models, and whatever else keeps to this protocol."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

from icm_ray.errors import InputError

__all__ = ["Revealable", "reveal"]


@runtime_checkable
class Revealable(Protocol):
    """Something asked of a session and not yet answered."""

    @property
    def session(self) -> Any:
        """The session that answers it."""

    def check(self, to: str | None = None) -> None:
        """Raise what revealing it to `to` would raise before anything is shared."""

    @classmethod
    def reveal_together(cls, items: Sequence[Any], to: str | None = None) -> tuple[Any, ...]:
        """The results of several of this kind, in their order."""


def reveal(*items: Revealable, to: str | None = None) -> tuple[Any, ...]:
    """Reveal several results of one session, queries and predictions alike.

    Queries are one program, with shared rounds. Predictions are made one after the other, each of their batches is a
    program of its own; they come before the queries where one of them is the first item. What would be refused before
    anything is shared is found for all items first.

    Args:
        *items: Queries and predictions, one or more.
        to: The party or owner who receives the results; None: this process.

    Returns:
        What each item's own `reveal` returns, in the order of the items.

    Raises:
        InputError: No item, one that cannot be revealed, or items of different sessions.
        IcmError: Whatever an item's own `reveal` raises.

    Examples:
        >>> icm.reveal(visits["age"].mean(), visits["age"].max())
        (48.2, 70)
    """
    if not items:
        raise InputError("reveal takes one query or prediction, or more")
    given: tuple[object, ...] = items  # callers pass what they like
    for item in given:
        if isinstance(item, type) or not isinstance(item, Revealable):
            hint = "; give them one by one: icm.reveal(a, b)" if isinstance(item, list | tuple | set | dict) else ""
            raise InputError(f"only queries and predictions can be revealed, not {type(item).__name__}{hint}")
    if any(item.session is not items[0].session for item in items):
        raise InputError("results of different sessions cannot be revealed together")
    for item in items:
        item.check(to)
    found: dict[int, Any] = {}
    for kind in dict.fromkeys(type(item) for item in items):
        places = [place for place, item in enumerate(items) if type(item) is kind]
        found.update(zip(places, kind.reveal_together([items[place] for place in places], to), strict=True))
    return tuple(found[place] for place in range(len(items)))
