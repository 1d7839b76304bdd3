"""What may be revealed of a dataset: its owner's word, as data."""

from __future__ import annotations

import msgspec

__all__ = ["Policy"]


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What may be revealed of a dataset.

    min_rows: the fewest rows behind a revealed number; the program states how many there are, and one that states none
    is refused where more than one is asked for, unless it is a model's prediction.
    recipients: who may receive (None: anyone in the session).

    Examples:
        >>> icm.Policy(min_rows=10, recipients=("bob",))
        Policy(min_rows=10, recipients=('bob',))
    """

    min_rows: int = 1
    recipients: tuple[str, ...] | None = None
