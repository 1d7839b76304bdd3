"""Workers with several threads: the same frames and results as with one, in several threads indeed, and none left."""

import hashlib
import threading
from collections import Counter

import numpy as np
import pytest

from icm_ray.config import EngineConfig
from icm_ray.errors import BoundExceeded, Desynchronised, FaultError, PeerLost, PeerSilent, PolicyError
from icm_ray.names import DRIVER
from icm_ray.ops.compare import CheckFlag
from icm_ray.ops.forms import Convolution, Matrix
from icm_ray.ops.labels import Label
from icm_ray.ops.linear import Add, Input, Reveal, Scale, Store, Sum
from icm_ray.ops.products import Epilogue, LoadWeight, OwnedProduct, Product, Relu
from icm_ray.ops.seams import Address, Frame
from icm_ray.ops.sorting import Sort
from icm_ray.ops.values import FULL_WIDTH, ValueType
from icm_ray.party.correlations import SharedCorrections
from icm_ray.policy import Policy
from icm_ray.profile import Clock, Part
from icm_ray.program.build import Builder
from icm_ray.program.stamped import RunSettings, Stamped
from icm_ray.protocols.products import Finisher
from icm_ray.runtime.carriers.processes import ProcessEngine
from icm_ray.runtime.driver.engine import LaneJob
from icm_ray.schedule import parallel_threshold
from icm_ray.schedule.allowances import Allowance
from icm_ray.transport import Transcript, memory_links
from icm_ray.transport.memory import MemoryLink
from tests import thread_lane as lanes
from tests.ring.counters import Counting
from tests.thread_lane import ThreadLane

NAMES, WAIT = ("alice", "bob"), 30.0
RNG = np.random.default_rng(11)
X = RNG.integers(-(1 << 19), 1 << 19, 20_000).view(np.uint64)
COLUMN = ValueType(shape=X.shape, width=FULL_WIDTH)
IMAGES, FILTERS = ValueType(shape=(8, 2, 8, 8), width=20, f=4), ValueType(shape=(4, 2, 3, 3), width=10, f=4)
CONV = Convolution((3, 3), padding=(1, 1, 1, 1))
FLOOD = 1 << 18
"""Bytes in flight at which the programs here are cut into many blocks."""


@pytest.fixture(autouse=True)
def _every_step_is_worth_a_thread(monkeypatch):
    monkeypatch.setattr(parallel_threshold, "LEAST", 1)
    monkeypatch.setattr(parallel_threshold, "_PRODUCTS", 1)


def cut(builder, in_flight=FLOOD):
    """The program so far, as it is cut for three threads."""
    return Stamped(builder.build(), RunSettings(in_flight, 3))


def run(lane, stamped, inputs, **named):
    return lane.run(stamped.program, inputs, settings=stamped.settings, **named)


def relus(labels=()):
    builder = Builder(NAMES)
    x = builder.add(Input("alice", "x", COLUMN, labels))
    builder.add(Reveal("bob", "y"), builder.add(Relu(Epilogue(relu=True)), x))
    return cut(builder)


def chain():
    """Local steps that begin in the round in which their inputs end, and reveals in another order than results end."""
    builder = Builder(NAMES)
    x = builder.add(Input("alice", "x", ValueType(shape=X.shape, width=21)))
    y = builder.add(Relu(Epilogue(shift=2, relu=True)), x)
    builder.add(Reveal(DRIVER, "last"), builder.add(Sum(), builder.add(Add(), y, builder.add(Scale(3, 0), y))))
    builder.add(Reveal("bob", "first"), builder.add(Sum(), x))
    builder.add(Store("kept"), y)
    return cut(builder)


def sort():
    builder = Builder(NAMES)
    x = builder.add(Input("alice", "x", ValueType(shape=(600,), width=20)))
    y = builder.add(Input("bob", "y", ValueType(shape=(600,), width=20)))
    for name, value in (("x", x), ("y", y)):
        builder.add(Reveal("bob", name), builder.add(Sort(), value))
    return cut(builder)


def products():
    builder = Builder(NAMES)
    x = builder.add(Input("alice", "x", ValueType(shape=(40, 50), width=20)))
    y = builder.add(Input("bob", "y", ValueType(shape=(50, 30), width=20)))
    builder.add(Reveal("bob", "z"), builder.add(Product(Matrix()), x, y))
    return cut(builder)


