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
    """The union of the owners' rows. Names, kinds and numbers of rows are public; values stay where they are.

    Made by `read_csv`, `read_parquet` and `from_pandas`, and from another frame by `share` and by picking columns.

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
        """By column: "int", "float", "bool"; "string" or the Arrow type's name for what arithmetic is not offered on;
        "unequal" where owners do not agree, which is an error once the column is used.

        Examples:
            >>> visits[["age", "cost"]].dtypes
            {'age': 'int', 'cost': 'float'}
        """
        kinds = {info.name: info.kind for info in self._dataset.facts.columns}
        return {name: kinds[name] for name in self._names}

    @property
    def owners(self) -> dict[str, int]:
        """The rows of each owner.

        Examples:
            >>> visits.owners
            {'alice': 3, 'bob': 2}
        """
        return dict(self._dataset.facts.owners)

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns).

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
        """Rows of all owners together: public."""
        return self._dataset.facts.count

    def __iter__(self) -> Iterator[str]:
        """Column names, as pandas has it."""
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
        """A column by its name, or a frame of the columns of a list.

        Errors: `ColumnError`, with the closest name, or with what owners do not agree on.
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
        """The frame with every value secret-shared among the parties; statistics are computed on shares from then on.

        Integers and booleans are shared exactly, magnitudes to 2^31 unless `bounds` said otherwise when reading; floats
        with the session's fractional bits, to 2^20 unless `bounds` said otherwise: a smaller bound buys as many more of
        them, and where a larger one leaves fewer, a `UserWarning` says how many. A shared frame is itself.
        Errors: `ColumnError` (a column without numbers), `BoundError` (a bound too large, or a value beyond it: the
        owner's worker refuses, naming the column), `NullError`, `FaultError`.

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

        Examples:
            >>> frame = an.from_pandas(session, {"alice": north, "bob": south})
            >>> frame.forget()
        """
        self._dataset.forget()
