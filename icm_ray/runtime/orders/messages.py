"""What driver and worker say to each other once a lane stands: orders over the control link, answers over the data
link.

Data alone, read by type; no names of methods travel. `call` numbers the driver's calls of one lane; what belongs to an
earlier call is dropped.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from traceback import extract_tb
from typing import Any, Final, Union

import msgspec

from icm_ray import errors
from icm_ray.errors import Desynchronised, FaultError, IcmError, InputError
from icm_ray.payload import Digest32, decode
from icm_ray.policy import Policy
from icm_ray.query.row_set import RowSet
from icm_ray.query.tasks import TableInfo
from icm_ray.runtime.orders.jobs import Gather, Job, Open, Report, ResultMessage
from icm_ray.runtime.orders.lane_plan import Member

__all__ = [
    "Abort",
    "Answer",
    "Commit",
    "CompareLedgers",
    "Done",
    "Exit",
    "Failed",
    "Forget",
    "GatherShares",
    "GiveUp",
    "LinkLanes",
    "OpenTable",
    "Order",
    "Prepared",
    "Preprocess",
    "Relink",
    "Rollback",
    "Run",
    "SetPolicy",
    "decode_answer",
    "decode_order",
    "encode",
    "failed",
    "refusal",
]


class Run(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """Prepare a run: read what is given, check program and policy, make inputs. Answered by `Prepared`, then wait."""

    call: int
    job: Job


class Preprocess(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """Deal `count` slots of a program ahead of time. Answered by `Prepared` when they are on disk; they count after
    `Commit`, which is answered by `Done`.
    """

    call: int
    job: Job
    count: int


class GiveUp(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """Discard what was prepared for a stamped program (its digest): members disagreed on it."""

    call: int
    program: Digest32


class Commit(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """Every member is ready: run. Answered by `Done`, after the results."""

    call: int


class Rollback(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """Some member refused: forget what was prepared. Nothing was shared. Not answered."""

    call: int


class Abort(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """End a run that has begun: the links of the lane are cut, whoever waits in them answers `Failed`."""

    call: int


class Relink(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """Open the links of the lane anew and agree on new secrets; tables, kept shares and policies stay."""

    call: int
    generation: int


class OpenTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """Open a table; answered with its public facts."""

    call: int
    order: Open


class SetPolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """What this party lets be revealed of a dataset. tables: where its rows are; they belong to it from now on.
    row_sets: what others were asked for. Answered with what this party was asked for.
    """

    call: int
    dataset: str
    policy: Policy
    tables: tuple[str, ...] = ()
    row_sets: tuple[RowSet, ...] = ()


class LinkLanes(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """Open the link between a party's worker in `lane`, which dials, and its worker in the lane `home`. peer: the other
    of the two. A link of this pair that was cut is replaced by one of a new generation.
    """

    call: int
    lane: int
    home: int
    generation: int
    peer: Member


class GatherShares(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """Move kept shares to another lane, over the party's own link; the sender keeps them until it is told to forget."""

    call: int
    order: Gather


class CompareLedgers(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """Find out, over a member's own link between two lanes, whether its worker in `lane` sees the folder in which its
    worker in the first lane, `home`, keeps ledgers. Before that it takes no policy.
    """

    call: int
    lane: int
    home: int


class Forget(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """Drop shares, weights and tables."""

    call: int
    keys: tuple[str, ...]


class Exit(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """Close the links and end."""


Order = Union[  # noqa: UP007 - msgspec takes the members from a typing.Union
    Run,
    Preprocess,
    GiveUp,
    Commit,
    Rollback,
    Abort,
    Relink,
    OpenTable,
    SetPolicy,
    LinkLanes,
    GatherShares,
    CompareLedgers,
    Forget,
    Exit,
]


Fact = Union[str, int, float, bool, None, tuple[str, ...]]  # noqa: UP007
"""What an error says of its place: public, and nothing but this."""
_LONGEST: Final = 1 << 14


class Prepared(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """Inputs are made, nothing stands in the way."""

    call: int


class Done(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """A call succeeded."""

    call: int
    report: Report | None = None
    info: TableInfo | None = None
    row_sets: tuple[RowSet, ...] = ()


class Failed(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """A call failed: an error of the engine, as data. call: 0 for none; the worker ends, and says why."""

    call: int
    kind: str
    message: str
    where: dict[str, Fact]

    def error(self) -> IcmError:
        """The error as it was raised. Whatever `where` says, there is one: a fact that would take the place of one of
        the error's own is left out.
        """
        found = _ERRORS.get(self.kind, FaultError)
        where: dict[str, Any] = {name: fact for name, fact in self.where.items() if name not in {"self", "message"}}
        if issubclass(found, FaultError):
            partition = where.get("partition")
            where["partition"] = partition if type(partition) is int else None
            where.update({name: str(where.get(name, "")) for name in ("party", "step")})
        return found(self.message, **where)


Answer = Union[Prepared, Done, Failed, ResultMessage]  # noqa: UP007

_ERRORS: Mapping[str, type[IcmError]] = {name: getattr(errors, name) for name in errors.__all__}
_ENCODER = msgspec.msgpack.Encoder()
_ORDERS: msgspec.msgpack.Decoder[Order] = msgspec.msgpack.Decoder(Order)
_ANSWERS: msgspec.msgpack.Decoder[Answer] = msgspec.msgpack.Decoder(Answer)


def encode(message: Order | Answer) -> bytes:
    """As msgpack."""
    return _ENCODER.encode(message)


def decode_order(payload: bytes) -> Order:
    """What the driver sent; raises `Desynchronised` for anything else."""
    return decode(payload, _ORDERS, "an order", "driver")


def decode_answer(payload: bytes, party: str) -> Answer:
    """What a worker sent; raises `Desynchronised` for anything else."""
    return decode(payload, _ANSWERS, "an answer", party)


def refusal(payload: bytes, name: str) -> IcmError:
    """Why a worker did not start, as it says in the place of where it listens."""
    answer = decode_answer(payload, name)
    if isinstance(answer, Failed):
        return answer.error()
    return Desynchronised(f"{name} sent something else than where it listens", party=name)


def failed(call: int, error: Exception, name: str) -> Failed:
    """An exception as data. Of one that is not the engine's own only type and place: its text may hold values."""
    if isinstance(error, InputError):
        error = error.of_owner(name)
    if isinstance(error, IcmError):
        where = {_text(key): _fact(value) for key, value in error.where.items()}
        return Failed(call, type(error).__name__, _text(error.message), where)
    at = extract_tb(error.__traceback__)[-1]
    message = f"{name} failed with {type(error).__name__} in {Path(at.filename).name}, line {at.lineno}"
    return Failed(call, "FaultError", message, {"party": name, "step": at.name})


def _text(text: str) -> str:
    """As it can travel: paths may hold bytes that are no UTF-8, and lists in messages may be long."""
    shown = text if len(text) <= _LONGEST else text[:_LONGEST] + "..."
    return shown.encode("utf-8", "backslashreplace").decode()


def _fact(value: object) -> Fact:
    if isinstance(value, bool | float | None) or (isinstance(value, int) and abs(value) < 1 << 63):
        return value
    if isinstance(value, list | tuple | set | frozenset):
        return tuple(_text(str(item)) for item in value)
    return _text(str(value))
