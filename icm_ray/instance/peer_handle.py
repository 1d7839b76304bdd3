"""A worker that an organisation's instance started, as a lane's driver holds it: by word of the own instance."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import suppress
from time import monotonic
from typing import Any, Final

from icm_ray.errors import Desynchronised, IcmError, InstanceError, PeerLost
from icm_ray.instance.messages import (
    Answer,
    Done,
    EndWorker,
    Forward,
    HasEnded,
    JoinLane,
    Started,
    StartWorker,
    VouchForDriver,
)
from icm_ray.instance.user_link import UserLink
from icm_ray.instance.vouchers import Voucher
from icm_ray.runtime.orders.lane_plan import LanePlan
from icm_ray.runtime.orders.messages import Failed

__all__ = ["PeerHandle"]

_LOOK: Final = 1.0
"""Seconds between two questions whether a worker lives; a cut link is seen at once."""


class _Answer:
    """What an instance will answer."""

    def __init__(self, future: Future[Any], read: Callable[[Any], Any]) -> None:
        self._future, self._read = future, read

    def done(self) -> bool:
        return self._future.done()

    def result(self) -> Any:
        found = self._future.result()
        if isinstance(found, Failed):
            raise found.error()
        return self._read(found)


class PeerHandle:
    """Of the member `name` in a lane. organisation: whose instance starts it. link: to the own instance. vouchers: of
    the members of its lane, in which each handle puts its own. pool: for what takes several answers.
    """

    def __init__(
        self,
        name: str,
        organisation: str,
        link: UserLink,
        place: tuple[str, int],
        vouchers: dict[str, Voucher],
        pool: ThreadPoolExecutor,
    ) -> None:
        self.name, self._organisation, self._link = name, organisation, link
        self._session, self._lane = place
        self._vouchers, self._pool = vouchers, pool
        self._looking: Future[Answer] | None = None
        self._started, self._lost, self._look_at = False, "", 0.0
        self._ending: Future[Answer] | None = None

    def _say(self, call: StartWorker | JoinLane | HasEnded | EndWorker) -> Future[Answer]:
        return self._link.submit(Forward(self._organisation, call))

    def endpoint(self) -> _Answer:
        def started(answer: Answer) -> Any:
            if not isinstance(answer, Started) or answer.voucher.member[0] != self.name:
                raise Desynchronised(f"{self._organisation} started another worker", party=self.name)
            self._vouchers[self.name], self._started = answer.voucher, True
            return answer.voucher.member

        return _Answer(self._say(StartWorker(self._session, self._lane)), started)

    def join(self, plan: LanePlan) -> _Answer:
        def joined() -> Answer:
            mine = self._link.call(VouchForDriver(plan.session, plan.lane, plan.driver))
            if not isinstance(mine, Started):
                raise Desynchronised("the own instance vouches for nobody", party=self.name)
            answer = self._say(JoinLane(plan, (*self._vouchers.values(), mine.voucher))).result()
            if isinstance(answer, Failed) and isinstance(refusal := answer.error(), InstanceError):
                self._check_there(refusal)
            return answer

        return _Answer(self._pool.submit(joined), lambda _: None)

    def _check_there(self, refusal: InstanceError) -> None:
        """Raise `PeerLost` where an instance refuses since it has no such worker any more: it began anew meanwhile."""
        found = self._say(HasEnded(self._session, self._lane)).result()
        if isinstance(found, Done) and found.said:
            raise PeerLost(f"{self._organisation}: {found.said}: {refusal.message}", party=self.name, step="join")

    def lost(self) -> str:
        if self._link.gone:
            return "the own instance is gone"
        if self._looking is not None and self._looking.done():
            with suppress(IcmError):
                answer = self._looking.result()
                self._lost = answer.said if isinstance(answer, Done) else self._lost
            self._looking = None
        elif self._started and self._looking is None and monotonic() > self._look_at:
            self._look_at = monotonic() + _LOOK
            with suppress(IcmError):
                self._looking = self._say(HasEnded(self._session, self._lane))
        return self._lost

    def kill(self) -> None:
        if self._ending is None:
            with suppress(IcmError):
                self._ending = self._say(EndWorker(self._session, self._lane))

    def ended(self, timeout: float) -> bool:
        if self._ending is None:
            with suppress(IcmError):
                self._ending = self._say(EndWorker(self._session, self._lane))
        if self._ending is None:
            return True  # nobody is left to ask; its lease ends it
        try:
            self._ending.result(timeout)
        except (TimeoutError, FutureTimeout):
            return False
        except IcmError:
            return True
        return True
