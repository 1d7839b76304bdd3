"""Each side of a job between organisations ends and starts again, in each state of the job: the right answer, or an
error that names organisation and step, and a question after it is answered.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from itertools import count

import pytest

from icm_ray.errors import FaultError
from icm_ray.instance.peer_handle import PeerHandle
from icm_ray.runtime.driver.lane import Lane
from icm_ray.runtime.orders.messages import Commit
from tests.chaos.organisations import NAMES, ROWS, Organisations, awaited, strike

pytestmark = pytest.mark.chaos
STATES = ("queued", "waiting", "approved", "assembling", "running", "opening", "done")
SIDES = tuple(f"{name}'s {what}" for name in NAMES for what in ("instance", "worker"))
STOPPED, KILLED = signal.SIGTERM, signal.SIGKILL
LEAVING = 6.0
"""Seconds that workers of a lane which is lost may take to end."""
QUICK = {
    ("bob's instance", "approved", STOPPED),
    ("carol's worker", "running", KILLED),
}
"""Those that are not slow."""


def expected(side: str, state: str) -> set[str]:
    """Whom the error may name; "": the answer is right. Lanes that were lost while nothing was asked are assembled
    anew; one that is lost while it ends a run may have ended it.
    """
    name = side.split("'", maxsplit=1)[0]
    return {"opening": {"", name}, "assembling": {name}, "running": {name}}.get(state, {""})


TABLE = [
    pytest.param(
        side, state, how, id=f"{side}, {state}, {name}", marks=[] if (side, state, how) in QUICK else pytest.mark.slow
    )
    for side in SIDES
    for state in STATES
    for how, name in ((STOPPED, "stopped"), (KILLED, "killed"))
    if (side, state) != ("bob's worker", "queued")  # his instance is away
]
numbers = count(1)


def answered(ask: Callable[[], float]) -> float | FaultError:
    """What it returns, or fails with."""
    try:
        return ask()
    except FaultError as error:
        return error


def named(error: FaultError) -> str:
    """The organisation that an error names, beside the step."""
    name = error.where.get("organisation", error.party)
    assert error.step, error
    assert name in str(error), error
    return name


class Blow:
    """Falls once: whatever is struck is gone then, and instances serve again."""

    def __init__(self, organisations: Organisations, side: str, how: int) -> None:
        self._organisations, self._how = organisations, how
        self._name, self._what = side.split("'s ")
        self.fallen = False

    def __call__(self) -> None:
        if self.fallen:
            return
        self.fallen = True
        if self._what == "worker":
            strike(self._organisations.workers(self._name), self._how)
            return
        if self._name in self._organisations.serving:
            self._organisations.stop(self._name, self._how)
        self._organisations.start(self._name)


def before(owner: type, name: str, blow: Blow, patch: pytest.MonkeyPatch, when=lambda *_: True) -> None:
    """Let it fall before something is called."""
    whole = getattr(owner, name)

    def struck(self, *args, **facts):
        if when(*args):
            blow()
        return whole(self, *args, **facts)

    patch.setattr(owner, name, struck)


def at_the_first_result(blow: Blow, patch: pytest.MonkeyPatch) -> None:
    collect = Lane.collect

    def struck(self, *args, on_result=None, **facts):
        def heard(*result):
            on_result(*result)
            blow()

        return collect(self, *args, on_result=None if on_result is None else heard, **facts)

    patch.setattr(Lane, "collect", struck)


@pytest.mark.parametrize(("side", "state", "how"), TABLE)
def test_ends_and_starts_again(organisations, side, state, how, monkeypatch):
    organisations.start(*NAMES)  # also after a test that failed
    blow, number = Blow(organisations, side, how), next(numbers)
    wanted = pytest.approx((ROWS["cost"] + number).sum(), rel=1e-12)
    name = requested(organisations, state, number, blow)
    if state == "assembling":
        organisations.disconnect()
        before(PeerHandle, "join", blow, monkeypatch)
    elif state == "running":
        before(Lane, "tell", blow, monkeypatch, lambda orders: any(isinstance(one, Commit) for one in orders.values()))
    elif state == "opening":
        at_the_first_result(blow, monkeypatch)
    answer = answered(lambda: organisations.session.job(name).result())
    monkeypatch.undo()
    if state == "done":
        blow()
    assert blow.fallen
    if isinstance(answer, FaultError):
        assert named(answer) in expected(side, state)
    else:
        assert "" in expected(side, state)
        assert answer == wanted
    again = answered(lambda: organisations.session.job(name).result())
    if isinstance(again, FaultError):  # it fell only now, and was asked before anybody had told of it
        assert state == "done"
        assert named(again) in expected(side, "running")
        again = organisations.session.job(name).result()
    assert again == wanted
    visits = organisations.session.peer("bob")["visits"]
    assert (visits["cost"] + number).sum().reveal() == wanted
    awaited(lambda: [len(organisations.workers(name)) for name in NAMES] == [1, 1, 1], LEAVING)
    assert organisations.litter() == []


def test_what_was_lost_is_assembled_anew_also_where_nobody_has_noticed(organisations, monkeypatch):
    """Looking at the lanes finds nothing yet: opening rows does, and nothing of them was asked before."""
    organisations.start(*NAMES)
    wanted = pytest.approx(ROWS["cost"].sum(), rel=1e-12)
    assert organisations.session.peer("bob")["visits"]["cost"].sum().reveal() == wanted
    strike(organisations.workers("bob"), KILLED)
    monkeypatch.setattr(Lane, "look", lambda _: None)
    assert organisations.session.peer("bob")["visits"]["cost"].sum().reveal() == wanted


def requested(organisations: Organisations, state: str, number: int, blow: Blow) -> str:
    """The id of a job of alice's that bob has approved, unless it is in an earlier state in which the blow falls."""
    asked = (organisations.session.peer("bob")["studies"]["cost"] + number).sum()
    if state == "queued":
        asked.check()  # his rows are opened while he is there
        organisations.stop("bob")
    job = asked.request(reason=state)
    if state == "queued":
        assert job.status == "queued"
        blow()
        organisations.start("bob")
    name = job.id
    awaited(lambda: organisations.session.job(name).status == "waiting")
    if state == "waiting":
        blow()
    organisations.approve(name)
    awaited(lambda: organisations.session.job(name).status == "approved")
    if state == "approved":
        blow()
    return name
