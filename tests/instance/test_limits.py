"""What a peer may take of an instance: an asker that exceeds it is refused, and the instance lives on and says so."""

from __future__ import annotations

import errno
import re
import resource
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import icm_ray as icm
from icm_ray.config import EngineConfig
from icm_ray.errors import FaultError
from icm_ray.instance.halves import Half, Halves
from icm_ray.instance.messages import Forward, StartWorker
from icm_ray.instance.offer import offer
from icm_ray.instance.peers_log import PeersLog
from icm_ray.instance.settings import Limits, Settings, read_settings, write_settings
from icm_ray.instance.usage import DayCount, QuestionRate, WorkerHours
from icm_ray.query.tasks import HeldSource
from icm_ray.runtime.orders.house import HouseFacts
from icm_ray.runtime.worker.house import House
from icm_ray.runtime.worker.memory_limit import outgrown
from icm_ray.runtime.worker.worker import Worker
from tests.instance.conftest import rows

HOUR, DAY = 3600.0, 86_400.0
SESSION = "0123456789abcdef"
GIB = 1 << 30


# --- questions in an hour -----------------------------------------------------------------------------------------


def test_so_many_questions_in_an_hour_and_jobs_of_one_are_one():
    now = [0.0]
    rate = QuestionRate(2, lambda: now[0])
    assert [rate.take("alice", which) for which in (b"a", b"a", b"b", b"c", b"b")] == [True, True, True, False, True]
    assert rate.count("alice") == 2
    assert rate.take("dave", b"c"), "each peer has its own"
    now[0] = HOUR
    assert rate.take("alice", b"c")
    assert rate.count("alice") == 1


def test_a_question_beyond_the_hour_is_refused_and_not_computed(organisations, alice, monkeypatch):
    bob = organisations["bob"][1]
    visits = alice.peer("bob")["visits"]
    monkeypatch.setattr(bob._answers, "rate", QuestionRate(1))
    assert visits[visits["age"] >= 31]["cost"].sum().reveal() > 0
    before = bob.audit.head().entries
    with pytest.raises(
        icm.PolicyError, match=r"bob refuses: alice has asked 1000 questions in this hour, which is its limit"
    ):
        visits[visits["age"] >= 32]["cost"].sum().reveal()
    assert bob.audit.head().entries == before, "nothing was written for it"
    monkeypatch.setattr(bob._answers, "rate", QuestionRate(5))
    wanted = rows(1)
    assert visits[visits["age"] >= 32]["cost"].sum().reveal() == wanted[wanted["age"] >= 32]["cost"].sum()


# --- hours of workers ---------------------------------------------------------------------------------------------


def test_hours_are_those_of_the_day_that_is():
    now = [10 * DAY + 5 * HOUR]
    hours = WorkerHours(lambda: now[0])
    began = now[0] - 7 * HOUR  # yesterday: five of them are today's
    assert hours.of("alice", [began]) == 5
    hours.add("alice", began)
    assert hours.of("alice", ()) == 5
    assert hours.of("alice", [now[0] - HOUR]) == 6
    assert hours.of("dave", ()) == 0
    now[0] = 11 * DAY + HOUR
    assert hours.of("alice", ()) == 0


def test_rows_refuse_so_often_a_day():
    now = [10 * DAY + 5 * HOUR]
    refusals = DayCount(2, lambda: now[0])
    for spent in (False, False, True):
        assert refusals.spent("alice") is spent
        refusals.add("alice")
    assert not refusals.spent("dave"), "each peer has its own"
    now[0] = 11 * DAY
    assert not refusals.spent("alice")


def test_no_two_take_the_last_place():
    """Not even where others come in between a look at the limit and the entry."""
    counts = DayCount(2, lambda: 10 * DAY)
    assert [counts.take("alice") for _ in range(3)] == [True, True, False]
    assert (counts.count("alice"), counts.count("dave")) == (2, 0)
    written = []
    log = PeersLog(SimpleNamespace(add=lambda *entry: written.append(entry)), "bob", 2)
    log.counts.spent = lambda who: False  # as it was when these were checked
    for _ in range(2):
        log.add("alice", "opened")
    with pytest.raises(icm.PolicyError, match="alice has filled 2 entries"):
        log.add("alice", "opened")
    log.add("bob", "opened")
    assert len(written) == 3