def loads():
    builder = Builder(NAMES)
    builder.add(LoadWeight("bob", "w", "m/1", FILTERS, "b", 4))
    builder.add(LoadWeight("bob", "v", "m/2", FILTERS))
    return cut(builder)


def model():
    builder = Builder(NAMES)
    x = builder.add(Input("alice", "x", IMAGES))
    for key, bias in (("m/1", 3), ("m/2", None)):
        op = OwnedProduct("bob", key, CONV, FILTERS, 10, bias, 1, Epilogue(4, True))
        builder.add(Reveal("bob", key), builder.add(op, x))
    return cut(builder, 1 << 13)


SMALL = {"alice": {"x": X[:600]}, "bob": {"y": X[600:1200]}}
MATRICES = {"alice": {"x": X[:2000].reshape(40, 50)}, "bob": {"y": X[:1500].reshape(50, 30)}}
WEIGHTS = {name: RNG.integers(-8, 8, FILTERS.shape).view(np.uint64) for name in ("w", "v")}
WEIGHTS["b"] = np.arange(4, dtype=np.uint64)
RUNS = {
    "relus": [(relus, {"alice": {"x": X}})],
    "chain": [(chain, {"alice": {"x": X}})],
    "sort": [(sort, SMALL)],
    "products": [(products, MATRICES)],
    "model": [(loads, {"bob": WEIGHTS}), (model, {"alice": {"x": X[:1024].reshape(IMAGES.shape) % np.uint64(99)}})],
}


def heard(runs, threads, preprocessed=False):
    """Everything that every member receives, the results in the order in which they were found, and what is kept."""
    transcript, results = Transcript(), []
    with ThreadLane(NAMES, transcript=transcript, threads=threads) as lane:
        for make, inputs in runs:
            stamped = make()
            if preprocessed and make is not loads:
                lane.preprocess(stamped.program, 1, stamped.settings)
            outcomes = run(lane, stamped, inputs)
            for name in NAMES:
                found = outcomes[name]
                words = [(key, value.tobytes()) for key, value in found.results.items()]
                results.append((name, words, found.rounds, found.sent_bytes, found.dealt_bytes))
        kept = [(name, key, lane.members[name].store[key]) for name in NAMES for key in lane.members[name].store]
    frames = {
        (to, by): [(item.frame, item.payload) for item in transcript.of(to, by)]
        for to in NAMES
        for by in (*NAMES, "dealer")
        if by != to
    }
    return frames, results, [(name, key, repr(value)) for name, key, value in kept]


def agreed(link, first):
    return hashlib.sha256("".join(sorted((link._owner, link.peer))).encode()).digest()


@pytest.mark.parametrize("runs", RUNS.values(), ids=RUNS)
@pytest.mark.few(2)
def test_the_same_bytes_whatever_the_threads(monkeypatch, runs):
    monkeypatch.setattr(lanes, "derive_pair_secret", agreed)
    if runs is not RUNS["products"]:
        plan = runs[-1][0]().plan()
        assert max(Counter(plan.starts).values()) >= 3
    one = heard(runs, 1)
    assert all(one[0].values())
    for threads in (2, 3):
        assert heard(runs, threads) == one


@pytest.mark.parametrize("runs", [RUNS["relus"], RUNS["model"]], ids=["relus", "model"])
def test_the_same_results_from_stock(runs):
    stored, live = heard(runs, 3, preprocessed=True)[1], heard(runs, 1)[1]
    for mine, theirs in zip(stored, live, strict=True):
        assert mine[0] == theirs[0]
        for (key, words), (name, wanted) in zip(mine[1], theirs[1], strict=True):
            assert key == name
            apart = np.frombuffer(words, np.int64) - np.frombuffer(wanted, np.int64)
            assert np.abs(apart).max() <= (runs is RUNS["model"])  # whose shifts round by masks


