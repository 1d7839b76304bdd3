"""Calls both ways over one link: whoever dialled it, both ends may ask."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from itertools import count

import msgspec

from icm_ray.errors import FaultError, InstanceError, PeerLost, PeerSilent
from icm_ray.instance.call_rate import WORKING, CallRate
from icm_ray.instance.messages import Answer, Call, Envelope, decode_envelope
from icm_ray.instance.settings import Limits
from icm_ray.runtime.orders.messages import Failed, failed
from icm_ray.transport import WatchedLink

__all__ = ["Conversation"]


class Conversation:
    """With `peer`. me: this side's name, for errors. answer: what a call is answered with, in a thread of its own; what
    it raises is told. limits: of what the other side may take. on_end: called once when the link is gone. rate: that
    of all links with the peer; None: this is the only one.
    """

    def __init__(
        self,
        me: str,
        peer: str,
        link: WatchedLink,
        answer: Callable[[Call], Answer],
        limits: Limits,
        on_end: Callable[[Conversation], None] | None = None,
        rate: CallRate | None = None,
    ) -> None:
        self.peer = peer
        self._me, self._link, self._answer, self._limits, self._on_end = me, link, answer, limits, on_end
        self._numbers = count(1)
        self._lock = threading.Lock()
        self._waiting: dict[int, Future[Answer]] = {}
        self._gone: FaultError | None = None
        self._rate = rate or CallRate(limits.calls)
        self._pool = ThreadPoolExecutor(WORKING, f"icm-calls-{peer}")
        link.set_receive_limits(0, 0)
        link.set_message_limit(limits.message_bytes)
        link.start_listening(self._heard, None, self._lost)

    def call(self, call: Call, timeout: float) -> Answer:
        """Ask, and wait for the answer. Raises what the peer refuses with, `PeerSilent` or `PeerLost`."""
        future = self.submit(call)
        try:
            found = future.result(timeout)
        except (TimeoutError, FutureTimeout):
            raise PeerSilent(
                f"{self.peer}'s instance did not answer within {timeout:g} s", party=self.peer, step="ask"
            ) from None
        if isinstance(found, Failed):
            raise found.error()
        return found

    def submit(self, call: Call) -> Future[Answer]:
        """Ask; the future has the answer, a `Failed` among them. Raises `PeerLost` where the link is gone."""
        future: Future[Answer] = Future()
        with self._lock:
            if self._gone is not None:
                raise self._gone
            number = next(self._numbers)
            self._waiting[number] = future
        try:
            self._say(Envelope(number, call=call))
        except InstanceError:
            with self._lock:
                del self._waiting[number]
            raise
        return future

    @property
    def gone(self) -> bool:
        """Whether nothing can be asked any more."""
        return self._gone is not None

    def _say(self, envelope: Envelope) -> None:
        payload = msgspec.msgpack.encode(envelope)
        if len(payload) > self._limits.message_bytes:
            raise InstanceError(f"{len(payload)} bytes to {self.peer}; an instance takes {self._limits.message_bytes}")
        try:
            self._link.send_message(payload)
        except FaultError as error:
            self._lost(error)
            raise

    def _heard(self, payload: bytes) -> None:
        """In the link's own thread: never waits."""
        envelope = decode_envelope(payload, self.peer)
        if envelope.answer is not None:
            with self._lock:
                future = self._waiting.pop(envelope.number, None)
            if future is not None:
                future.set_result(envelope.answer)
            return
        if envelope.call is None:
            return
        refusal = self._rate.begin()
        if refusal:
            error = InstanceError(f"{self._me} refuses: {refusal}", party=self._me)
            self._tell(envelope.number, failed(envelope.number, error, self._me))
            return
        try:
            working = self._pool.submit(self._work, envelope.number, envelope.call)
        except RuntimeError:  # the link has ended meanwhile
            self._rate.end()
            return
        working.add_done_callback(lambda ended: self._rate.end() if ended.cancelled() else None)

    def _work(self, number: int, call: Call) -> None:
        try:
            answer = self._answer(call)
        except Exception as error:  # noqa: BLE001 - whatever it was, the caller must hear of it
            answer = failed(number, error, self._me)
        self._rate.end()  # before whoever asked can ask for more
        self._tell(number, answer)

    def _tell(self, number: int, answer: Answer) -> None:
        try:
            self._say(Envelope(number, answer=answer))
        except FaultError:
            return  # the caller is gone
        except InstanceError as error:
            self._say(Envelope(number, answer=failed(number, error, self._me)))

    def _lost(self, error: FaultError) -> None:
        with self._lock:
            if self._gone is not None:
                return
            self._gone = PeerLost(f"{self.peer}'s instance is gone: {error.message}", party=self.peer, step="ask")
            waiting, self._waiting = list(self._waiting.values()), {}
        for future in waiting:
            future.set_exception(self._gone)
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._link.close()
        if self._on_end is not None:
            self._on_end(self)

    def close(self) -> None:
        """Hang up. Idempotent."""
        self._lost(PeerLost("this side hung up", party=self.peer))
