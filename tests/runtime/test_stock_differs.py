"""Copied and rolled-back directories, in whole runs: refused before a share leaves, then live, then prepared again."""

import shutil

import numpy as np
import pytest

from icm_ray.config import EngineConfig, from_environment
from icm_ray.errors import InputError, PeerLost, SessionError, StockMismatch
from icm_ray.party import party as party_module
from icm_ray.runtime.carriers.processes import ProcessEngine
from icm_ray.runtime.carriers.threads import ThreadEngine
from icm_ray.runtime.driver.engine import LaneJob
from tests.inside import dealer_of
from tests.runtime import programs

ROWS = 200
X = np.arange(ROWS, dtype=np.uint64)
THREE = ("alice", "bob", "charlie")
ENGINES = [ThreadEngine, pytest.param(ProcessEngine, marks=pytest.mark.slow)]


def started(kind, root, parties=("alice", "bob"), lanes=1):
    return kind(parties, (), lanes, EngineConfig(stock=str(root), free_programs=True))


def compared(engine, lane=0):
    program = programs.compared(engine, ROWS, "alice")
    (done,) = engine.execute([LaneJob(lane, program, given={engine.parties[-1]: {"x": X}})])
    assert done.results["count"].tolist() == [ROWS]
    return done.preprocessed


def preprocessed(kind, root, count=3, parties=("alice", "bob"), lanes=1):
    with started(kind, root, parties, lanes) as engine:
        engine.preprocess(programs.compared(engine, ROWS, "alice"), count)


def sent_data(transcript):
    """Frames with shares: those of steps that are rounds."""
    return [item for item in transcript._received if item.frame is not None and item.sender != "dealer"]


@pytest.mark.parametrize("kind", ENGINES)
def test_a_stock_outlives_its_session(tmp_path, kind):
    preprocessed(kind, tmp_path, 3)
    with started(kind, tmp_path) as engine:
        assert compared(engine)
    with started(kind, tmp_path) as engine:
        assert [compared(engine) for _ in range(3)] == [True, True, False]
    assert not list(tmp_path.rglob("*.slot"))


def test_two_lanes_have_their_own(tmp_path):
    preprocessed(ThreadEngine, tmp_path, 3, lanes=2)
    with started(ThreadEngine, tmp_path, lanes=2) as engine:
        assert [compared(engine, lane) for lane in (0, 1, 0, 1, 0)] == [True, True, True, False, False]


@pytest.mark.parametrize(
    "back", [("alice",), ("bob",), ("dealer",), ("bob", "charlie", "dealer"), ("alice", "dealer"), THREE]
)
@pytest.mark.few(3)
def test_members_that_were_rolled_back_are_found(tmp_path, back):
    """Before the others' next use; afterwards the same run is live, and can be prepared anew."""
    root = tmp_path / "stock"
    preprocessed(ThreadEngine, root, 3, THREE)
    shutil.copytree(root, tmp_path / "backup")
    with started(ThreadEngine, root, THREE) as engine:
        assert compared(engine)
    for name in back:
        shutil.rmtree(root / "0" / name)
        (tmp_path / "backup" / "0" / name).rename(root / "0" / name)
    with started(ThreadEngine, root, THREE) as engine:
        with pytest.raises(StockMismatch) as refused:
            compared(engine)
        assert refused.value.party in THREE
        assert refused.value.partition == 0
        assert refused.value.step == "stock"
    with started(ThreadEngine, root, THREE) as engine:
        assert compared(engine) is False
        engine.preprocess(programs.compared(engine, ROWS, "alice"), 1)
        assert compared(engine) is True


def test_nothing_is_shared_where_members_differ(tmp_path):
    from icm_ray.transport import Transcript
    from tests.thread_lane import ThreadLane

    preprocessed(ThreadEngine, tmp_path, 2)
    with started(ThreadEngine, tmp_path) as engine:
        program = programs.compared(engine, ROWS, "alice")
    shutil.rmtree(tmp_path / "0" / "bob")
    transcript = Transcript()
    lane = ThreadLane(("alice", "bob"), (), transcript, stock=(tmp_path, 0))
    with lane, pytest.raises(StockMismatch, match="bob"):
        lane.run(program, {"bob": {"x": X}})
    frames = [item for item in transcript.of("bob", "alice") if item.frame is not None]
    assert all(item.step == 0xFFFFFFFF and len(item.payload) == 40 for item in frames), "no more than the slot's name"
    assert not [item for item in transcript.of("alice", "bob") if item.frame is not None], "bob said nothing at all"


