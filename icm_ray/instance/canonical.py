"""One form of a question, whichever session asks it: names of the session, lanes and partitions are left out.

An approval is for that form. It has the datasets by their names in catalogues, their public facts and policies, every
statistic, filter, group and literal, who receives the results, and whose workers take part: what differs in any of
these is another question.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from icm_ray.errors import IcmError, PolicyError
from icm_ray.instance.prediction_form import PredictionForm
from icm_ray.program.stamped import RunSettings
from icm_ray.query.disclosure import check_disclosure
from icm_ray.query.explain import explain
from icm_ray.query.lane_build import Members
from icm_ray.query.lower import lower
from icm_ray.query.owner_rows import OwnerRows, OwnerTable
from icm_ray.query.question import Asked, DatasetFacts, Question, decode_asked

__all__ = ["LARGEST", "Canonical", "canonical", "in_words", "recipient"]

LARGEST: Final = 1 << 16
"""Bytes of a question that a person is asked to approve."""


class Canonical(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """asked: in names of catalogues. parties: whose workers take part, in order. versions: of the own datasets that it
    reads, by name, as they were offered. follows: what is asked then, in the groups that this opens; of their values
    one stands for all.
    """

    asked: Asked
    parties: tuple[str, ...]
    versions: tuple[tuple[str, str], ...]
    follows: Asked | None = None

    def facts_of(self, me: str) -> dict[str, DatasetFacts]:
        """By the name in the catalogue, what is said of the datasets of `me`."""
        own = [facts for facts in self.asked.facts if me in facts.owners]
        return {facts.name.removeprefix(f"{me}.").rpartition(".")[0]: facts for facts in own}

    @property
    def digest(self) -> str:
        """Equal for equal questions alone."""
        return hashlib.sha256(msgspec.msgpack.encode(self)).hexdigest()


def canonical(
    payload: bytes,
    me: str,
    names: Mapping[str, str],
    parties: tuple[str, ...],
    versions: Mapping[str, str],
    follows: bytes = b"",
) -> Canonical:
    """The form of a question as the owner `me` has it.

    names: by the name of a dataset in the question, that of the own catalogue. versions: by the latter, how it is
    offered. follows: what is asked then, b"" for nothing. Errors: `PolicyError` for what nobody can approve: no
    question, shared rows, too large, rows of several owners in one dataset, what may not be opened at all.
    """
    if len(payload) + len(follows) > LARGEST:
        raise PolicyError(f"{me} refuses: a question of {len(payload)} bytes; {LARGEST} can be approved", party=me)
    try:
        asked = decode_asked(payload)
        found = Canonical(_renamed(asked, me, names), parties, tuple(sorted(versions.items())))
        check_disclosure(found.asked, Members(parties))
        if follows:
            then = _renamed(decode_asked(follows), me, names)
            check_disclosure(then, Members(parties))
            if msgspec.msgpack.encode(then.facts) != msgspec.msgpack.encode(found.asked.facts):
                raise PolicyError(f"{me} refuses: what follows is asked of other datasets", party=me)
            found = replace(found, follows=then)
    except PolicyError:
        raise
    except (IcmError, ArithmeticError, ValueError, LookupError, TypeError, AttributeError):
        raise PolicyError(f"{me} refuses: this is no question that can be approved", party=me) from None
    return found


def recipient(payload: bytes, me: str) -> str:
    """Whom the results of a question are for. Errors: `PolicyError` for what is none. me: who refuses it."""
    try:
        what = decode_asked(payload).what
    except IcmError:
        raise PolicyError(f"{me} refuses: this is no question that can be approved", party=me) from None
    return what.to if isinstance(what, Question) else ""


def _renamed(asked: Asked, me: str, names: Mapping[str, str]) -> Asked:
    what = asked.what
    if not isinstance(what, Question):
        raise PolicyError(f"{me} refuses: rows are shared under a standing approval alone", party=me)
    new: dict[str, str] = {}
    facts: list[OwnerRows] = []
    numbers: Counter[str] = Counter()
    for one in asked.facts:
        if not isinstance(one, OwnerRows) or len(one.tables) != 1:
            raise PolicyError(f"{me} refuses: each dataset of a request has rows of one owner, unshared", party=me)
        (table,) = one.tables
        numbers[table.owner] += 1
        called = names.get(one.name, "") if table.owner == me else ""
        new[one.name] = f"{table.owner}.{called or '?'}.{numbers[table.owner]}"
        rows = OwnerTable(new[one.name], table.owner, (sum(table.rows),), (0,))
        facts.append(replace(one, name=new[one.name], tables=(rows,)))
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
    question = Question(statistics, what.to, tuple(selections), (), tuple(merges), pools, ())
    return Asked(question, tuple(facts))


def _of(new: Mapping[str, str], what: Question, name: str) -> str:
    """The new name of a dataset, a pool, or rows of one of them."""
    for pool in what.pools:
        if pool.name == name:
            return replace(pool, datasets=tuple(new[one] for one in pool.datasets)).name
    return new[name]


def in_words(found: Canonical | PredictionForm) -> str:
    """What would be opened, to whom, under which rules: `explain` of the question itself. Errors: those of lowering."""
    if isinstance(found, PredictionForm):
        return found.in_words
    told = _explained(found.asked, found.parties)
    if found.follows is None:
        return told
    then = _explained(found.follows, found.parties)
    return f"{told}\nand then, by the values of the groups that this opens, which the asker states:\n{then}"


def _explained(asked: Asked, parties: tuple[str, ...]) -> str:
    lowered: Any = lower(asked, Members(parties))
    return explain(asked, lowered, RunSettings())
