"""The errors of the engine: one tree, rooted at `IcmError`.

IcmError
├── InputError            bad input, found before anything is shared (also a ValueError)
│   ├── ColumnError       unknown, missing, unequal or non-numeric columns
│   ├── NullError         null, NaN or infinite values
│   ├── BoundError        a value beyond its declared bound, or a bound that the ring cannot hold
│   ├── ShapeError        shapes or dtypes that do not fit
│   ├── OwnerError        an owner or recipient that the session does not have, or without data
│   ├── SourceError       a file that is missing or cannot be read
│   └── UnsupportedError  an operation or layer that the engine does not have
├── ProgramError          a program that is not well formed
├── PolicyError           a party's policy refuses the program
├── SessionError          the session cannot be used
│   ├── SessionClosed     it was closed
│   ├── PlacementError    a party's workers cannot be placed
│   └── StockError        a member's directory of prepared randomness cannot be used, or is full
└── FaultError            something failed in the middle; names party, partition and step
    ├── PeerLost          a peer's process or connection is gone
    ├── PeerSilent        a peer sent nothing for longer than the limit
    ├── PeerRefused       a peer could not be authenticated
    ├── Desynchronised    a frame of another program, partition, attempt or step
    ├── AddressReused     an address of dealt randomness was asked for twice
    ├── BoundExceeded     the checked bound of a program was exceeded by a private value
    ├── PoolExhausted     a sort's random order needed more comparisons than were dealt (less than once in 2^40)
    └── StockMismatch     members disagree on prepared randomness: a store was copied, rolled back or damaged
"""

from __future__ import annotations

from typing import Any, Self

__all__ = [
    "AddressReused",
    "BoundError",
    "BoundExceeded",
    "ColumnError",
    "Desynchronised",
    "FaultError",
    "IcmError",
    "InputError",
    "NullError",
    "OwnerError",
    "PeerLost",
    "PeerRefused",
    "PeerSilent",
    "PlacementError",
    "PolicyError",
    "PoolExhausted",
    "ProgramError",
    "SessionClosed",
    "SessionError",
    "ShapeError",
    "SourceError",
    "StockError",
    "StockMismatch",
    "UnsupportedError",
]


def _rebuild(cls: type[IcmError], message: str, where: dict[str, Any]) -> IcmError:
    return cls(message, **where)


class IcmError(Exception):
    """Root of every error that the engine raises on purpose.

    `where` holds public facts alone (names, counts, sizes); it travels through pickle unchanged.
    """

    def __init__(self, message: str, **where: Any) -> None:
        super().__init__(message)
        self.message = message
        self.where = where

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.message, self.where)

    def of_owner(self, owner: str) -> Self:
        """The same error, its text naming the owner whose input was wrong; itself where it names it already."""
        if owner in self.message:
            return self
        return type(self)(f"{owner}: {self.message}", **{**self.where, "owner": owner})


class InputError(IcmError, ValueError):
    """Bad input, found before anything is shared."""


class ColumnError(InputError):
    """An unknown, missing, unequal or non-numeric column."""


class NullError(InputError):
    """A null, NaN or infinite value where only finite numbers are taken."""


class BoundError(InputError):
    """A value beyond its declared bound, or a bound that the ring cannot hold."""


class ShapeError(InputError):
    """Shapes or dtypes that do not fit together."""


class OwnerError(InputError):
    """An owner or recipient that the session does not have, or an owner without data."""


class SourceError(InputError):
    """A file that is missing or cannot be read."""


class UnsupportedError(InputError):
    """An operation or layer that the engine does not have."""


class ProgramError(IcmError):
    """A program that is not well formed."""


class PolicyError(IcmError):
    """A party's policy refuses to contribute to a program."""


class SessionError(IcmError):
    """The session cannot be used."""


class SessionClosed(SessionError):
    """The session was closed."""


class PlacementError(SessionError):
    """A party's workers cannot be placed on the cluster; names the party and what is missing."""


class StockError(SessionError):
    """A member's directory of prepared randomness cannot be made, opened or written; names the path and the cause.

    A session that was open stays usable: what was to be prepared is dealt when it is needed.
    """


class FaultError(IcmError):
    """A failure in the middle of a job: `party` is whom it was waited for, `step` what was being done."""

    def __init__(
        self, message: str, *, party: str = "", partition: int | None = None, step: str = "", **where: Any
    ) -> None:
        super().__init__(message, party=party, partition=partition, step=step, **where)
        self.party = party
        self.partition = partition
        self.step = step


class PeerLost(FaultError):
    """A peer's process or connection is gone."""


class PeerSilent(FaultError):
    """A peer sent nothing, not even a heartbeat, for longer than the limit."""


class PeerRefused(FaultError):
    """A peer could not be authenticated."""


class Desynchronised(FaultError):
    """A frame of another program, partition, attempt or step arrived."""


class AddressReused(FaultError):
    """An address of dealt randomness was asked for twice."""


class BoundExceeded(FaultError):
    """The checked bound of a program was exceeded; the result would have been wrong and is withheld."""


class PoolExhausted(FaultError):
    """A sort's random order needed more comparisons than were dealt: less than once in 2^40 sorts; repeat it."""


class StockMismatch(FaultError):
    """Members disagree on prepared randomness, or a member's store is damaged; `where["differs"]` says in what.

    Nothing was shared. The stock of the program is given up, so that its next run is dealt live.
    """
