"""What lanes between organisations are to whoever asks in them, whether they are there or not."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from icm_ray.errors import SessionClosed
from icm_ray.names import DRIVER

if TYPE_CHECKING:
    from icm_ray.instance.catalogue import PublicDataset
    from icm_ray.instance.engine import Organisation
    from icm_ray.instance.user_link import UserLink

__all__ = ["OfOrganisation", "connected"]

T = TypeVar("T")
_Lanes = Callable[[tuple[str, ...]], T]


class OfOrganisation:
    """The part of `Engine` that is of the connection with the own organisation's instance.

    _wider: of whoever made these lanes, those with others, as far as they are there; None once that is gone. held: by
    table the owner, and what its catalogue said of the dataset.
    """

    _own: Organisation
    _wider: Callable[[], _Lanes[Any] | None]
    held: dict[str, tuple[str, PublicDataset]]

    @property
    def link(self) -> UserLink:
        """With the own instance."""
        return self._own.link

    @property
    def recipient(self) -> str:
        """Who receives results where nobody is named: this organisation."""
        return self._own.name

    def hears(self, recipient: str) -> bool:
        """What is for this organisation."""
        return recipient in {self._own.name, DRIVER}

    @property
    def home(self) -> object:
        """The connection's organisation."""
        return self._own

    def among(self, others: Iterable[str]) -> Any:
        """The lanes of the same connection with these others, an `AwayEngine` where some are away. Errors:
        `SessionClosed` where nobody has that any more, those of assembling them.
        """
        return connected(self._wider)(tuple(sorted({*others} - {self._own.name})))

    def waits(self, table: str) -> bool:
        """As the owner's catalogue said."""
        return table in self.held and self.held[table][1].waits


def connected(lanes: Callable[[], _Lanes[T] | None]) -> _Lanes[T]:
    """Whoever has lanes. Errors: `SessionClosed` once that is gone."""
    if (found := lanes()) is None:
        raise SessionClosed("the connection that this frame was taken from is gone: keep it as long as its frames")
    return found