@pytest.fixture
def few_entries(organisations):
    """Of bob's log, today, for what alice asks."""
    log = organisations["bob"][1]._answers._audit
    before, log.counts = log.counts, DayCount(2)
    yield organisations["bob"][1].audit
    log.counts = before


def test_whoever_asks_in_a_circle_fills_no_log(alice, few_entries):
    visits = alice.peer("bob")["visits"]
    engine, before = visits.meant.dataset.engine, few_entries.head().entries  # opening it was the first of them
    engine.forget([engine.open_table("bob", HeldSource("visits")).name])
    for _ in range(3):
        with pytest.raises(icm.PolicyError, match="bob refuses: alice has filled 2 entries of its log today"):
            engine.open_table("bob", HeldSource("visits"))
    with pytest.raises(icm.PolicyError, match="2 entries of its log"):
        alice._own.link.call(Forward("bob", StartWorker(SESSION, 99)))
    with pytest.raises(icm.PolicyError, match="2 entries of its log"):
        visits["cost"].sum().reveal()
    assert few_entries.head().entries == before + 1


class Running:
    """What stands for a worker."""

    name, over = "bob", False

    def lost(self):
        return "it was killed" if self.over else ""

    def ended(self, _):
        return self.over

    def kill(self):
        self.over = True


@pytest.fixture
def halves():
    """Bob's, whose peers have half an hour a day."""
    made = Halves(
        Settings("bob", spare_workers=0, limits=Limits(worker_hours=0.5)), EngineConfig(), lambda: ("bob", "", 1, b"")
    )
    yield made
    made.close()


def running(halves, asker, lane, since):
    halves._halves[SESSION, lane] = Half(asker, Running(), ("bob", "", 0, b""), since)
    halves._askers[SESSION, lane] = asker
    return halves._halves[SESSION, lane].handle


def test_workers_of_a_peer_that_had_its_hours_are_ended_and_no_more_are_started(halves):
    now = [DAY + 2 * HOUR]
    halves._hours = WorkerHours(lambda: now[0])
    alices, own = running(halves, "alice", 0, now[0]), running(halves, "bob", 1, now[0])
    now[0] += 0.4 * HOUR
    halves.end_overdrawn()
    assert not alices.over
    assert halves.hours("alice") == pytest.approx(0.4)
    now[0] += 0.2 * HOUR
    halves.end_overdrawn()
    assert (alices.over, own.over) == (True, False), "the own organisation's go on"
    assert "worked for 0.5 hours today, which is its limit" in halves.lost("alice", SESSION, 0)
    with pytest.raises(icm.InstanceError, match=r"bob starts no worker: those for alice have worked for 0\.5 hours"):
        halves.start("alice", SESSION, 2, lambda: pytest.fail("nothing is noted of it"))
    now[0] += DAY
    assert halves.hours("alice") == 0


# --- memory -------------------------------------------------------------------------------------------------------


def test_what_a_worker_is_refused_names_the_limit():
    told = outgrown(MemoryError(), "bob", GIB)
    assert isinstance(told, FaultError)
    assert str(GIB) in told.message
    assert "worker_bytes" in told.message
    assert (told.party, told.where["limit"]) == ("bob", GIB)
    read = icm.SourceError("the file cannot be read")
    read.__context__ = MemoryError()
    assert "worker_bytes" in outgrown(read, "bob", GIB).message
    other = ValueError()
    assert outgrown(other, "bob", GIB) is other
    error = MemoryError()
    assert outgrown(error, "bob", 0) is error


