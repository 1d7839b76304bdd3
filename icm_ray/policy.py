"""What may be revealed of a dataset: its owner's word, as data."""

from __future__ import annotations

import msgspec

__all__ = ["Policy"]


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A policy says what may be revealed of a dataset: it judges every result that its rows reach, and no other.

    Attributes:
        min_rows: The fewest rows of the dataset behind a revealed number; by default 1. A result with fewer is
            refused; where a single count of a histogram is below it, that count is withheld.
        recipients: Names of those who may receive a result; by default None: any party or owner of the session, and
            the driver. In a tuple the driver is named like them: "driver".

    Examples:
        >>> icm.Policy(min_rows=10, recipients=("bob",))
        Policy(min_rows=10, recipients=('bob',))
    """

    min_rows: int = 1
    recipients: tuple[str, ...] | None = None

    def objection(self, what: str, rows: int, to: str) -> str | None:
        """Say why a result may not be revealed.

        Args:
            what: The result, in words.
            rows: How many rows of the dataset it is made of.
            to: The name of its recipient.

        Returns:
            The reason, in words; None where it may be revealed.

        Examples:
            >>> icm.Policy(min_rows=10).objection("mean of x", 7, to="bob")
            'mean of x has 7 rows behind it, the policy asks for 10'
        """
        if rows < self.min_rows:
            return f"{what} has {rows} rows behind it, the policy asks for {self.min_rows}"
        if self.recipients is not None and to not in self.recipients:
            return f"{what}: {to} may not receive it, but {', '.join(self.recipients) or 'nobody'}"
        return None
