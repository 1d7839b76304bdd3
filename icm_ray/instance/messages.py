"""What instances say to one another, and a user to the own one: calls and answers, data alone, read by type."""

from __future__ import annotations

from typing import Annotated, Final, Union

import msgspec

from icm_ray.instance.catalogue import PublicDataset
from icm_ray.instance.jobs import AskRequest, Decided, Job, RequestApproval
from icm_ray.instance.models import OfferedModel
from icm_ray.instance.pictures import OfferedPictures
from icm_ray.instance.proving import AskLog, LogPart
from icm_ray.instance.status import Status
from icm_ray.instance.vouchers import Voucher
from icm_ray.payload import Name, Word32, decode
from icm_ray.runtime.orders.lane_plan import LanePlan, Member
from icm_ray.runtime.orders.messages import Failed

__all__ = [
    "VERSION",
    "Answer",
    "AskJob",
    "AskStatus",
    "Call",
    "Datasets",
    "Done",
    "EndWorker",
    "Envelope",
    "Forward",
    "HasEnded",
    "JoinLane",
    "ListDatasets",
    "ListOffers",
    "ListPeers",
    "LookAgain",
    "Offers",
    "Peers",
    "Ping",
    "Pong",
    "Remember",
    "Remembered",
    "StartWorker",
    "Started",
    "SubmitJob",
    "VouchForDriver",
    "decode_envelope",
]

VERSION: Final = 1
"""Of what is said. The one before is understood, a newer one refused in words."""
_SESSION = Annotated[str, msgspec.Meta(min_length=16, max_length=64)]
_PADDING = Annotated[bytes, msgspec.Meta(max_length=1 << 20)]


class Ping(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """Is anybody there. padding: comes back."""

    version: int = VERSION
    padding: _PADDING = b""


class ListDatasets(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """What the catalogue offers."""


class ListOffers(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """Which models there are for the caller."""


class StartWorker(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """Start this organisation's worker of a lane of the caller's."""

    session: _SESSION
    lane: Word32


class JoinLane(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """Let the worker join. vouchers: of every member of the plan, and of the driver."""

    plan: LanePlan
    vouchers: tuple[Voucher, ...]


class HasEnded(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """Whether a worker of the caller's is gone."""

    session: _SESSION
    lane: Word32


class EndWorker(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """End a worker of the caller's, and wait until it has."""

    session: _SESSION
    lane: Word32


class ListPeers(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """A user's: whom the instance may speak with."""


class AskStatus(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """A user's: how the instance is."""


class LookAgain(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """A user's: the roster was changed. Answered once whoever is not approved any more was hung up on."""


class VouchForDriver(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """A user's: sign for the driver that this process is."""

    session: _SESSION
    lane: Word32
    member: Member


class SubmitJob(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """A user's: request this of the owners. Its id, age and states are the instance's to say."""

    job: Job


class AskJob(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """A user's: what became of a job. anew: whether owners are asked though they were just now."""

    id: Name
    anew: bool = False


class Remember(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """A user's: what a peer offered when it was last asked, for whoever finds it away."""

    peer: Name


PeerCall = Union[  # noqa: UP007 - msgspec takes the members from a typing.Union
    Ping, ListDatasets, ListOffers, StartWorker, JoinLane, HasEnded, EndWorker, RequestApproval, AskRequest, AskLog
]


class Forward(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """A user's: say this to a peer's instance, or to the own one by its own name."""

    peer: Name
    call: PeerCall


Call = Union[  # noqa: UP007 - msgspec takes the members from a typing.Union
    Ping,
    ListDatasets,
    ListOffers,
    StartWorker,
    JoinLane,
    HasEnded,
    EndWorker,
    RequestApproval,
    AskRequest,
    AskLog,
    SubmitJob,
    AskJob,
    ListPeers,
    AskStatus,
    LookAgain,
    VouchForDriver,
    Remember,
    Forward,
]


class Pong(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """name: who answers. release: of its icm-ray. clock: seconds since 1970. padding: as it came."""

    name: Name
    version: int
    release: Name
    clock: float
    padding: _PADDING = b""


class Datasets(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """Of a catalogue, pictures too."""

    datasets: tuple[PublicDataset, ...]
    pictures: tuple[OfferedPictures, ...]


class Offers(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """Models of a catalogue."""

    models: tuple[OfferedModel, ...]


class Remembered(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """What a peer said last; None where it never did."""

    datasets: Datasets | None = None
    models: Offers | None = None


class Peers(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """name: the own organisation. peers: approved organisations. dealer: the approved dealer; "": there is none."""

    name: Name
    peers: tuple[Name, ...]
    dealer: Name


class Started(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """Where a worker listens, signed for."""

    voucher: Voucher


class Done(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """It was done. said: what there is to say, in words; "" for nothing."""

    said: str = ""


Answer = Union[  # noqa: UP007
    Pong, Datasets, Offers, Remembered, Peers, Started, Status, Done, Decided, Job, LogPart, Failed
]


class Envelope(msgspec.Struct, frozen=True, forbid_unknown_fields=True, array_like=True):
    """number: of the call, by its caller. call, answer: one of the two."""

    number: int
    call: Call | None = None
    answer: Answer | None = None


_ENVELOPES: Final[msgspec.msgpack.Decoder[Envelope]] = msgspec.msgpack.Decoder(Envelope)


def decode_envelope(payload: bytes, sender: str) -> Envelope:
    """What came; raises `Desynchronised` for anything that is none."""
    return decode(payload, _ENVELOPES, "a call or an answer of an instance", sender)
