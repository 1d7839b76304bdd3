"""What may be revealed of a dataset: its owner's word, as data."""

from __future__ import annotations

import msgspec

__all__ = ["Policy"]


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What may be revealed of a dataset: it judges every result that rows of this dataset reach, and no other.

    min_rows: the fewest rows of the dataset behind a revealed number.
    recipients: who may receive (None: anyone in the session).

    Examples:
        >>> icm.Policy(min_rows=10, recipients=("bob",))
        Policy(min_rows=10, recipients=('bob',))
    """

    min_rows: int = 1
    recipients: tuple[str, ...] | None = None

    def objection(self, what: str, rows: int, to: str) -> str | None:
        """Why `what`, a result made of so many rows of the dataset, may not be revealed to `to`; None where it may.

        Examples:
            >>> icm.Policy(min_rows=10).objection("mean of x", 7, to="bob")
            'mean of x has 7 rows behind it, the policy asks for 10'
        """
        if rows < self.min_rows:
            return f"{what} has {rows} rows behind it, the policy asks for {self.min_rows}"
        if self.recipients is not None and to not in self.recipients:
            return f"{what}: {to} may not receive it, but {', '.join(self.recipients) or 'nobody'}"
        return None
