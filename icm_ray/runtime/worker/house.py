"""A worker's link with the instance that started it: the one that it believes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Final

import msgspec

from icm_ray.errors import FaultError, IcmError, InputError, PeerSilent, ProgramError, SessionError
from icm_ray.network.programs import PredictionQuestion
from icm_ray.policy import Policy
from icm_ray.query.image_tasks import ImageSource
from icm_ray.query.tasks import Source
from icm_ray.runtime.orders.house import (
    Allowed,
    ExpectResult,
    Held,
    HouseAnswer,
    HouseCall,
    HouseFacts,
    IsLedger,
    IsOwn,
    ListensAt,
    MayRun,
    OpenHeld,
    OpenPictures,
    OpenWeights,
    Origin,
    Own,
    Pictures,
    PredictionFacts,
    Refused,
    Taken,
    TakeResult,
    UseModel,
    UsePictures,
    Weights,
    decode_house_answer,
    house_link,
)
from icm_ray.runtime.orders.lane_plan import LanePlan, Member, member_of
from icm_ray.runtime.orders.limits import ORDER_BYTES
from icm_ray.runtime.orders.messages import Failed
from icm_ray.transport import Endpoint, Station, WatchedLink

__all__ = ["House"]

_PATIENCE: Final = 60.0
_HOLDS: Final = 30.0
"""Seconds for which what was allowed is: what is offered no more, or otherwise, is asked about no longer."""
_DIGEST: Final = 64
"""Letters of SHA-256."""


class House:
    """Of the worker `name`. Calls come from the worker's serving thread alone. on_lost: called when the instance is
    gone: a worker without one ends. patience: seconds that it may take for an answer.
    """

    def __init__(self, name: str, facts: HouseFacts, on_lost: Callable[[], None], patience: float = _PATIENCE) -> None:
        self._name, self._facts, self._on_lost, self._patience = name, facts, on_lost, patience
        self._answers: SimpleQueue[HouseAnswer | FaultError] = SimpleQueue()
        self._link: WatchedLink | None = None
        self._gone: FaultError | None = None
        self._session, self._lane = "", 0
        self._parties: tuple[str, ...] = ()
        self._members: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
        self._allowed: MayRun | None = None  # of any stage
        self._holds = 0.0  # until when
        self._counted: MayRun | None = None

    @property
    def asker(self) -> str:
        """The organisation whose driver gives the orders."""
        return self._facts.asker

    @property
    def memory(self) -> int:
        """Bytes that this worker may take; 0: any."""
        return self._facts.memory

    @property
    def mine(self) -> bool:
        """Whether the driver is of this worker's own organisation, which may bring its own rows and arrays."""
        return self._facts.asker == self._name

    def join(self, plan: LanePlan, station: Station) -> None:
        """Open the link. Raises `FaultError` where the instance does not answer."""
        self._session, self._lane, self._parties = plan.session, plan.lane, (*plan.parties, *plan.owners)
        self._members = plan.parties, plan.owners
        endpoint = Endpoint(*self._facts.instance)
        link = self._link = station.open(endpoint, house_link(plan.session, plan.lane, self._name), True)
        link.set_receive_limits(0, 0)
        link.set_message_limit(ORDER_BYTES)
        link.start_listening(lambda payload: self._answers.put(decode_house_answer(payload)), None, self._lost)
        self._ask(ListensAt(plan.session, plan.lane, member_of(station.inside)))

    def _lost(self, error: FaultError) -> None:
        self._gone = self._gone or error
        self._answers.put(error)  # for whoever waits
        self._on_lost()

    def _ask(self, call: HouseCall) -> Held | Pictures | Weights | Own | Taken | Allowed:
        if self._link is None:
            raise ProgramError(f"{self._name} has not met its instance yet")
        if self._gone is not None:
            raise self._gone
        self._link.send_message(msgspec.msgpack.encode(call))
        try:
            answer = self._answers.get(timeout=self._patience)
        except Empty:
            silent = PeerSilent(f"{self._name}'s instance does not answer", party=self._name)
            self._link.abort()  # or its answer, once it comes, would be taken for one to a later question
            self._lost(silent)
            raise silent from None
        if isinstance(answer, FaultError):
            raise answer
        if isinstance(answer, Failed):
            raise answer.error()
        return answer

    def open(self, dataset: str) -> tuple[Source, Policy, str]:
        """The rows that the catalogue has under a name, what guards them, and how they are offered."""
        found = self._ask(OpenHeld(dataset))
        if not isinstance(found, Held):
            raise ProgramError(f"{self._name}'s instance knows no rows of {dataset!r}")
        return found.source, found.policy, found.version

    def keeps_ledger(self, name: str) -> bool:
        """Whether a ledger of that name is one of the organisation's rows: its name begins so, in letters of whichever
        case, which some disks do not tell apart; where that would be no file's name, it is a digest, and the instance
        knows.
        """
        name = name.lower()
        if name.startswith(f"{self._name.lower()}."):
            return True
        return len(name) == _DIGEST and self._ask(IsLedger(name)) == Allowed(counted=True)

    def pictures(self, dataset: str, shape: tuple[int, ...]) -> tuple[ImageSource, str]:
        """The pictures that the catalogue has under a name, as images of this shape, and which these are."""
        found = self._ask(OpenPictures(dataset, shape))
        if not isinstance(found, Pictures):
            raise ProgramError(f"{self._name}'s instance knows no pictures {dataset!r}")
        return found.source, found.version

    def weights(self, model: str) -> Weights:
        """Where the weights lie that the catalogue has under a name."""
        found = self._ask(OpenWeights(model))
        if not isinstance(found, Weights):
            raise ProgramError(f"{self._name}'s instance knows no model {model!r}")
        return found

    def facts_of(self, asked: PredictionQuestion) -> PredictionFacts:
        """What the instance is told of a prediction. Weights that are loaded anew are another run's."""
        return PredictionFacts(
            asked.owner,
            asked.images,
            asked.output,
            asked.count,
            asked.k,
            asked.threshold,
            self._parties,
            self._session,
            asked.version,
            asked.to,
        )

    def use(self, what: UseModel | UsePictures) -> None:
        """Raise what the instance refuses with where a model, or pictures, are not offered so to the asker."""
        self._ask(what)

    @property
    def parties(self) -> tuple[str, ...]:
        """The organisations whose workers are in the lane, the dealer's apart."""
        return self._parties

    @property
    def members(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The same: parties, and owners that are none."""
        return self._members

    @property
    def session(self) -> str:
        """As the asker calls it."""
        return self._session

    def expect(self, size: int, result: str) -> None:
        """Raise what the instance refuses with where numbers of so many bytes would be opened for it. result: its
        id.
        """
        self._ask(ExpectResult(size, result))

    def deliver(self, result: TakeResult) -> int:
        """Hand a result over; the number that it has there."""
        found = self._ask(result)
        if not isinstance(found, Taken):
            raise ProgramError(f"{self._name}'s instance has not taken a result")
        return found.number

    def may(
        self,
        kind: Origin,
        asked: bytes,
        names: Mapping[str, str],
        stage: int = 0,
        to: str = "",
        shared: tuple[bytes, ...] = (),
        purpose: bytes = b"",
        opened: Mapping[str, str] = {},
    ) -> None:
        """Raise what the instance refuses with, `PolicyError` most of the time. What was allowed last stays so for half
        a minute, unless each time counts. names: by the name of a dataset in what is asked, that of the catalogue whose
        rows it reads; opened: by that how it was offered then. to: whom results are for; "": the asker. shared,
        purpose: as in `FromQuestion`.
        """
        datasets = tuple(sorted(set(names.values())))
        place = self._session, self._lane, stage
        for_what = self._parties, *place, to
        call = MayRun(
            kind, asked, datasets, dict(names), *for_what, shared=shared, purpose=purpose, opened=dict(opened)
        )
        if msgspec.structs.replace(call, stage=0) == self._allowed and monotonic() < self._holds:
            return
        answer = self._ask(call)
        if isinstance(answer, Allowed) and answer.counted:
            self._counted = call
        else:
            self._allowed, self._holds = msgspec.structs.replace(call, stage=0), monotonic() + _HOLDS

    def begin(self) -> None:
        """What was allowed last begins."""
        self._counted = None

    def give_back(self) -> None:
        """What was allowed last, and counted, does not begin, where it has not."""
        call, self._counted = self._counted, None
        if call is not None:
            self._ask(msgspec.structs.replace(call, back=True))

    def own(self, lane: int, member: Member) -> Member:
        """Where the worker of another lane is reached. Raises `ProgramError`, or what the instance refuses with, where
        shares would leave this organisation.
        """
        found = self._ask(IsOwn(self._session, lane, member))
        if not isinstance(found, Own):
            raise ProgramError(f"{self._name}'s instance knows no worker in lane {lane}")
        return found.inside

    def discreet(self, failed: Failed) -> Failed:
        """What the asker hears of a failure: nothing that follows from rows. Nor does it stand in any log."""
        if self.mine or failed.kind not in _PRIVATE:
            return failed
        if failed.kind in _OF_ROWS:
            with suppress(IcmError):  # whether it could be noted or not, no more is said
                self._ask(Refused(failed.kind))
        where = {key: value for key, value in failed.where.items() if key in {"party", "owner"}}
        message = f"{self._name} refuses: its rows, or its own files, do not allow this ({failed.kind})"
        return Failed(failed.call, failed.kind, message, where)

    def close(self) -> None:
        """Leave. Idempotent."""
        if self._link is not None:
            self._link.close()


def _kinds(root: type[IcmError]) -> frozenset[str]:
    found = {root.__name__}
    for kind in root.__subclasses__():
        found |= _kinds(kind)
    return frozenset(found)


_OF_ROWS: Final = _kinds(InputError)
"""Errors that rows themselves may be the reason of: what an instance counts."""
_PRIVATE: Final = _OF_ROWS | _kinds(SessionError)
"""Errors whose text may say something of rows, or of the place where these or ledgers lie."""
