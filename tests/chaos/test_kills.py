"""Processes of three organisations are killed, or stopped for longer than the limit, at moments that a seed draws:
each question ends in the right answer or in a typed error, within a limit, and the next one is answered.
"""

from __future__ import annotations

import logging
import random
import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Event
from time import monotonic

import pytest

from icm_ray.errors import FaultError, InstanceError
from tests.chaos.organisations import NAMES, ROWS, SILENCE, Organisations, awaited, strike

pytestmark = pytest.mark.chaos
SIDES = tuple((name, what) for name in NAMES for what in ("instance", "worker"))
LIMIT = 30.0
"""Seconds within which a question ends that something falls into: silence is noticed after 3 s, and workers may have to
start before, on a machine that is busy.
"""
IN_CI = (6, 7, 63, 71, 83, 99, 104, 117, 140, 188)
ALL = 200


@dataclass(frozen=True)
class Blow:
    """name, what: whom it meets. stopped: for longer than the limit, else killed. anew: whether lanes are assembled
    meanwhile. asked: the kind of questions. delay: seconds.
    """

    name: str
    what: str
    stopped: bool
    anew: bool
    asked: str
    delay: float

    @classmethod
    def drawn(cls, seed: int) -> Blow:
        draw = random.Random(seed)
        name, what = draw.choice(SIDES)
        anew = draw.random() < 0.3
        asked = draw.choice(("standing", "standing", "approved", "shared"))
        return cls(name, what, draw.random() < 0.25, anew, asked, draw.uniform(0, 1.0))

    def fall(self, organisations: Organisations) -> None:
        """Whatever has ended by it is started again later."""
        if self.what == "worker":
            pids = organisations.workers(self.name)
            strike(pids, signal.SIGSTOP if self.stopped else signal.SIGKILL)
            if self.stopped:
                Event().wait(SILENCE + 1)
                strike(pids, signal.SIGCONT)
        elif self.stopped:
            organisations.send(self.name, signal.SIGSTOP)
            Event().wait(SILENCE + 1)
            organisations.send(self.name, signal.SIGCONT)
        else:
            organisations.stop(self.name, signal.SIGKILL)


def ask(organisations: Organisations, asked: str, number: float) -> bool:
    """Whether a question is answered rightly. Raises what it fails with."""
    session = organisations.session
    right = pytest.approx((ROWS["cost"] + number).sum(), rel=1e-12)
    if asked == "standing":
        return (session.peer("bob")["visits"]["cost"] + number).sum().reveal() == right
    if asked == "approved":
        job = (session.peer("bob")["studies"]["cost"] + number).sum().request(reason=str(number))
        deadline = monotonic() + SILENCE
        while monotonic() < deadline and organisations.request(job.id) is None:
            Event().wait(0.05)
        if organisations.request(job.id) is not None:
            organisations.approve(job.id)
        return job.result(timeout=SILENCE) == right
    shares = session.peer("bob")["visits"][["cost"]].share()
    return abs((shares["cost"] + number).sum().reveal() - (ROWS["cost"] + number).sum()) < 1


numbers = (number / 64 for number in range(1, 1 << 20))


LOG = logging.getLogger(__name__)
"""What became of each: `-o log_cli=true --log-cli-level=INFO` shows it."""
SEEDS = [pytest.param(seed, marks=() if seed in IN_CI else pytest.mark.slow) for seed in range(ALL)]


@pytest.fixture(scope="module")
def pool():
    with ThreadPoolExecutor(1) as made:
        yield made


@pytest.mark.parametrize("seed", SEEDS)
def test_a_blow(organisations, seed, pool):
    blow = Blow.drawn(seed)
    organisations.start(*NAMES)  # also after a test that failed
    if blow.anew:
        organisations.disconnect()
    else:
        assert ask(organisations, "standing", next(numbers))
    fallen: list[float] = []

    def falls() -> None:
        Event().wait(blow.delay)
        fallen.append(monotonic())
        blow.fall(organisations)

    striker = pool.submit(falls)
    failed: FaultError | InstanceError | None = None
    began, after = monotonic(), 0
    try:
        while after < 1:  # one more that begins when it has fallen
            after += bool(fallen)
            began = monotonic()
            assert ask(organisations, blow.asked, next(numbers))
    except (FaultError, InstanceError) as error:
        failed = error
    took = monotonic() - max(began, *fallen) if fallen else 0.0
    striker.result()
    assert took < LIMIT
    if isinstance(failed, FaultError):
        assert failed.step, failed
        assert failed.where.get("organisation", failed.party) in str(failed)
    organisations.start(*NAMES)
    kind = "right" if failed is None else f"{type(failed).__name__} of {getattr(failed, 'party', '')}"
    LOG.info("%d %s: %s after %.1f s: %s", seed, blow, kind, took, failed or "")
    assert ask(organisations, "standing", next(numbers))
    awaited(lambda: all(len(organisations.workers(name)) <= 1 for name in NAMES))


def test_who_is_killed_while_it_asks_for_a_process(organisations):
    """... or is stopped then, holds up nobody else who asks for one."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as stopped:
        for one in (stopped, socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)):
            one.connect(organisations.door)
        one.close()
        began = monotonic()
        assert organisations.workers("bob") == organisations.workers("bob")
        assert monotonic() - began < 5


def test_those_of_every_run_are_of_every_kind():
    blows = [Blow.drawn(seed) for seed in IN_CI]
    assert {(blow.name, blow.what) for blow in blows} == set(SIDES)
    assert {blow.stopped for blow in blows} == {blow.anew for blow in blows} == {False, True}
    assert {blow.asked for blow in blows} == {"standing", "approved", "shared"}
