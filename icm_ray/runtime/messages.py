"""What driver and worker say to each other once a lane stands: orders over the control link, answers over the data
link.

Data alone, read by type; no names of methods travel. `call` numbers the driver's calls of one lane; what belongs to an
earlier call is dropped.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from traceback import extract_tb
from typing import Any, Union

import msgspec

from icm_ray import errors
from icm_ray.errors import Desynchronised, FaultError, IcmError, InputError
from icm_ray.policy import Policy
from icm_ray.query.tasks import TableInfo
from icm_ray.runtime.jobs import Gather, Job, Open, Report, ResultMessage

__all__ = [
    "Abort",
    "Answer",
    "Discard",
    "Done",
    "Exit",
    "Failed",
    "Forget",
    "GiveUp",
    "Go",
    "JoinHome",
    "Move",
    "OpenTable",
    "Order",
    "Prepare",
    "Ready",
    "Relink",
    "Run",
    "SetPolicy",
    "decode_answer",
    "decode_order",
    "encode",
    "failed",
]


class Run(msgspec.Struct, frozen=True, tag=True):
    """Prepare a run: read what is given, check program and policy, make inputs. Answered by `Ready`, then wait."""

    call: int
    job: Job


class Prepare(msgspec.Struct, frozen=True, tag=True):
    """Deal `count` slots of a program ahead of time. Answered by `Ready` when they are on disk; they count after `Go`,
    which is answered by `Done`.
    """

    call: int
    job: Job
    count: int


class GiveUp(msgspec.Struct, frozen=True, tag=True):
    """Discard what was prepared for a program (its digest): members disagreed on it."""

    call: int
    program: bytes


class Go(msgspec.Struct, frozen=True, tag=True):
    """Every member is ready: run. Answered by `Done`, after the results."""

    call: int


class Discard(msgspec.Struct, frozen=True, tag=True):
    """Some member refused: forget what was prepared. Nothing was shared. Not answered."""

    call: int


class Abort(msgspec.Struct, frozen=True, tag=True):
    """End a run that has begun: the links of the lane are cut, whoever waits in them answers `Failed`."""

    call: int


class Relink(msgspec.Struct, frozen=True, tag=True):
    """Open the links of the lane anew and agree on new secrets; tables, kept shares and policies stay."""

    call: int
    generation: int


class OpenTable(msgspec.Struct, frozen=True, tag=True):
    """Open a table; answered with its public facts."""

    call: int
    order: Open


class SetPolicy(msgspec.Struct, frozen=True, tag=True):
    """What this party lets be revealed of a dataset."""

    call: int
    dataset: str
    policy: Policy


class JoinHome(msgspec.Struct, frozen=True, tag=True):
    """Open the link between a party's worker in the first lane and its worker in `lane`."""

    call: int
    lane: int
    peer: tuple[str, str, int, bytes]
    initiator: bool


class Move(msgspec.Struct, frozen=True, tag=True):
    """Move kept shares to the first lane, over the party's own link."""

    call: int
    order: Gather


class Forget(msgspec.Struct, frozen=True, tag=True):
    """Drop shares, weights and tables."""

    call: int
    keys: tuple[str, ...]


class Exit(msgspec.Struct, frozen=True, tag=True):
    """Close the links and end."""


Order = Union[  # noqa: UP007 - msgspec takes the members from a typing.Union
    Run, Prepare, GiveUp, Go, Discard, Abort, Relink, OpenTable, SetPolicy, JoinHome, Move, Forget, Exit
]


class Ready(msgspec.Struct, frozen=True, tag=True):
    """Inputs are made, nothing stands in the way."""

    call: int


class Done(msgspec.Struct, frozen=True, tag=True):
    """A call succeeded."""

    call: int
    report: Report | None = None
    info: TableInfo | None = None


class Failed(msgspec.Struct, frozen=True, tag=True):
    """A call failed: an error of the engine, as data."""

    call: int
    kind: str
    message: str
    where: dict[str, Any]

    def error(self) -> IcmError:
        """The error as it was raised."""
        found = _ERRORS.get(self.kind, FaultError)
        return found(self.message, **self.where)


Answer = Union[Ready, Done, Failed, ResultMessage]  # noqa: UP007

_ERRORS: Mapping[str, type[IcmError]] = {name: getattr(errors, name) for name in errors.__all__}
_ENCODER = msgspec.msgpack.Encoder(enc_hook=str)
_ORDERS = msgspec.msgpack.Decoder(Order)
_ANSWERS = msgspec.msgpack.Decoder(Answer)


def encode(message: Order | Answer) -> bytes:
    """As msgpack."""
    return _ENCODER.encode(message)


def decode_order(payload: bytes) -> Order:
    """What the driver sent; raises `Desynchronised` for anything else."""
    try:
        order: Order = _ORDERS.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Desynchronised("the driver sent something else than an order", party="driver") from error
    return order


def decode_answer(payload: bytes, party: str) -> Answer:
    """What a worker sent; raises `Desynchronised` for anything else."""
    try:
        answer: Answer = _ANSWERS.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Desynchronised(f"{party} sent something else than an answer", party=party) from error
    return answer


def failed(call: int, error: Exception, name: str) -> Failed:
    """An exception as data. Of one that is not the engine's own only type and place: its text may hold values."""
    if isinstance(error, InputError):
        error = error.of_owner(name)
    if isinstance(error, IcmError):
        return Failed(call, type(error).__name__, error.message, error.where)
    at = extract_tb(error.__traceback__)[-1]
    message = f"{name} failed with {type(error).__name__} in {Path(at.filename).name}, line {at.lineno}"
    return Failed(call, "FaultError", message, {"party": name, "step": at.name})