@pytest.mark.slow
def test_the_session_goes_on_after_a_difference(tmp_path):
    """Of processes, with the stock of others: the driver tells those who noticed nothing, and the next run is live."""
    root = tmp_path / "stock"
    preprocessed(ThreadEngine, root, 3)
    shutil.copytree(root, tmp_path / "backup")
    with started(ThreadEngine, root) as engine:
        assert compared(engine)
    shutil.rmtree(root / "0" / "bob")
    (tmp_path / "backup" / "0" / "bob").rename(root / "0" / "bob")
    with started(ProcessEngine, root) as engine:
        with pytest.raises(StockMismatch, match="bob's stock is in generation") as refused:
            compared(engine)
        assert (refused.value.party, refused.value.partition) == ("bob", 0)
        assert not list(root.rglob("*.slot")), "every member gave it up"
        assert compared(engine) is False
        engine.preprocess(programs.compared(engine, ROWS, "alice"), 1)
        assert compared(engine) is True


def test_parties_that_are_told_different_slots_find_out(tmp_path, monkeypatch):
    """A dealer that names one slot to alice and another to bob."""
    from icm_ray.dealer import dealer as dealer_module

    preprocessed(ThreadEngine, tmp_path, 3)
    with started(ThreadEngine, tmp_path) as engine:
        program = programs.compared(engine, ROWS, "alice")
        dealer = dealer_of(engine, 0)
        link = dealer._links["bob"]

        class Lying:
            peer, counters = link.peer, link.counters

            def send_message(self, payload):
                import msgspec

                begin = msgspec.msgpack.decode(payload, type=dealer_module.Begin)
                slot = msgspec.structs.replace(begin.slot, offset=begin.slot.offset + 1)
                link.send_message(msgspec.msgpack.encode(msgspec.structs.replace(begin, slot=slot)))

        dealer._links["bob"] = Lying()
        with pytest.raises(StockMismatch, match="was told slot"):
            engine.execute([LaneJob(0, program, given={"bob": {"x": X}})])


def test_members_that_end_between_consumption_and_use(tmp_path, monkeypatch):
    """The slot is lost, on every member; the next session goes on with the one after it."""
    preprocessed(ThreadEngine, tmp_path, 3)

    def died(*_):
        raise PeerLost("the power failed", party="bob")

    with monkeypatch.context() as patched, started(ThreadEngine, tmp_path) as engine:
        patched.setattr(party_module, "exchange_names", died)
        with pytest.raises(PeerLost):
            compared(engine)
    names = sorted(path.name.split("-")[1] for path in (tmp_path / "0" / "alice").glob("*.slot"))
    assert names == ["1.slot", "2.slot"]
    with started(ThreadEngine, tmp_path) as engine:
        assert [compared(engine) for _ in range(3)] == [True, True, False]


def test_a_session_that_finds_one_directory_in_use_lets_the_others_go(tmp_path):
    with (
        started(ThreadEngine, tmp_path, ("bob", "charlie")),
        pytest.raises(SessionError, match=r"(bob|dealer) is in use"),
    ):
        started(ThreadEngine, tmp_path, ("alice", "bob"))
    started(ThreadEngine, tmp_path).close()


@pytest.mark.parametrize("kind", ENGINES)
def test_a_directory_is_one_session_s(tmp_path, kind):
    with started(ThreadEngine, tmp_path), pytest.raises(SessionError, match="in use"):
        started(kind, tmp_path)
    started(ThreadEngine, tmp_path).close()


def test_a_stock_needs_an_absolute_path(monkeypatch):
    with pytest.raises(InputError, match="absolute"):
        EngineConfig(stock="stock")
    monkeypatch.setenv("ICM_STOCK", "/var/lib/icm")
    assert from_environment().stock == "/var/lib/icm"
