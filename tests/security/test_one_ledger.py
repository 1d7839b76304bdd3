"""What a party has answered of a dataset is judged in one place, whichever of its lanes answers or is lost."""

import fcntl
import os

import pytest

import analytics as an
from icm_ray.config import EngineConfig
from icm_ray.errors import FaultError, IcmError, PolicyError, SessionError
from icm_ray.policy import Noise, Policy
from icm_ray.private_folder import LOCK, SharedFolder
from icm_ray.runtime.carriers.threads import ThreadEngine
from icm_ray.runtime.worker.answer_ledger import AnswerLedger, read_entries
from icm_ray.runtime.worker.ledgers import Ledgers
from tests.security.test_attacks_on_policies import AGES, NEAR, TABLE, change, framed, session
from tests.twins import twin

OTHERWISE = "says otherwise than this party's ledger"
NAMED = Policy(name="visits")


def two_lanes(folder=None):
    return ThreadEngine(("alice", "bob"), ("carol",), lanes=2, config=EngineConfig(ledger=folder and str(folder)))


def first_and_close(frame):
    """Two questions: the second leaves one row more out than the first."""
    old = frame[frame["age"] >= 40]["cost"].sum()
    return old, frame[(frame["age"] >= 40) & (frame["id"] != 50)]["cost"].sum()


@pytest.mark.parametrize("kept", [False, True], ids=["for the session", "in a folder"])
def test_a_driver_that_describes_files_otherwise_to_each_lane(tmp_path, kept):
    """Every lane's worker can read all of a file: what one lane answered, the other knows of."""
    path = tmp_path / "visits.parquet"
    TABLE.to_parquet(path)
    with two_lanes(tmp_path / "ledger" if kept else None) as engine:
        frame = an.read_parquet(engine, {"alice": str(path)}, policy=Policy())
        (table,) = frame._dataset.facts.tables
        assert table.lanes == (0,)
        moved = twin(frame, tables=(change(table, lanes=(1,)),))
        first, _ = first_and_close(frame)
        assert first.reveal() == TABLE[AGES >= 40]["cost"].sum()
        with pytest.raises(PolicyError, match=OTHERWISE):
            first_and_close(moved)[1].reveal()
        with pytest.raises(PolicyError, match=NEAR):  # the driver asked the parties since
            first_and_close(moved)[1].reveal()


@pytest.mark.parametrize("name", ["visits", ""])
def test_what_a_lane_answered_that_was_lost(name):
    """... is known in the lane that rows are read into then."""
    noise = Noise(kind="gaussian", scale=2.0, bounds=(("cost", 0, 200),))
    with two_lanes() as engine:
        plain = an.from_pandas(engine, {"alice": TABLE}, policy=Policy(name=name and "plain"))
        noisy = an.from_pandas(engine, {"alice": TABLE}, policy=Policy(name="noisy", noise=noise))
        first, _ = first_and_close(plain)
        expected, drawn = first.reveal(), noisy["cost"].sum().reveal()
        assert noisy._dataset.facts.lanes == plain._dataset.facts.lanes == {0}
        engine._lanes[0].handles["bob"].kill()
        with pytest.raises(IcmError):
            plain["cost"].sum().reveal()
        again = an.from_pandas(engine, {"alice": TABLE}, policy=Policy(name=name and "plain"))
        first, close = first_and_close(again)
        if name:
            with pytest.raises(PolicyError, match=NEAR):
                close.reveal()
        assert first.reveal() == expected
        noisy = an.from_pandas(engine, {"alice": TABLE}, policy=Policy(name="noisy", noise=noise))
        assert noisy["cost"].sum().reveal() == drawn, "a number has one draw"
        assert noisy._dataset.facts.lanes == {1}


def test_a_question_over_two_lanes_is_written_down_once(tmp_path):
    with session(tmp_path, lanes=2) as engine:
        frame = framed(engine, NAMED)
        assert frame._dataset.facts.lanes == {0, 1}
        frame[frame["age"] >= 40]["cost"].sum().reveal()
        frame["cost"].sum().reveal()
        assert not list((tmp_path / "visits").glob("carol*"))
    for name in ("alice", "bob"):
        entries, _ = read_entries(tmp_path / "visits" / f"{name}.jsonl")
        assert [entry.titles[0].split(" ")[0] for entry in entries] == ["sum", "sum"]


