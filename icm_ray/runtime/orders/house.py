"""What a worker that an organisation's instance started asks of it, and is told: over a link of their own.

The worker believes its own instance, and nobody else: which rows a name stands for, under which policy, whether
what is asked may be answered.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, Union

import msgspec

from icm_ray.network.outputs import Output
from icm_ray.payload import Name, Natural, Shape, Word32, decode
from icm_ray.policy import Policy
from icm_ray.query.image_tasks import ImageSource
from icm_ray.query.tasks import CsvSource, ParquetSource
from icm_ray.runtime.orders.lane_plan import Member
from icm_ray.runtime.orders.messages import Failed

__all__ = [
    "MOST_LETTERS",
    "MOST_REASONS",
    "MOST_RESULT_BYTES",
    "Allowed",
    "ExpectResult",
    "Held",
    "HouseAnswer",
    "HouseCall",
    "HouseFacts",
    "IsLedger",
    "IsOwn",
    "ListensAt",
    "MayRun",
    "OpenHeld",
    "OpenPictures",
    "OpenWeights",
    "Origin",
    "Own",
    "Pictures",
    "PredictionFacts",
    "Reasons",
    "Refused",
    "ResultId",
    "ResultTitle",
    "TakeResult",
    "Taken",
    "UseModel",
    "UsePictures",
    "Weights",
    "decode_house_answer",
    "decode_house_call",
    "house_link",
]


Origin = Literal["question", "prediction"]
"""What a job follows from."""
MOST_RESULT_BYTES: Final = 24 << 20
"""Of a result's file."""
MOST_LETTERS: Final = 1000
"""Of what a result is called, and of why a number of it is withheld,"""
MOST_REASONS: Final = 100
"""of which there are so many."""
ResultTitle = Annotated[str, msgspec.Meta(max_length=MOST_LETTERS)]
ResultId = Annotated[str, msgspec.Meta(max_length=64)]
Reasons = Annotated[tuple[ResultTitle, ...], msgspec.Meta(max_length=MOST_REASONS)]


class HouseFacts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a worker is started with by its instance. instance: where that is. asker: the organisation whose driver it
    works for. memory: bytes that it may take, 0: any. cores: of its machine that it shares with all workers that are
    given so many, 0: any.
    """

    instance: Member
    asker: Name
    memory: Natural = 0
    cores: Natural = 0


class OpenHeld(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """The asker's driver opens a dataset of the catalogue."""

    dataset: str


