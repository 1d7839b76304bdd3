"""The errors of the engine: one tree, rooted at `IcmError`. Their codes are in `icm_ray.error_codes`.

```text
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
│   ├── StockError        a member's directory of prepared randomness cannot be used, or is full
│   ├── LedgerChanged     another session asked about the dataset at the same time; asking again answers
│   └── InstanceError     an organisation's instance is not set up for this, or will not do it
└── FaultError            something failed in the middle; names party, partition and step
    ├── PeerLost          a peer's process or connection is gone
    ├── PeerSilent        a peer sent nothing for longer than the limit
    ├── PeerRefused       a peer could not be authenticated
    ├── Desynchronised    a frame of another program, partition, attempt or step
    ├── AddressReused     an address of dealt randomness was asked for twice
    ├── BoundExceeded     the checked bound of a program was exceeded by a private value
    ├── PoolExhausted     a sort's random order needed more comparisons than were dealt (less than once in 2^40)
    └── StockMismatch     members disagree on prepared randomness: a store was copied, rolled back or damaged
```
"""

from __future__ import annotations

import re
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
    "InstanceError",
    "LedgerChanged",
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
    """The engine raises an `IcmError` of some kind for all that it refuses and all that it sees fail.

    Args:
        message: What was wrong and what to do, in words; an attribute too. It holds nothing private.
        **where: Public facts alone (names, counts, sizes), kept as a dict, `where`; they travel through pickle
            unchanged.

    Examples:
        >>> try:
        ...     visits["aeg"]
        ... except icm.IcmError as error:
        ...     print(error, error.where)
        no column 'aeg'; did you mean 'age'? {'column': 'aeg'}
    """

    def __init__(self, message: str, **where: Any) -> None:
        super().__init__(message)
        self.message = message
        self.where = where

    @property
    def code(self) -> str:
        """The stable code of this kind of error; `icm help E305` says what one means.

        Examples:
            >>> icm.InstanceError("there is no instance").code
            'E305'
        """
        from icm_ray.error_codes import error_code

        return error_code(type(self)).code

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.message, self.where)

    def of_owner(self, owner: str) -> Self:
        """Name the owner whose input was wrong.

        Args:
            owner: Its name.

        Returns:
            The same kind of error, its text beginning with the owner's name; itself where it names the owner already.

        Examples:
            >>> icm.NullError("column 'x' has null values", column="x").of_owner("bob").where
            {'column': 'x', 'owner': 'bob'}
        """
        if re.match(rf"{re.escape(owner)}\b", self.message) or self.where.get("owner") == owner:
            return self
        return type(self)(f"{owner}: {self.message}", **{**self.where, "owner": owner})


class InputError(IcmError, ValueError):
    """The engine refuses bad input, before anything is shared.

    Examples:
        >>> try:
        ...     visits["age"].var(ddof=-1)
        ... except icm.InputError as error:
        ...     print(error)
        ddof must be a whole number from 0 on, not -1
    """


class ColumnError(InputError):
    """A column is unknown or missing, is not of one kind, or holds no numbers.

    Examples:
        >>> try:
        ...     visits["ward"].mean()
        ... except icm.ColumnError as error:
        ...     print(error.where["column"])
        ward
    """


class NullError(InputError):
    """A value is null, NaN or infinite where only finite numbers are taken.

    Examples:
        >>> try:
        ...     an.from_pandas(session, {"alice": pd.DataFrame({"x": [1.0, np.inf]})}).share()
        ... except icm.NullError as error:
        ...     print(error.where["column"])
        x
    """


class BoundError(InputError):
    """A value exceeds its declared bound, or the ring cannot hold a bound.

    Examples:
        >>> try:
        ...     an.from_pandas(session, {"alice": pd.DataFrame({"x": [1.0]})}, bounds={"x": -1})
        ... except icm.BoundError as error:
        ...     print(error.where["column"])
        x
    """


class ShapeError(InputError):
    """Shapes or dtypes do not fit together.

    Examples:
        >>> try:
        ...     model.predict(np.zeros((2, 3)), owner="bob")
        ... except icm.ShapeError as error:
        ...     print(type(error).__name__)
        ShapeError
    """


class OwnerError(InputError):
    """The session does not have an owner or recipient, or nobody brings data.

    Examples:
        >>> try:
        ...     visits["age"].mean().reveal(to="carol")
        ... except icm.OwnerError as error:
        ...     print(error)
        the recipient 'carol' is not in the session; there are alice, bob
    """


class SourceError(InputError):
    """A file is missing, was changed, or cannot be read.

    Examples:
        >>> try:
        ...     an.read_csv(session, {"alice": "/nowhere.csv"})
        ... except icm.SourceError as error:
        ...     print(error.where["path"])
        /nowhere.csv
    """


class UnsupportedError(InputError):
    """The engine does not have an operation or layer.

    Examples:
        >>> net = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.FractionalMaxPool2d(2, output_size=1)).eval()
        >>> unfit = an.SecureModel(session, net, owner="alice", example_inputs=(torch.zeros(1, 4, 4),))
        >>> try:
        ...     unfit.predict(np.zeros((1, 4, 4)), owner="bob")
        ... except icm.UnsupportedError as error:
        ...     print(type(error).__name__)
        UnsupportedError
    """


