"""One form of a question, whichever session asks it: names of the session, lanes and partitions are left out.

An approval is for that form. It has the datasets by their names in catalogues, their public facts and policies, every
statistic, filter, group and literal, who receives the results, and whose workers take part: what differs in any of
these is another question.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from icm_ray.errors import IcmError, PolicyError
from icm_ray.instance.catalogue_names import in_catalogue_names, sharing_in_words
from icm_ray.instance.prediction_form import PredictionForm
from icm_ray.program.stamped import RunSettings
from icm_ray.query.disclosure import check_disclosure
from icm_ray.query.explain import explain
from icm_ray.query.lane_build import Members
from icm_ray.query.lower import lower
from icm_ray.query.question import Asked, DatasetFacts, Question, Sharing, decode_asked
from icm_ray.query.result_table import asked_in_words
from icm_ray.runtime.orders.house import Origin

__all__ = ["LARGEST", "Canonical", "canonical", "heard_by", "in_one_line", "in_words", "logged_as", "recipient"]

LARGEST: Final = 1 << 16
"""Bytes of a question that a person is asked to approve."""


class Canonical(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """asked: in names of catalogues. parties: whose workers take part, in order. versions: of the own datasets that it
    reads, by name, as they were offered. follows: what is asked then, in the groups that this opens; of their values
    one stands for all. sharings: what makes the shares that it is about, for it alone.
    """

    asked: Asked
    parties: tuple[str, ...]
    versions: tuple[tuple[str, str], ...]
    follows: Asked | None = None
    sharings: tuple[Asked, ...] = ()

    def facts_of(self, me: str) -> dict[str, DatasetFacts]:
        """By the name in the catalogue, what is said of the datasets of `me`."""
        own = [facts for facts in self.asked.facts if me in facts.owners]
        return {facts.source.removeprefix(f"{me}.").rpartition(".")[0]: facts for facts in own}

    @property
    def digest(self) -> str:
        """Equal for equal questions alone. Of what is about no shares it is what it was before there were requests of
        these.
        """
        facts = msgspec.structs.asdict(self)
        if not self.sharings:
            del facts["sharings"]
        return hashlib.sha256(msgspec.msgpack.encode(facts)).hexdigest()


def canonical(
    payload: bytes,
    me: str,
    names: Mapping[str, str],
    parties: tuple[str, ...],
    versions: Mapping[str, str],
    follows: bytes = b"",
    shared: Sequence[bytes] = (),
) -> Canonical:
    """The form of a question as the owner `me` has it.

    names: by the name of a dataset in the question, that of the own catalogue. versions: by the latter, how it is
    offered. follows: what is asked then, b"" for nothing. shared: the sharings that make what it asks of. Errors:
    `PolicyError` for what nobody can approve: no question, too large, rows of several owners in one dataset, shares of
    which nothing is said, what may not be opened at all.
    """
    size = sum(map(len, (payload, follows, *shared)))
    if size > LARGEST:
        raise PolicyError(f"{me} refuses: a question of {size} bytes; {LARGEST} can be approved", party=me)
    try:
        made = [decode_asked(one) for one in shared]
        asked, sharings = in_catalogue_names(decode_asked(payload), made, me, names)
        found = Canonical(asked, parties, tuple(sorted(versions.items())), sharings=sharings)
        check_disclosure(found.asked, Members(parties))
        if follows:
            then, _ = in_catalogue_names(decode_asked(follows), made, me, names)
            check_disclosure(then, Members(parties))
            if msgspec.msgpack.encode(then.facts) != msgspec.msgpack.encode(found.asked.facts):
                raise PolicyError(f"{me} refuses: what follows is asked of other datasets", party=me)
            if recipient(follows, me) != recipient(payload, me):
                raise PolicyError(f"{me} refuses: what follows is for somebody else", party=me)
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


def logged_as(kind: Origin, payload: bytes) -> str:
    """What the log calls a job that was allowed: a question, a prediction, or a sharing of rows for one."""
    try:
        return "sharing" if kind == "question" and isinstance(decode_asked(payload).what, Sharing) else kind
    except IcmError:
        return kind


def in_one_line(found: Canonical | PredictionForm) -> str:
    """What is asked, of whose rows or images: for lists."""
    if isinstance(found, PredictionForm):
        return found.in_one_line
    told = asked_in_words(found.asked) + (", as shares" if found.sharings else "")
    return told if found.follows is None else f"{told}; and then {asked_in_words(found.follows)}"


def heard_by(found: Canonical | PredictionForm) -> str:
    """Who hears the result; "" for a form that is for nobody."""
    if isinstance(found, PredictionForm):
        return found.to
    return found.asked.what.to if isinstance(found.asked.what, Question) else ""


def in_words(found: Canonical | PredictionForm) -> str:
    """What would be opened, to whom, under which rules: `explain` of the question itself. Errors: those of lowering."""
    if isinstance(found, PredictionForm):
        return found.in_words
    shared = [sharing_in_words(one, found.parties) for one in found.sharings]
    told = "\n".join([*shared, _explained(found.asked, found.parties)])
    if found.follows is None:
        return told
    then = _explained(found.follows, found.parties)
    return f"{told}\nand then, by the values of the groups that this opens, which the asker states:\n{then}"


def _explained(asked: Asked, parties: tuple[str, ...]) -> str:
    lowered: Any = lower(asked, Members(parties))
    return explain(asked, lowered, RunSettings())
