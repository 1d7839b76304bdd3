"""What is asked, in the names of catalogues: names of the session, lanes and partitions are left out.

Shares have no name in a catalogue, and last no longer than what is asked of them. A question about shares is one
together with the sharings that make them, of rows that have names: what it says of shares has to follow from these.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from icm_ray.errors import PolicyError
from icm_ray.query.expressions.words import words
from icm_ray.query.owner_rows import OwnerRows, OwnerTable
from icm_ray.query.question import Asked, DatasetFacts, Question, Sharing
from icm_ray.query.secret_rows import SecretRows
from icm_ray.query.sharing import secret_rows

__all__ = ["in_catalogue_names", "sharing_in_words"]

_bytes: Final = msgspec.msgpack.encode


def in_catalogue_names(
    asked: Asked, sharings: Sequence[Asked], me: str, names: Mapping[str, str]
) -> tuple[Asked, tuple[Asked, ...]]:
    """A question, and the sharings of what it asks of, as the owner `me` has them. names: by the name of a dataset in
    them, that of the own catalogue.

    Errors: `PolicyError` for what nobody can approve: no question, rows of several owners in one dataset, shares that
    do not follow from the sharings, sharings of which nothing is asked; those of `secret_rows`.
    """
    what = asked.what
    if not isinstance(what, Question):
        raise _refusal(me, "rows are shared under a standing approval, or for a question that was approved")
    if len({one.name for one in asked.facts}) < len(asked.facts):
        raise _refusal(me, "two datasets have one name")
    made_by = _made_by(asked, sharings, me)
    new: dict[str, str] = {}
    sources: dict[str, OwnerRows] = {}
    facts: list[DatasetFacts] = []
    shared: list[Asked] = []
    numbers: Counter[str] = Counter()
    for one in asked.facts:
        sharing = made_by.get(one.name)
        rows = one if sharing is None else sharing.facts[0]
        if not isinstance(rows, OwnerRows) or len(rows.tables) != 1:
            raise _refusal(
                me, "each dataset of a request has rows of one owner, or shares that are stated to be of them"
            )
        if _bytes(sources.setdefault(rows.name, rows)) != _bytes(rows):
            raise _refusal(me, "rows are described in two ways")
        (table,) = rows.tables
        if rows.name not in new:
            numbers[table.owner] += 1
            called = names.get(rows.name, "") if table.owner == me else ""
            new[rows.name] = f"{table.owner}.{called or '?'}.{numbers[table.owner]}"
        source = new[rows.name]
        whole = OwnerTable(source, table.owner, (sum(table.rows),), (0,))
        renamed = replace(rows, name=source, tables=(whole,))
        if sharing is None:
            facts.append(renamed)
            continue
        numbers[source] += 1
        new[one.name] = f"{source} shares {numbers[source]}"
        made = replace(sharing.what, dataset=source, into=new[one.name], most=_most(sharing, sharings, me))
        facts.append(secret_rows(made, renamed))
        shared.append(Asked(made, (renamed,)))
    return Asked(_renamed(what, new), tuple(facts)), tuple(shared)


def _made_by(asked: Asked, sharings: Sequence[Asked], me: str) -> dict[str, Any]:
    """By the name of shares, the sharing that makes them. Errors: `PolicyError`, those of `secret_rows`."""
    found: dict[str, Any] = {}
    for sharing in sharings:
        what = sharing.what
        if not isinstance(what, Sharing) or len(sharing.facts) != 1 or what.into in found:
            raise _refusal(me, "what is stated to make shares is no sharing of one dataset, each under its own name")
        found[what.into] = sharing
    shares = {one.name: one for one in asked.facts if isinstance(one, SecretRows)}
    if found.keys() != shares.keys():
        raise _refusal(me, "shares are asked about that nothing is said to make, or made and not asked about")
    for name, sharing in found.items():
        made = secret_rows(sharing.what, sharing.facts_of(sharing.what.dataset))
        if _bytes(made) != _bytes(shares[name]):
            raise _refusal(me, "shares are described otherwise than they are made")
    return found


def _most(sharing: Asked, sharings: Sequence[Asked], me: str) -> int:
    """The rows of a partition, of all that are shared alike, in the one partition that each has here."""
    alike = [one for one in sharings if _stated(one) == _stated(sharing)]
    counts = [rows for one in alike for facts in one.facts if isinstance(facts, OwnerRows) for rows in _rows(facts)]
    if not _stated(sharing):
        return 0
    if _stated(sharing) != max(counts):
        raise _refusal(me, "rows are said to be shared like others, and are not")
    return max(facts.count for one in alike for facts in one.facts)


def _stated(sharing: Asked) -> int:
    return sharing.what.most if isinstance(sharing.what, Sharing) else 0


def _rows(facts: OwnerRows) -> tuple[int, ...]:
    return tuple(count for table in facts.tables for count in table.rows)


def _renamed(what: Question, new: dict[str, str]) -> Question:
    """A question about datasets of other names; earlier questions and words left out."""
    selections = []
    for selection in what.selections:
        selections.append(replace(selection, dataset=_of(new, what, selection.dataset)))
        new[selection.name] = selections[-1].name
    merges = []
    for merge in what.merges:
        left, right = (replace(side, dataset=_of(new, what, side.dataset)) for side in (merge.left, merge.right))
        merges.append(replace(merge, left=left, right=right))
        new[merge.name] = merges[-1].name
    pools = tuple(replace(pool, datasets=tuple(new[name] for name in pool.datasets)) for pool in what.pools)
    statistics = tuple(replace(one, dataset=_of(new, what, one.dataset)) for one in what.statistics)
    return Question(statistics, what.to, tuple(selections), (), tuple(merges), pools, ())


def _of(new: Mapping[str, str], what: Question, name: str) -> str:
    """The new name of a dataset, a pool, or rows of one of them."""
    for pool in what.pools:
        if pool.name == name:
            return replace(pool, datasets=tuple(new[one] for one in pool.datasets)).name
    return new[name]


def sharing_in_words(sharing: Asked, parties: Sequence[str]) -> str:
    """What becomes shares, of whose rows, and who keeps them."""
    what, (rows,) = sharing.what, sharing.facts
    if not isinstance(what, Sharing):
        return ""
    columns = ", ".join(
        column.name if column.of == column.name else f"{column.name} ({words(column.of)})" for column in what.columns
    )
    chosen = "" if what.where is None else f", of the rows where {words(what.where)}, zeros of the others"
    owners = ", ".join(f"{count} rows of {owner}" for owner, count in rows.owners.items())
    name = rows.name.rpartition(".")[0]
    known = "" if name.endswith(".?") else f" ({name})"  # of others the asker's words
    return (
        f"shared for this question alone: {columns}{chosen}; {owners}{known}, as shares of {', '.join(parties)}, "
        "which forget them when it is answered"
    )


def _refusal(me: str, reason: str) -> PolicyError:
    return PolicyError(f"{me} refuses: {reason}", party=me)