class ProgramError(IcmError):
    """A program is not well formed.

    Examples:
        >>> from icm_ray.program.program import decode_program
        >>> try:
        ...     decode_program(b"no program")
        ... except icm.ProgramError as error:
        ...     print(type(error).__name__)
        ProgramError
    """


class PolicyError(IcmError):
    """A dataset's policy forbids a result, or a party refuses a program that no question and no model implies.

    Examples:
        >>> few = an.from_pandas(session, {"alice": pd.DataFrame({"x": [1.0, 2.0]})}, policy=icm.Policy(min_rows=10))
        >>> try:
        ...     few["x"].mean().reveal()
        ... except icm.PolicyError as error:
        ...     print(error)
        mean of x has 2 rows behind it, the policy asks for 10
    """


class SessionError(IcmError):
    """The session cannot be used.

    Examples:
        >>> try:
        ...     closed["age"].mean().reveal()
        ... except icm.SessionError as error:
        ...     print(type(error).__name__)
        SessionClosed
    """


class SessionClosed(SessionError):
    """The session was closed.

    Examples:
        >>> try:
        ...     closed["age"].mean().reveal()
        ... except icm.SessionClosed as error:
        ...     print(error)
        the session was closed
    """


class PlacementError(SessionError):
    """The cluster has no place for a party's workers; the error names the party and what is missing.

    Examples:
        >>> issubclass(icm.PlacementError, icm.SessionError)
        True
        >>> icm.PlacementError("bob: no node bears the label party=bob", party="bob").where
        {'party': 'bob'}
    """


class StockError(SessionError):
    """A member cannot make, open or write its directory of prepared randomness; the error names path and cause.

    A session that was open stays usable: what was to be prepared is dealt when it is needed.

    Examples:
        >>> icm.StockError("no space left on /stock", path="/stock").where["path"]
        '/stock'
    """


class LedgerChanged(SessionError):
    """Another session asked about a dataset at the same time, and every party holds questions against one another.

    Nothing was opened. `reveal` asks again by itself, knowing of what the other asked, and raises this where others
    came first for a minute.

    Examples:
        >>> icm.LedgerChanged("bob: another session writes this ledger", party="bob", dataset="visits").where["party"]
        'bob'
    """


class InstanceError(SessionError):
    """An organisation's instance is not set up for what it was asked, or will not do it: peers, tickets, datasets.

    Examples:
        >>> issubclass(icm.InstanceError, icm.SessionError)
        True
    """


class FaultError(IcmError):
    """A worker or a connection fails in the middle of a job.

    Args:
        message: What failed, in words.
        party: Whom it was waited for: a party, an owner or the dealer; empty where nobody knows.
        partition: The number of the partition, from 0 on; None where the failure belongs to none.
        step: What was being done, such as "start", "run" or "result".
        **where: Further public facts. All of them are in `where`, the first three are attributes too.

    Examples:
        >>> lost = icm.FaultError("bob is gone", party="bob", partition=3, step="run")
        >>> lost.party, lost.partition, lost.step
        ('bob', 3, 'run')
    """

    def __init__(
        self, message: str, *, party: str = "", partition: int | None = None, step: str = "", **where: Any
    ) -> None:
        super().__init__(message, party=party, partition=partition, step=step, **where)
        self.party = party
        self.partition = partition
        self.step = step


class PeerLost(FaultError):
    """A peer's process or connection is gone.

    Examples:
        >>> icm.PeerLost("bob: its process ended with signal 9", party="bob").party
        'bob'
    """


class PeerSilent(FaultError):
    """A peer sent nothing, not even a heartbeat, for longer than the limit.

    Examples:
        >>> icm.PeerSilent("bob said nothing for 10 s", party="bob", step="run").step
        'run'
    """


class PeerRefused(FaultError):
    """A peer cannot authenticate itself.

    Examples:
        >>> icm.PeerRefused("bob shows another certificate than announced", party="bob").party
        'bob'
    """


class Desynchronised(FaultError):
    """A peer sends a frame of another program, partition, attempt or step.

    Examples:
        >>> icm.Desynchronised("a frame of another attempt", party="bob", partition=0).partition
        0
    """


class AddressReused(FaultError):
    """A program asks for an address of dealt randomness twice.

    Examples:
        >>> icm.AddressReused("attempt 3 was used before", party="dealer").party
        'dealer'
    """


class BoundExceeded(FaultError):
    """A private value exceeds the checked bound of a program; the result would have been wrong and is withheld.

    Examples:
        >>> issubclass(icm.BoundExceeded, icm.FaultError)
        True
    """


class PoolExhausted(FaultError):
    """A sort's random order needs more comparisons than were dealt: less than once in 2^40 sorts; repeat it.

    Examples:
        >>> issubclass(icm.PoolExhausted, icm.FaultError)
        True
    """


class StockMismatch(FaultError):
    """Members disagree on prepared randomness, or a member's store is damaged; `where["differs"]` says in what.

    Nothing was shared. The stock of the program is given up, so that its next run is dealt live.

    Examples:
        >>> icm.StockMismatch("alice has another slot", party="alice", differs="offset").where["differs"]
        'offset'
    """