def test_what_another_session_asked_meanwhile_is_held_against_the_next_question(tmp_path):
    with session(tmp_path) as one, session(tmp_path) as other:
        mine, theirs = framed(one, NAMED), framed(other, NAMED)
        first_and_close(mine)[0].reveal()
        for _ in range(2):
            with pytest.raises(PolicyError, match=NEAR):
                first_and_close(theirs)[1].reveal()
        assert first_and_close(theirs)[0].reveal() == TABLE[AGES >= 40]["cost"].sum()
        far = mine[mine["age"] >= 20]["cost"].sum()
        assert far.reveal() == TABLE[AGES >= 20]["cost"].sum()


@pytest.mark.slow
def test_a_party_that_could_not_write_down_what_another_did(tmp_path, monkeypatch):
    """... while a third asks: two ledgers have two orders, and each session is answered, and held against the other."""
    record, fails = AnswerLedger.record, ["bob"]

    def lost(ledger, *told):
        if fails and ledger._owner == fails[0]:
            fails.pop()
            raise FaultError("bob is lost", party="bob")
        record(ledger, *told)

    config = EngineConfig(ledger=str(tmp_path))
    with ThreadEngine(("alice", "bob"), config=config) as one, ThreadEngine(("bob", "dave"), config=config) as other:
        mine, theirs = (an.from_pandas(engine, {"bob": TABLE}, policy=NAMED) for engine in (one, other))
        with monkeypatch.context() as patch:
            patch.setattr(AnswerLedger, "record", lost)
            with pytest.raises(FaultError, match="bob is lost"):
                mine[mine["age"] >= 40]["cost"].sum().reveal()
        assert theirs[theirs["age"] >= 20]["cost"].sum().reveal() == TABLE[AGES >= 20]["cost"].sum()
        for frame in (mine, theirs):
            for bound in (60, 40, 20):
                assert frame[frame["age"] >= bound]["cost"].sum().reveal() == TABLE[TABLE["age"] >= bound]["cost"].sum()
            with pytest.raises(PolicyError, match=NEAR):
                first_and_close(frame)[1].reveal()


# --- where it lies ------------------------------------------------------------------------------------------------


def test_a_ledger_for_the_session_goes_with_its_last_worker(tmp_path, monkeypatch):
    monkeypatch.setattr("icm_ray.private_folder._MEMORY", str(tmp_path))
    with two_lanes() as engine:
        frame = framed(engine)
        frame["cost"].sum().reveal()
        found = list(tmp_path.iterdir())
        assert sorted(path.name.rsplit("-", 1)[1] for path in found) == ["alice", "bob"]
        assert {path.stat().st_mode & 0o777 for path in found} == {0o700}
        engine._lanes[0].handles["bob"].kill()
        with pytest.raises(IcmError):
            frame["cost"].mean().reveal()
        assert sorted(tmp_path.iterdir()) == sorted(found)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_several_goes_with_the_last(tmp_path):
    one, other = (SharedFolder("icm-", "x", str(tmp_path)) for _ in range(2))
    assert one.path == other.path
    one.close()
    one.close()
    assert other.path.is_dir()
    assert SharedFolder("icm-", "y", str(tmp_path)).path.is_dir(), "it sweeps what nobody holds"
    assert other.path.is_dir()
    other.close()
    assert not other.path.exists()


def test_a_folder_whose_holders_were_killed_is_swept(tmp_path):
    left = tmp_path / "icm-x"
    left.mkdir(mode=0o700)
    (left / LOCK).write_bytes(b"")
    held = os.open(left / LOCK, os.O_RDWR)
    fcntl.flock(held, fcntl.LOCK_SH)
    SharedFolder("icm-", "y", str(tmp_path)).close()
    assert left.is_dir()
    os.close(held)
    SharedFolder("icm-", "y", str(tmp_path)).close()
    assert not left.exists()