@pytest.mark.parametrize(
    "error",
    [
        SystemError("<built-in function copyto> returned NULL without setting an exception"),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        pa.ArrowException("Unknown error: Failed to launch worker thread: Resource temporarily unavailable"),
        RuntimeError("can't start new thread"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_whatever_lacks_memory_names_the_limit(error):
    """... also in the middle of reading a file."""
    read = icm.SourceError("row group 0 cannot be read")
    read.__context__ = error
    for one in (error, read):
        told = outgrown(one, "bob", GIB)
        assert isinstance(told, FaultError)
        assert "worker_bytes" in told.message
        assert outgrown(one, "bob", 0) is one
    column = icm.ColumnError("there is no column 'Cannot allocate memory'")
    assert outgrown(column, "bob", GIB) is column


def test_the_kernel_refuses_a_worker_what_is_beyond():
    lines = (
        "import numpy as np, pyarrow as pa",
        "from icm_ray.runtime.worker.memory_limit import limit_memory",
        "limit_memory(0)",
        "np.ones(1 << 27, np.uint64)",
        "limit_memory(1 << 29)",
        "for make in (lambda: np.ones(1 << 27, np.uint64), lambda: pa.allocate_buffer(1 << 30)):",
        "    try:",
        "        make()",
        "        raise SystemExit('it was given')",
        "    except MemoryError:",
        "        pass",
        "np.ones(1 << 20, np.uint64)",
    )
    subprocess.run([sys.executable, "-c", "\n".join(lines)], check=True, timeout=60)


@pytest.mark.slow
def test_a_worker_that_is_squeezed_names_the_limit_to_the_asker(organisations, tmp_path):
    """A real one, between instances: whatever it was that got no memory."""
    bob = organisations["bob"][1]
    numbers = np.random.default_rng(0).normal(size=1 << 21)
    pd.DataFrame({"x": numbers, "y": -numbers}).to_parquet(tmp_path / "large.parquet", row_group_size=numbers.size)
    offer(bob.catalogue, "large", [str(tmp_path / "large.parquet")], icm.Policy(min_rows=5), ("alice",))
    before = {name for name, _ in bob.halves.running()}
    try:
        with icm.connect(organisations["alice"][0]) as session:
            frame = session.peer("bob")["large"]
            frame.count_rows().reveal()  # lanes are assembled when something is asked
            (worker,) = [half.handle.process.pid for name, half in bob.halves.running() if name not in before]
            (held,) = re.findall(r"VmData:\s+(\d+) kB", Path(f"/proc/{worker}/status").read_text())
            _, hard = resource.prlimit(worker, resource.RLIMIT_DATA)
            resource.prlimit(worker, resource.RLIMIT_DATA, ((int(held) << 10) + (1 << 20), hard))
            with pytest.raises(FaultError, match=r"worker_bytes in the limits of its icm\.toml") as told:
                icm.reveal(frame["x"].mean(), frame["y"].mean())
            assert told.value.party == "bob"
    finally:
        bob.catalogue.remove("large")


def test_workers_of_peers_are_given_it_and_own_ones_are_not(monkeypatch):
    given = {}
    halves = Halves(Settings("bob", spare_workers=0), EngineConfig(), lambda: ("bob", "", 1, b""))

    def start(name, place, house: HouseFacts):
        given[house.asker] = house.memory
        member = SimpleNamespace(done=lambda: True, result=lambda: ("bob", "", 0, b""))
        handle = Running()
        handle.endpoint = lambda: member
        return handle

    monkeypatch.setattr(halves._workers, "start", start)
    for lane, asker in enumerate(("alice", "bob")):
        halves.start(asker, SESSION, lane)
    halves.close()
    assert given == {"alice": 4 * GIB, "bob": 0}


def test_a_worker_tells_of_the_limit_that_its_instance_gave_it():
    def told(memory):
        house = House("bob", HouseFacts(("bob", "", 1, b""), "alice", memory), lambda: None)
        return Worker._named(SimpleNamespace(_house=house, name="bob"), MemoryError())

    assert isinstance(told(GIB), FaultError)
    assert isinstance(told(0), MemoryError)


# --- how they are set ---------------------------------------------------------------------------------------------


def test_limits_stand_in_the_file_with_what_they_mean(tmp_path):
    write_settings(tmp_path, Settings("bob", limits=Limits(worker_bytes=GIB, worker_hours=2.5, questions=7)))
    text = (tmp_path / "icm.toml").read_text()
    for line in (f"worker_bytes = {GIB}", "worker_hours = 2.5", "questions = 7"):
        assert line in text.splitlines()
    limits = read_settings(tmp_path).limits
    assert (limits.worker_bytes, limits.worker_hours, limits.questions) == (GIB, 2.5, 7)
