"""Whose rows a value is made of: what a policy judges when the value is revealed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from icm_ray.errors import ProgramError
from icm_ray.payload import Natural

__all__ = ["Label", "Labels", "flow", "merged", "rows_behind"]


class Label(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Rows that `owner` brings to a dataset: (partition, rows) of its table, by partition. Public.

    A fixed weight is a dataset of its own, under its key, without rows.
    """

    dataset: str
    owner: str
    parts: tuple[tuple[Natural, Natural], ...] = ()


Labels = tuple[Label, ...]


def merged(labels: Iterable[Label]) -> Labels:
    """One label for each dataset and owner, in the order of their names, its partitions in theirs.

    Errors: `ProgramError` where one partition has two numbers of rows.
    """
    found: dict[tuple[str, str], dict[int, int]] = {}
    for label in labels:
        rows = found.setdefault((label.dataset, label.owner), {})
        for part, count in label.parts:
            if rows.setdefault(part, count) != count:
                raise ProgramError(
                    f"partition {part} of {label.owner} in {label.dataset} has {rows[part]} rows here and {count} there"
                )
    return tuple(Label(dataset, owner, tuple(sorted(rows.items()))) for (dataset, owner), rows in sorted(found.items()))


def rows_behind(labels: Iterable[Label], dataset: str) -> int:
    """Rows of the dataset in merged labels, of all owners together."""
    return sum(count for label in labels if label.dataset == dataset for _, count in label.parts)


def flow(inputs: Sequence[tuple[int, ...]], brought: Sequence[Labels]) -> tuple[Labels, ...]:
    """For every node the labels of all that it is made of, merged: what it brings, and what reaches its inputs.

    inputs: of every node the earlier nodes that it takes. brought: what each brings by itself.
    Errors: those of `merged`.
    """
    numbers: dict[Label, int] = {}
    names: dict[int, Labels] = {0: ()}
    reaching: list[int] = []  # of every node the labels as bits, by their numbers
    for taken, own in zip(inputs, brought, strict=True):
        bits = 0
        for label in own:
            bits |= 1 << numbers.setdefault(label, len(numbers))
        for source in taken:
            bits |= reaching[source]
        reaching.append(bits)
    known = tuple(numbers)
    merged(known)
    for bits in reaching:
        if bits not in names:
            names[bits] = merged(label for number, label in enumerate(known) if bits >> number & 1)
    return tuple(names[bits] for bits in reaching)
