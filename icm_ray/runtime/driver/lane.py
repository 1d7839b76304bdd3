"""A lane, as the driver sees it: assembles the workers, speaks with each over two links, and finds out who failed.

Every wait has an end and looks at every member while it lasts: at the links' heartbeats, at the processes, at what the
workers say. The first cause is the one that is raised.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from queue import Empty
from time import monotonic, sleep
from types import MappingProxyType
from typing import Any, Final

from icm_ray.config import EngineConfig
from icm_ray.errors import (
    BoundExceeded,
    FaultError,
    IcmError,
    InputError,
    PeerLost,
    PeerSilent,
    SessionClosed,
    SessionError,
    StockMismatch,
)
from icm_ray.names import DRIVER
from icm_ray.runtime.driver.dialling import Dialling
from icm_ray.runtime.driver.first_cause import Evidence, first_cause
from icm_ray.runtime.driver.handle import Handle, Pending
from icm_ray.runtime.driver.interrupted import Interrupted, go_on
from icm_ray.runtime.driver.mailbox import Mailbox
from icm_ray.runtime.driver.not_joined import why_not_joined
from icm_ray.runtime.driver.patience import Patience
from icm_ray.runtime.orders import messages as say
from icm_ray.runtime.orders.jobs import ResultMessage
from icm_ray.runtime.orders.lane_plan import LanePlan
from icm_ray.runtime.orders.limits import ORDER_BYTES
from icm_ray.transport import Station, WatchedLink

__all__ = ["Interrupted", "Lane"]

_POLL: Final = 0.1
"""Seconds between two looks at the processes; what comes over a link is seen at once."""
_LOOK: Final = 1.0
"""... and at most, while answers come."""
_GRACE: Final = 0.5
"""How long other witnesses of a failure are waited for."""
_EXIT: Final = 3.0
"""Seconds that workers may take to end by themselves."""
_RESUMED: Final = {"run", "gather", "ledgers"}
"""Steps after whose failure the lane goes on where every member lives."""
_FAREWELL: Final = 300
"""Characters of what a worker says of its own end."""


class Lane:
    """One worker of every party and owner, and the dealer's. `handles`: by name. One call at a time.

    organisations: whose worker a member is that does not bear its organisation's name.
    """

    def __init__(
        self,
        session: str,
        index: int,
        parties: tuple[str, ...],
        owners: tuple[str, ...],
        handles: Mapping[str, Handle],
        station: Station,
        config: EngineConfig,
        organisations: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.index, self.parties, self.owners, self.config = index, parties, owners, config
        self.handles = dict(handles)
        self.plan: LanePlan | None = None
        self.data: dict[str, WatchedLink] = {}
        self.control: dict[str, WatchedLink] = {}
        self._dials: dict[str, Dialling] = {}  # what has opened them
        self._linked: dict[int, tuple[int, int]] = {}  # generations, its own and the other's, by lane
        self.one_ledger: set[str] = set()  # members that are known to keep theirs where they do in the first lane
        self._session, self._station, self._organisations = session, station, organisations
        self._heard = Mailbox()
        self._calls, self._generation, self._lane_links = 0, 0, 0
        self._farewells: dict[str, str] = {}  # why members ended themselves
        self._ended: set[str] = set()  # who has answered the present call for good
        self._busy = threading.Lock()
        self._forgotten: deque[str] = deque()
        self._forgetting = False  # the lane is busy with that, and nobody hears what comes of it
        self._stopping = threading.Event()  # no call goes on: the session ends
        self._stop: threading.Event | None = None  # the present call alone does not
        self._look_at = 0.0
        self._broken: str = ""
        self._untold: FaultError | None = None  # what ended it, until somebody hears that
        self._closed = False

    # --- assembly -------------------------------------------------------------------------------------------------

    def assemble(self, stop: threading.Event) -> None:
        """Wait for the workers to start, tell each of the others, open the driver's links. Kills all if that fails.

        stop: is set by whoever wants it to end soon.
        """
        self._stop = stop
        patience = Patience(self.config.start_timeout, _LOOK)
        joins: dict[str, Pending] = {}
        try:
            (found,) = self._all(patience, "start", {name: one.endpoint() for name, one in self.handles.items()})
            here = self._station.endpoint
            driver = (here.name, here.host, here.port, here.certificate)
            plan = LanePlan(
                self._session,
                self.index,
                self.parties,
                self.owners,
                tuple(found[name] for name in self.handles),
                driver,
            )
            joins.update({name: handle.join(plan) for name, handle in self.handles.items()})
            self._dials = {name: Dialling(self._station, plan, name) for name in self.handles}
            links, _ = self._all(patience, "join", self._dials, joins)  # whoever does not join opens no links either
            for name in self.handles:
                self.data[name], self.control[name] = links[name]
        except FaultError as error:
            cause = why_not_joined(error, joins, self._organisations, _GRACE)
            self.kill()
            raise cause from error
        except BaseException:
            self.kill()
            raise
        self.plan, self._stop = plan, None
        for name in self.handles:
            self._listen(name)

    def _listen(self, name: str) -> None:
        def answered(payload: bytes) -> None:
            answer = say.decode_answer(payload, name)
            if isinstance(answer, say.Failed) and answer.call == 0:  # no call of this process: it ends
                self._farewells[name] = answer.message[:_FAREWELL]
            else:
                self._heard.put(name, answer, len(payload))

        for link in (self.data[name], self.control[name]):
            link.set_receive_limits(0, 0)  # nothing but messages
        self.data[name].set_message_limit(self._heard.limit)
        self.control[name].set_message_limit(0)  # it is for orders
        self.data[name].start_listening(answered, None, lambda error: self._heard.fail(name, error))
        self.control[name].start_listening(answered, None, lambda error: self._heard.fail(name, error))

    def _all(self, patience: Patience, step: str, *pending: Mapping[str, Pending]) -> list[dict[str, Any]]:
        """What every worker answered; raises the first error, or `PeerSilent` naming one that did not in time."""
        left = {(place, name): item for place, items in enumerate(pending) for name, item in items.items()}
        results: list[dict[str, Any]] = [{} for _ in pending]
        while left:
            done = [key for key, item in left.items() if item.done()]
            for _, name in [key for key in left if key not in done]:
                if lost := self.handles[name].lost():
                    raise PeerLost(f"{name}: {lost} (at {step})", party=name, step=step)
            for place, name in done:
                results[place][name] = left.pop((place, name)).result()
            self._check_stop("start")
            if left and patience.over():
                (_, name), limit = next(iter(left)), patience.limit
                raise PeerSilent(f"{name} did not {step} within {limit:g} s", party=name, step=step)
            if left:
                sleep(0.005)
        return results

    def place(self, name: str) -> str:
        """The lane, and the node that a member's worker listens on, in words."""
        host = self.plan.endpoint(name).host if self.plan is not None else ""
        return f"lane {self.index} ({host or 'node unknown'})"

    # --- calls ----------------------------------------------------------------------------------------------------

    @contextmanager
    def using(self, stop: threading.Event | None = None) -> Iterator[None]:
        """The lane for one call, when others' have ended. What fails for good in it breaks the lane.

        stop: is set by whoever wants this call, and no other, to end soon. Raises `Interrupted` then.
        """
        while not self._busy.acquire(timeout=_POLL):
            go_on(stop)
        try:
            go_on(stop)
            self.usable()
            self._send_forgotten()
            self._stop = stop
            yield
        except FaultError:
            self._untold = None  # whoever asked hears it now
            raise
        finally:
            self._stop = None
            self._busy.release()

    def usable(self) -> None:
        """Raise `SessionClosed` or `SessionError` where the lane cannot be used any more; once the fault that ended it,
        where that was found while nobody asked anything.
        """
        if self._closed:
            raise SessionClosed("the session was closed")
        if self._untold is not None:
            error, self._untold = self._untold, None
            raise error
        if self._broken:
            raise SessionError(f"the session cannot be used any more, open a new one: {self._broken}")

    def next_call(self) -> int:
        """A number for a call; answers to earlier ones are dropped from now on."""
        self._calls += 1
        self._ended = set()
        self.expect(0)
        return self._calls

    def expect(self, results: int) -> None:
        """Until the next call a member may send results of so many bytes; more ends the lane."""
        self._heard.expect(results)
        for link in self.data.values():
            link.set_message_limit(self._heard.limit)

    def ask(self, orders: Mapping[str, say.Order], call: int, step: str) -> dict[str, say.Done]:
        """Give orders to members and wait for all; raises the first error that one answers."""
        self.tell(orders)
        return self.collect(tuple(orders), call, step)

    def tell(self, orders: Mapping[str, say.Order]) -> None:
        """Send orders, without waiting. Raises `InputError` for what is too large for one, before any is sent."""
        for name, payload in self.weighed(orders).items():
            try:
                self.control[name].send_message(payload)
            except FaultError as error:
                raise self.fail(Evidence(DRIVER, error), None, "order") from error

    @staticmethod
    def weighed(orders: Mapping[str, say.Order]) -> dict[str, bytes]:
        """Orders as they travel. Raises `InputError` where one is larger than a worker takes."""
        payloads = {name: say.encode(order) for name, order in orders.items()}
        largest = max(map(len, payloads.values()), default=0)
        if largest > ORDER_BYTES:
            raise InputError(
                f"what is asked takes {largest} bytes as an order, a worker takes {ORDER_BYTES} at most: "
                "ask for less at once, or of fewer files and partitions (a larger partition_bytes)",
                bytes=largest,
                limit=ORDER_BYTES,
            )
        return payloads

    def collect(
        self,
        names: Sequence[str],
        call: int,
        step: str,
        *,
        partition: int | None = None,
        on_result: Callable[[str, ResultMessage], None] | None = None,
        limit: float | None = None,
    ) -> dict[str, say.Done]:
        """Wait until every name answered `Prepared`, or `Done`; `limit`: seconds, None for those of one partition.

        A member's refusal is raised when it arrives (in a run) or when all have answered; a fault breaks the lane.
        """
        done: dict[str, say.Done] = {}
        refused: IcmError | None = None
        answered: set[str] = set()
        left = lambda: [item for item in names if item not in answered]  # noqa: E731 - a name for what is waited for
        for name, answer in self._answers(partition, step, left, limit):
            if isinstance(answer, ResultMessage):
                if on_result is not None:
                    on_result(name, answer)
                continue
            if answer.call != call:
                continue
            answered.add(name)
            if isinstance(answer, say.Done):
                done[name] = answer
            elif isinstance(answer, say.Failed):
                error = answer.error()
                if isinstance(error, FaultError) and not isinstance(error, BoundExceeded | StockMismatch):
                    raise self._told(Evidence(name, error), partition, step)
                refused = refused or error
                if partition is not None:
                    break
            if len(answered) == len(names):
                break
        if refused is not None:
            raise refused
        return done

    def drain(self, names: Sequence[str], busy: float = 0.0) -> None:
        """Wait until every name has ended the present call, which was aborted, however it ended."""
        limit = max(self.config.silence, busy) + _EXIT
        for _ in self._answers(None, "abort", lambda: [name for name in names if name not in self._ended], limit):
            continue

    def _answers(
        self, partition: int | None, step: str, waited_for: Callable[[], Sequence[str]], limit: float | None = None
    ) -> Iterator[tuple[str, say.Answer]]:
        """What members say, for as long as they are asked; raises when one is gone, silent or late."""
        limit = limit or self.config.job_timeout + _EXIT
        patience = Patience(limit, _LOOK)
        while waited_for():
            late = patience.over()
            if monotonic() > self._look_at:  # also where answers come so fast that nothing is ever waited for
                self._look(partition, step)
            try:
                name, heard = self._heard.get(timeout=_POLL)
            except Empty:
                self._look(partition, step)
                if late:
                    name = waited_for()[0]
                    error = PeerSilent(
                        f"{name} lives but did not finish within {limit:g} s",
                        party=name,
                        partition=partition,
                        step=step,
                    )
                    if step in _RESUMED:  # every member lives: whoever runs it aborts, and makes the links anew
                        raise self._cause([Evidence(DRIVER, error)], partition, step) from None
                    raise self.fail(Evidence(DRIVER, error), partition, step) from None
                continue
            if isinstance(heard, FaultError):
                raise self.fail(Evidence(DRIVER, heard), partition, step)
            if isinstance(heard, say.Done | say.Failed) and heard.call == self._calls:
                self._ended.add(name)
            yield name, heard

    def _look(self, partition: int | None, step: str) -> None:
        self._look_at = monotonic() + _LOOK
        self._check_stop("call")
        for name, handle in self.handles.items():
            if lost := handle.lost():
                raise self.fail(Evidence(DRIVER, PeerLost(f"{name}: {lost}", party=name)), partition, step)

    def _check_stop(self, what: str) -> None:
        for stop in (self._stopping, self._stop):
            go_on(stop, what)

    def abort(self, names: Sequence[str], call: int, busy: float = 0.0) -> None:
        """End a call that did not end well though every member lives, and make the links anew. busy: seconds that a
        member may be busy with what cannot be ended.
        """
        self.resume()
        self._stop = None  # it has had its effect: the members' answers are waited for
        self.tell({name: say.Abort(call) for name in names})
        self.drain(names, busy)
        self.relink()

    def give_up(self, names: Sequence[str], program: bytes) -> None:
        """Let those who noticed no difference discard what was prepared for a program, too."""
        call = self.next_call()
        self.ask({name: say.GiveUp(call, program) for name in names}, call, "give up")

    def relink(self) -> None:
        """Cut links replaced by new ones: after a run that did not end well though every member lives."""
        self._generation += 1
        call = self.next_call()
        self.ask({name: say.Relink(call, self._generation) for name in self.handles}, call, "relink")

    def linked_with(self, home: Lane) -> bool:
        """Whether the links of its parties with themselves in another lane are there, and were not cut since."""
        return self._linked.get(home.index) == (self._generation, home._generation)

    def next_link(self) -> int:
        """The generation of the links with another lane that are opened next: whatever comes of it, it is used up."""
        self._lane_links += 1
        return self._lane_links

    def note_link(self, home: Lane) -> None:
        """The links with another lane were opened."""
        self._linked[home.index] = (self._generation, home._generation)

    def forget(self, keys: Sequence[str]) -> None:
        """Drop keys now if the lane is idle, else before its next call: this may be called by a garbage collector.
        A fault that ends the lane by that is raised by the next call.
        """
        self._forgotten.extend(keys)
        if self._busy.acquire(blocking=False):
            self._forgetting = True
            try:
                if not self._broken and not self._closed:
                    with suppress(FaultError):  # it is untold
                        self._send_forgotten()
            finally:
                self._forgetting = False
                self._busy.release()

    def _send_forgotten(self) -> None:
        keys: list[str] = []
        while self._forgotten:
            keys.append(self._forgotten.popleft())
        if keys:
            call = self.next_call()
            self.ask({name: say.Forget(call, tuple(keys)) for name in self.handles}, call, "forget")

    # --- ends -----------------------------------------------------------------------------------------------------

    def interrupt(self) -> None:
        """Let the present call, whoever's it is, and those after it end soon: the session ends. For any thread."""
        self._stopping.set()

    def resume(self) -> None:
        """Take an interruption back."""
        self._stopping.clear()

    @property
    def broken(self) -> bool:
        """Whether a fault ended it."""
        return bool(self._broken)

    def _other_witnesses(self) -> Iterator[tuple[str, say.Answer | FaultError]]:
        """What is heard within a moment of a failure."""
        deadline = monotonic() + _GRACE
        while (left := deadline - monotonic()) > 0:
            try:
                yield self._heard.get(timeout=left)
            except Empty:
                return

    def fail(self, first: Evidence, partition: int | None, step: str) -> FaultError:
        """Hear other witnesses of a failure for a moment, end the lane, and return the error to raise."""
        evidence = [first]
        for name, heard in self._other_witnesses():
            if isinstance(heard, FaultError):
                evidence.append(Evidence(DRIVER, heard))
            elif isinstance(heard, say.Failed) and isinstance(error := heard.error(), FaultError):
                evidence.append(Evidence(name, error))
        ended = {name: lost for name, handle in self.handles.items() if (lost := handle.lost())}
        evidence += [Evidence(DRIVER, PeerLost(f"{name}: {lost}", party=name)) for name, lost in ended.items()]
        error = self._cause(evidence, partition, step, {**ended, **self._farewells})
        self.kill(str(error))
        self._untold = error
        return error

    def _cause(
        self, evidence: Sequence[Evidence], partition: int | None, step: str, ended: Mapping[str, str] | None = None
    ) -> FaultError:
        return first_cause(evidence, DRIVER, partition, step, ended, self._organisations)

    def look(self) -> None:
        """End the lane where a member was lost while nothing was asked of it; whoever asks something finds that out."""
        if not self._busy.acquire(timeout=_LOOK if self._forgetting else 0.0):
            return  # whoever is asking finds it out
        try:
            while not self._broken:
                _, heard = self._heard.get(timeout=0.0)
                if isinstance(heard, FaultError):
                    self.fail(Evidence(DRIVER, heard), None, "wait")
        except Empty:
            return
        finally:
            self._busy.release()

    def _told(self, first: Evidence, partition: int | None, step: str) -> FaultError:
        """The error to raise where a member says that a run failed. Where every member lives (a connection between two
        of them was cut, or one took too long) the lane is not ended: whoever runs it aborts and makes its links anew.
        """
        evidence = [first]
        for name, heard in self._other_witnesses():
            if isinstance(heard, FaultError):
                return self.fail(Evidence(DRIVER, heard), partition, step)
            if isinstance(heard, say.Done | say.Failed) and heard.call == self._calls:
                self._ended.add(name)
            if isinstance(heard, say.Failed) and isinstance(error := heard.error(), FaultError):
                evidence.append(Evidence(name, error))
        if step not in _RESUMED or any(handle.lost() for handle in self.handles.values()):
            return self.fail(first, partition, step)
        return self._cause(evidence, partition, step)

    def kill(self, why: str = "it was ended") -> None:
        """End every worker at once; the lane is broken from then on. For any thread."""
        if self._closed:
            return
        self._broken = self._broken or why
        for handle in self.handles.values():
            handle.kill()
        for dial in self._dials.values():
            dial.drop()

    def close(self) -> None:
        """Let the workers end, and see to it that they do. Bounded; idempotent."""
        if self._closed:
            return
        self._closed = True
        if not self._broken:
            for name, link in self.control.items():
                if not self.handles[name].lost():
                    with suppress(FaultError):  # it is gone already, which is what was wanted
                        link.send_message(say.encode(say.Exit()))
        deadline = monotonic() + _EXIT
        for handle in self.handles.values():
            if self._broken or self.plan is None or not handle.ended(max(0.0, deadline - monotonic())):
                handle.kill()
        for dial in self._dials.values():
            dial.drop()
        for handle in self.handles.values():
            handle.ended(_EXIT)