class Probe:
    """Counts who is inside an advance of a ReLU, by party; the first `threads` of alice wait for one another."""

    def __init__(self, threads):
        self.lock, self.now, self.most = threading.Lock(), Counter(), Counter()
        self.meeting, self.left = threading.Barrier(threads), threads

    def wrap(self, run):
        def probed(faces, op, types, inputs, context, out):
            steps = run(faces, op, types, inputs, context, out)
            while True:
                with self.inside(context.me) as meets:
                    if meets:
                        self.meeting.wait(WAIT)
                    try:
                        wanted = next(steps)
                    except StopIteration as stop:
                        return stop.value
                yield wanted

        return probed

    def inside(self, me):
        probe = self

        class Inside:
            def __enter__(self):
                with probe.lock:
                    probe.now[me] += 1
                    probe.most[me] = max(probe.most[me], probe.now[me])
                    meets = me == "alice" and probe.left > 0
                    probe.left -= meets
                    return meets

            def __exit__(self, *_):
                with probe.lock:
                    probe.now[me] -= 1

        return Inside()


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_a_party_uses_its_threads_and_no_more(monkeypatch, threads):
    probe, before = Probe(threads), set(threading.enumerate())
    monkeypatch.setattr(Finisher, "run", probe.wrap(Finisher.run))
    with ThreadLane(NAMES, threads=threads) as lane:
        outcomes = run(lane, relus(), {"alice": {"x": X}})
    assert np.array_equal(outcomes["bob"].results["y"], np.maximum(X.view(np.int64), 0).view(np.uint64))
    assert probe.most["alice"] == threads
    assert probe.most["bob"] <= threads
    assert set(threading.enumerate()) == before


def test_the_dealer_uses_its_threads_and_no_more(monkeypatch):
    gauge, deal = Probe(2), Finisher.deal

    def probed(*args):
        with gauge.inside("alice") as meets:
            if meets:
                gauge.meeting.wait(WAIT)
            deal(*args)

    monkeypatch.setattr(Finisher, "deal", probed)
    with ThreadLane(NAMES, threads=2) as lane:
        run(lane, relus(), {"alice": {"x": X}})
    assert gauge.most["alice"] == 2


def test_a_lone_product_gets_all_threads(monkeypatch):
    seen, apply = [], Matrix.apply

    def watched(form, x, y, out=None, threads=1, **how):
        seen.append(threads)
        return apply(form, x, y, out, threads, **how)

    monkeypatch.setattr(Matrix, "apply", watched)
    with ThreadLane(NAMES, threads=3) as lane:
        z = run(lane, products(), MATRICES)["bob"].results["z"]
    assert np.array_equal(z, MATRICES["alice"]["x"] @ MATRICES["bob"]["y"])
    assert seen == [3] * 5  # two at each party, one at the dealer


def guards(*flags):
    builder = Builder(NAMES)
    x = builder.add(Input("alice", "x", COLUMN))
    for index in range(len(flags)):
        held = builder.add(Input("alice", f"flag {index}", ValueType(shape=(1,), width=2)))
        builder.add(Reveal("bob", f"y {index}"), builder.add(CheckFlag(f"flag {index}"), x, held))
    builder.add(Reveal("bob", "y"), builder.add(Relu(Epilogue(relu=True)), x))
    return cut(builder), {f"flag {index}": np.array([flag], np.uint64) for index, flag in enumerate(flags)}


def test_an_exceeded_bound_arrives_as_such():
    program, flags = guards(0, 1, 0)
    before = set(threading.enumerate())
    with ThreadLane(NAMES, threads=3) as lane, pytest.raises(BoundExceeded, match="flag 1"):
        run(lane, program, {"alice": {"x": X, **flags}})
    assert set(threading.enumerate()) == before


def test_a_lost_dealer_arrives_as_such(monkeypatch):
    receive_any, left = MemoryLink.receive_any, [3]

    def lost(link, frame):
        left[0] -= 1
        if left[0] < 0:
            raise PeerLost("the dealer is gone", party="dealer", step="deal")
        return receive_any(link, frame)

    monkeypatch.setattr(MemoryLink, "receive_any", lost)
    before = set(threading.enumerate())
    with ThreadLane(NAMES, threads=3) as lane, pytest.raises(PeerLost):
        run(lane, relus(), {"alice": {"x": X}})
    assert set(threading.enumerate()) == before


def test_a_policy_refuses_as_before():
    before = set(threading.enumerate())
    with ThreadLane(NAMES, threads=3) as lane:
        for member in lane.members.values():
            member.policies["hospital"] = Policy(min_rows=5)
        labelled = relus((Label("hospital", "alice", ((0, 4),)),))
        with pytest.raises(PolicyError):
            run(lane, labelled, {"alice": {"x": X}})
    assert set(threading.enumerate()) == before


