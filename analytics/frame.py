"""The frame: rows of several owners as one table, of which public facts alone are shown."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import overload

from analytics.column import SecureColumn
from analytics.dataset import Dataset
from analytics.execute import share
from analytics.uncompared import Uncompared
from icm_ray.errors import ColumnError
from icm_ray.query.kinds import one_form

__all__ = ["SecureFrame"]


class SecureFrame(Uncompared):
    """A frame holds the rows of all owners as one table: names, kinds and numbers of rows; values stay where they are.

    `read_csv`, `read_parquet` and `from_pandas` make frames, and so do `share` and picking columns of another frame:
    users do not call the class. Frames are not compared, and are neither true nor false (`TypeError`).

    Args:
        dataset: The rows: their public facts, and the session whose workers hold them.
        names: The columns to show, in order; None: all that the owners agree on.

    Examples:
        >>> visits[["age", "cost"]]
        <SecureFrame: 5 rows, held by their owners (alice: 3, bob: 2)
          age   int
          cost  float>
    """

    __slots__ = ("_dataset", "_names")

    def __init__(self, dataset: Dataset, names: tuple[str, ...] | None = None) -> None:
        self._dataset = dataset
        self._names = names if names is not None else tuple(info.name for info in dataset.facts.columns if info.kind)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns that all owners have, in order.

        Examples:
            >>> visits.columns
            ('age', 'cost', 'ward')
        """
        return self._names

    @property
    def dtypes(self) -> dict[str, str]:
        """The kind of each column.

        "int", "float" or "bool"; "string" or the Arrow type's name for what arithmetic is not offered on; "unequal"
        where owners do not agree, which is an error once the column is used.

        Examples:
            >>> visits[["age", "cost"]].dtypes
            {'age': 'int', 'cost': 'float'}
        """
        kinds = {info.name: info.kind for info in self._dataset.facts.columns}
        return {name: kinds[name] for name in self._names}

    @property
    def owners(self) -> dict[str, int]:
        """The number of rows of each owner.

        Examples:
            >>> visits.owners
            {'alice': 3, 'bob': 2}
        """
        return dict(self._dataset.facts.owners)

    @property
    def shape(self) -> tuple[int, int]:
        """The numbers of rows and columns.

        Examples:
            >>> visits.shape
            (5, 3)
        """
        return self._dataset.facts.count, len(self._names)

    @property
    def shared(self) -> bool:
        """Whether the rows are shares of the parties, rather than with their owners.

        Examples:
            >>> visits.shared
            False
        """
        return self._dataset.facts.shared

    def __len__(self) -> int:
        """Count the rows of all owners together: a public number.

        Examples:
            >>> len(visits)
            5
        """
        return self._dataset.facts.count

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names of the columns, as pandas has it.

        Examples:
            >>> list(visits)
            ['age', 'cost', 'ward']
        """
        return iter(self._names)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and one_form(name) in self._names

    def _why(self) -> str:
        return "a frame is not compared: its rows are not with the driver. Compare .columns, .dtypes or .shape"

    def __bool__(self) -> bool:
        raise TypeError("a frame is neither true nor false; compare len(frame)")

    def __repr__(self) -> str:
        brought = ", ".join(f"{owner}: {count}" for owner, count in self._dataset.facts.owners.items())
        how = "shares of the parties" if self._dataset.facts.shared else "held by their owners"
        lines = [f"<SecureFrame: {len(self)} rows, {how} ({brought})"]
        width = max((len(name) for name in self._names), default=0)
        lines += [f"  {name:<{width}}  {kind}" for name, kind in self.dtypes.items()]
        lines += [f"  ({info.name}: {info.fault})" for info in self._dataset.facts.columns if not info.kind]
        return "\n".join(lines) + ">"

    @overload
    def __getitem__(self, names: str) -> SecureColumn: ...

    @overload
    def __getitem__(self, names: list[str]) -> SecureFrame: ...

    def __getitem__(self, names: str | list[str]) -> SecureColumn | SecureFrame:
        """Pick a column, or several as a frame over the same rows.

        Args:
            names: The name of a column, or a list of names.

        Returns:
            The column of a name; the frame of a list, without repetitions.

        Raises:
            ColumnError: A column that is not there (the closest name is said) or that owners do not agree on, or what
                is no name.

        Examples:
            >>> visits["cost"].mean().reveal()
            203.3
            >>> visits[["age", "cost"]].columns
            ('age', 'cost')
        """
        if isinstance(names, str):
            return SecureColumn(self._dataset, self._known(names))
        if not isinstance(names, list):
            raise ColumnError(f"a column's name or a list of names is needed, not {names!r}")
        return SecureFrame(self._dataset, tuple(dict.fromkeys(self._known(name) for name in names)))

    def _known(self, name: str) -> str:
        plain = one_form(str(name))
        fault = next((info.fault for info in self._dataset.facts.columns if info.name == plain), "")
        if fault and (plain in self._names or not self.shared):
            raise ColumnError(fault, column=plain)
        if plain in self._names:
            return plain
        close = difflib.get_close_matches(str(name), self._names, n=1, cutoff=0.5)
        hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(self._names)}"
        raise ColumnError(f"no column {name!r}; {hint}", column=str(name))

    def share(self) -> SecureFrame:
        """Share every value secretly among the parties; statistics are computed on shares from then on.

        Integers and booleans are shared exactly, magnitudes to 2^31 unless `bounds` said otherwise when reading; floats
        with the session's fractional bits, to 2^20 (the session's `default_bound`) unless `bounds` said otherwise: a
        smaller bound buys as many more of them.

        Returns:
            A frame of the same rows and columns that is `shared`; itself where it is shared already.

        Raises:
            ColumnError: A column without numbers, or one that owners do not agree on.
            BoundError: A bound that is too large, or a value beyond it: the owner's worker refuses, naming the column.
            NullError: A missing, NaN or infinite value.
            SourceError: A file that was changed since it was opened, or cannot be read any more.
            InputError: The rows were forgotten.
            SessionError: The session is closed, or has lost a lane that holds some of the rows.
            FaultError: A worker fails.

        Warns:
            UserWarning: A large bound leaves fewer fractional bits than the session has; it says how many.

        Examples:
            >>> shared = visits[["age", "cost"]].share()
            >>> shared["age"].mean().reveal()
            48.2
        """
        if self.shared:
            return self
        for name in self._names:
            self._known(name)
        return SecureFrame(share(self._dataset, self._names), self._names)

    def forget(self) -> None:
        """Let the workers drop the rows: opened tables, or shares. Frames of the same rows have none any more.

        Raises:
            SessionError: The session is closed, or has lost all its lanes.

        Examples:
            >>> frame = an.from_pandas(session, {"alice": north, "bob": south})
            >>> frame.forget()
        """
        self._dataset.forget()