class OpenPictures(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """The asker's driver opens pictures of the catalogue, as images of a shape."""

    dataset: str
    shape: Shape


class OpenWeights(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """The asker's driver has the weights of a model of the catalogue loaded."""

    model: str


class PredictionFacts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A prediction on `count` images of `images_owner`'s, before this worker contributes. k: of "top_k"; threshold: of
    "above". parties: of the lane, in order. session, run: what the asker calls them. to: who hears the output; "": the
    asker.
    """

    model_owner: Name
    images_owner: Name
    output: Output
    count: Word32
    k: int = 0
    threshold: float = 0.0
    parties: tuple[str, ...] = ()
    session: str = ""
    run: str = ""
    to: Name = ""


class UseModel(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """The asker has a model predict whose weights this worker loaded; images count as used from now on. weights: their
    digest, as they were loaded. back: the run did not begin: they were not used.
    """

    model: str
    weights: str
    asked: PredictionFacts
    back: bool = False


class UsePictures(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """The asker has a model predict on pictures. graph: the digest of the model's public facts, and of what becomes of
    pictures before it. back: the run did not begin, for no fault of theirs. opened: which these were (`Pictures`).
    """

    dataset: str
    graph: str
    asked: PredictionFacts
    back: bool = False
    opened: Name = ""


class MayRun(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """What a job follows from, before this worker contributes. datasets: those of the catalogue that it reads.

    names: by the name of a dataset in the question, that of the catalogue. parties: of the lane, in order. session,
    lane, stage: which job it is; a run of a question has each of them once. to: whom results are for; "": the asker.
    back: the job that was allowed, and counted, did not begin.
    shared, purpose: as in `icm_ray.runtime.orders.origins.FromQuestion`; names and datasets have theirs, too. opened:
    of each of the datasets, how it was offered when this worker opened it (`Held`).
    """

    kind: Origin
    asked: bytes
    datasets: tuple[str, ...]
    names: dict[str, str] = {}
    parties: tuple[str, ...] = ()
    session: str = ""
    lane: int = 0
    stage: int = 0
    to: Name = ""
    back: bool = False
    shared: tuple[bytes, ...] = ()
    purpose: bytes = b""
    opened: dict[str, str] = {}


class ExpectResult(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """The asker would have numbers of so many bytes opened for this organisation. id: of the result, as below."""

    size: Natural
    id: ResultId = ""


class TakeResult(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """What a question of the asker's answers, which is for this organisation. title: the question in words, as this
    worker derived it. rows: of the table. withheld: why numbers of it are missing. parquet: the table. id: which result
    of the asker's it is, also where it comes again after a fault; "": another one each time. part: whether these rows
    are some of the result's, of which size is the bytes of the numbers.
    """

    title: ResultTitle
    rows: Natural
    withheld: Reasons
    parquet: Annotated[bytes, msgspec.Meta(max_length=MOST_RESULT_BYTES)]
    id: ResultId = ""
    part: bool = False
    size: Natural = 0


class ListensAt(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """Where this worker is reached by others of its organisation. Whoever else sees `Member`s, sees no such address."""

    session: str
    lane: int
    inside: Member


class IsOwn(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """A worker that shares of this one are to be moved to."""

    session: str
    lane: int
    member: Member


class IsLedger(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """Whether the ledger of a policy's name is one of a dataset of the catalogue: then `Allowed` is counted."""

    name: Name


class Refused(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """What kind of failure this worker told the asker's driver nothing more of."""

    kind: str


class Held(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """Where the rows of a dataset lie, and what guards them, whoever asks. version: how it is offered."""

    source: ParquetSource | CsvSource
    policy: Policy
    version: Name


class Pictures(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """Where pictures lie. version: which these are."""

    source: ImageSource
    version: Name


class Weights(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """Where the weights of a model lie, and the digest of that file. fingerprint: of the model's public facts."""

    path: str
    digest: str
    fingerprint: str


class Own(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """It is, and is reached there."""

    inside: Member


class Allowed(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """Nothing stands in the way, or it was noted. counted: this time; the next one is asked for anew."""

    counted: bool = False


class Taken(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """A result is kept. number: it has here."""

    number: Natural


HouseCall = Union[  # noqa: UP007 - msgspec takes the members from a typing.Union
    OpenHeld,
    OpenPictures,
    OpenWeights,
    UseModel,
    UsePictures,
    MayRun,
    ExpectResult,
    TakeResult,
    ListensAt,
    IsOwn,
    IsLedger,
    Refused,
]
HouseAnswer = Union[Held, Pictures, Weights, Own, Taken, Allowed, Failed]  # noqa: UP007
_CALLS: Final[msgspec.msgpack.Decoder[HouseCall]] = msgspec.msgpack.Decoder(HouseCall)
_ANSWERS: Final[msgspec.msgpack.Decoder[HouseAnswer]] = msgspec.msgpack.Decoder(HouseAnswer)


def decode_house_call(payload: bytes, worker: str) -> HouseCall:
    """What a worker asks; raises `Desynchronised` for anything else."""
    return decode(payload, _CALLS, "a question to its instance", worker)


def decode_house_answer(payload: bytes) -> HouseAnswer:
    """What the instance answers; raises `Desynchronised` for anything else."""
    return decode(payload, _ANSWERS, "an answer to a worker", "the instance")


def house_link(session: str, lane: int, name: str) -> str:
    """The name of the link between a worker and its instance."""
    return f"house/{session}/{lane}/{name}"