def test_threads_of_a_crew_count_on_the_clock():
    clocks = {name: Clock(Counting(), Counting()) for name in (*NAMES, "dealer")}
    with ThreadLane(NAMES, threads=3) as lane:
        run(lane, relus(), {"alice": {"x": X}}, clocks=clocks)
    for name in (*NAMES, "dealer"):
        spent = clocks[name].spent()
        assert spent[Part.PRG] > 0
        assert spent[Part.KERNELS] > 0
        assert len(clocks[name]._all) > 1  # several threads spent it


def test_early_corrections_reach_whoever_asks():
    links = memory_links(("alice", "dealer"))
    address, found = Address(1, bytes(32), 0, 1), {}
    source = SharedCorrections(links["alice"]["dealer"], address, Allowance({7: 48}, 48, 48))
    asking = [
        threading.Thread(target=lambda tag=tag: found.update({tag: source.take(7, tag, 8).tobytes()}))
        for tag in range(6)
    ]
    for thread in asking:
        thread.start()
    for tag in reversed(range(6)):
        links["dealer"]["alice"].send(Frame(address, 7, tag), (np.array([tag], np.uint64),))
    for thread in asking:
        thread.join(WAIT)
    assert found == {tag: np.array([tag], np.uint64).tobytes() for tag in range(6)}
    assert source.received == 48


def test_a_broken_link_fails_all_who_wait():
    links = memory_links(("alice", "dealer"))
    source, errors = (
        SharedCorrections(links["alice"]["dealer"], Address(1, bytes(32), 0, 1), Allowance({7: 24}, 24, 24)),
        [],
    )

    def ask(tag):
        try:
            source.take(7, tag, 8)
        except PeerLost as error:
            errors.append(error)

    asking = [threading.Thread(target=ask, args=(tag,)) for tag in range(3)]
    for thread in asking:
        thread.start()
    links["dealer"]["alice"].close()
    for thread in asking:
        thread.join(WAIT)
    assert len(errors) == 3


@pytest.mark.parametrize("kind", [MemoryError, PeerLost])
def test_a_correction_that_one_thread_lost_fails_all_who_wait(monkeypatch, kind):
    """They wait for what it had taken off the link; the link itself lives on."""
    links = memory_links(("alice", "dealer"))
    source = SharedCorrections(links["alice"]["dealer"], Address(1, bytes(32), 0, 1), Allowance({7: 24}, 24, 24))
    errors, failing, outcomes = [], threading.Event(), iter([kind("out")])

    def receive():
        failing.wait(WAIT)
        raise next(outcomes, PeerSilent("waited in vain"))

    monkeypatch.setattr(source, "_receive", receive)

    def ask(tag):
        try:
            source.take(7, tag, 8)
        except (MemoryError, FaultError) as error:
            errors.append(type(error))

    asking = [threading.Thread(target=ask, args=(tag,), daemon=True) for tag in range(3)]
    for thread in asking:
        thread.start()
    failing.set()
    for thread in asking:
        thread.join(WAIT)
    assert errors == [kind] * 3


def test_a_correction_of_another_size_is_refused():
    links = memory_links(("alice", "dealer"))
    address = Address(1, bytes(32), 0, 1)
    links["dealer"]["alice"].send(Frame(address, 5, 3), (np.zeros(4, np.uint64),))
    with pytest.raises(Desynchronised, match="32 bytes where 40"):
        SharedCorrections(links["alice"]["dealer"], address, Allowance({5: 40}, 40, 40)).take(5, 3, 40)


@pytest.mark.slow
def test_processes_with_two_threads():
    """Large enough to be cut for two threads by itself: the workers' own limits are those of the library."""
    values = np.resize(X, 700_000)
    with ProcessEngine(NAMES, config=EngineConfig(free_programs=True), threads=2) as engine:
        assert engine.settings.threads == 2
        builder = Builder(NAMES)
        x = builder.add(Input("alice", "x", ValueType(shape=values.shape, width=FULL_WIDTH)))
        builder.add(Reveal("bob", "y"), builder.add(Relu(Epilogue(relu=True)), x))
        (done,) = engine.execute([LaneJob(0, builder.build(), given={"alice": {"x": values}})])
    assert np.array_equal(done.results["y"], np.maximum(values.view(np.int64), 0).view(np.uint64))