def test_a_folder_that_others_may_read_is_refused(tmp_path):
    (tmp_path / "icm-x").mkdir(mode=0o755)
    with pytest.raises(SessionError, match="closed to all others"):
        SharedFolder("icm-", "x", str(tmp_path))


def test_nobody_waits_for_ever_for_one_who_leaves(tmp_path):
    (tmp_path / "icm-x").mkdir(mode=0o700)
    leaving = os.open(tmp_path / "icm-x" / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(leaving, fcntl.LOCK_EX)
    with pytest.raises(SessionError, match="does not end"):
        SharedFolder("icm-", "x", str(tmp_path), patience=0.0)
    os.close(leaving)
    SharedFolder("icm-", "x", str(tmp_path), patience=0.0).close()


# --- on several nodes -----------------------------------------------------------------------------------------------


def of_nodes(tmp_path, monkeypatch, member, shared=False):
    """As if each lane's worker of a member were on a node of its own."""
    root = Ledgers._root

    def moved(ledgers):
        if ledgers._name != member:
            return root(ledgers)
        return tmp_path / ("all" if shared else f"node {ledgers._lane}")

    monkeypatch.setattr(Ledgers, "_root", moved)


def left_out(monkeypatch):
    """A driver that has nothing compared."""
    monkeypatch.setattr("icm_ray.runtime.driver.lane_engine.compare_ledgers", lambda lane, home, names: None)


NOT_HELD = "refuses: its ledger in lane 1 was not held against that in lane 0"


def test_a_party_that_keeps_a_ledger_on_each_node_takes_no_policy(tmp_path, monkeypatch):
    """... nor does one whose driver does not ask whether it does."""
    path = tmp_path / "visits.parquet"
    TABLE.to_parquet(path)
    of_nodes(tmp_path, monkeypatch, "alice")
    with two_lanes() as engine:
        for _ in range(2):
            with pytest.raises(SessionError, match=r"alice keeps another ledger .* set ledger= .*lane 1 .*, lane 0 "):
                an.read_parquet(engine, {"alice": str(path)}, policy=NAMED)
        left_out(monkeypatch)
        with pytest.raises(SessionError, match=f"alice {NOT_HELD}"):
            an.read_parquet(engine, {"alice": str(path)}, policy=NAMED)
        assert an.read_parquet(engine, {"alice": str(path)})["cost"].sum().reveal() == TABLE["cost"].sum()


def test_nor_does_an_owner_have_two_secrets_for_the_keys_of_its_rows(tmp_path, monkeypatch):
    noise = Policy(name="noisy", noise=Noise(kind="cell_key", scale=2.0))
    of_nodes(tmp_path, monkeypatch, "carol")
    with two_lanes() as engine:
        assert framed(engine, NAMED)["cost"].sum().reveal() == TABLE["cost"].sum(), "it keeps no ledger"
        with pytest.raises(SessionError, match="carol keeps another ledger"):
            framed(engine, noise)
        left_out(monkeypatch)
        path = tmp_path / "visits.parquet"
        TABLE.to_parquet(path)
        frame = an.read_parquet(engine, {"carol": str(path)}, policy=noise)
        frame = twin(frame, tables=tuple(change(table, lanes=(1,)) for table in frame._dataset.facts.tables))
        with pytest.raises(SessionError, match=f"carol {NOT_HELD}"):
            frame[frame["age"] >= 40].count_rows().reveal()


def test_one_that_keeps_it_where_all_its_nodes_see_it_does(tmp_path, monkeypatch):
    of_nodes(tmp_path, monkeypatch, "alice", shared=True)
    with two_lanes() as engine:
        frame = framed(engine, NAMED)
        assert first_and_close(frame)[0].reveal() == TABLE[AGES >= 40]["cost"].sum()
        with pytest.raises(PolicyError, match=NEAR):
            first_and_close(frame)[1].reveal()
    assert [item.name for item in (tmp_path / "all").iterdir()] == ["visits"], "nothing else is left there"
