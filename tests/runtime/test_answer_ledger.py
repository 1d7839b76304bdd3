"""A ledger's line is on the disk whole, or not at all."""

import fcntl
import os

import pytest

from icm_ray.errors import LedgerChanged, PolicyError, SessionError
from icm_ray.query.expressions.tree import apply, literal
from icm_ray.query.question import Question
from icm_ray.query.row_set import AskedBefore, RowSet
from icm_ray.query.statistics.mean import Mean
from icm_ray.runtime.worker.answer_ledger import AnswerLedger, read_entries

QUESTION = Question((Mean("visits", "age"),), "bob")


@pytest.fixture
def ledger(tmp_path):
    return AnswerLedger("visits", tmp_path, "alice", patience=0.0)


def record(ledger, name):
    ledger.record(name, QUESTION, 100, ())


def digests(tmp_path):
    return [entry.digest for entry in read_entries(tmp_path / "alice.jsonl")[0]]


def test_what_the_system_takes_in_pieces_is_written_whole(ledger, tmp_path, monkeypatch):
    whole = os.writev
    monkeypatch.setattr(os, "writev", lambda file, views: whole(file, [views[0][:7]]))
    record(ledger, b"one")
    record(ledger, b"two")
    assert digests(tmp_path) == [b"one".hex(), b"two".hex()]


def test_a_line_that_does_not_fit_the_disk_leaves_nothing_behind(ledger, tmp_path, monkeypatch):
    record(ledger, b"one")
    whole, left = os.writev, [1]

    def full(file, views):
        if not left.pop():
            raise OSError(28, "No space left on device")
        left.append(0)
        return whole(file, [views[0][:7]])

    monkeypatch.setattr(os, "writev", full)
    with pytest.raises(SessionError, match="nothing is answered: No space left"):
        record(ledger, b"lost")
    monkeypatch.undo()
    record(ledger, b"two")
    assert digests(tmp_path) == [b"one".hex(), b"two".hex()]


def test_a_ledger_that_another_session_writes_at_the_moment_is_not_waited_for(ledger, tmp_path):
    record(ledger, b"one")
    with (tmp_path / "alice.jsonl").open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(LedgerChanged, match="another session writes this ledger, nothing is answered here"):
            record(ledger, b"lost")
    record(ledger, b"two")
    assert digests(tmp_path) == [b"one".hex(), b"two".hex()]


# --- several sessions ---------------------------------------------------------------------------------------------

X, Y, Z = (RowSet(apply(">=", ("age", literal(age)))) for age in (20, 40, 60))


def of_session(tmp_path, session):
    return AnswerLedger("visits", tmp_path, "alice", session, patience=0.0)


def answer(ledger, name, said, *sets):
    ledger.check(said, sets)
    ledger.record(name, QUESTION, 100, sets, said)


def test_a_question_that_does_not_know_of_another_session_s_is_asked_again(tmp_path):
    mine, theirs = of_session(tmp_path, "mine"), of_session(tmp_path, "theirs")
    answer(theirs, b"x", (), X)
    with pytest.raises(LedgerChanged, match="alice: another session writes this ledger"):
        answer(mine, b"y", (), Y)
    with pytest.raises(LedgerChanged):
        answer(mine, b"y", (), Y)
    mine.take_over(())
    assert mine.sets == (X,)
    with pytest.raises(PolicyError, match="says otherwise"):  # who was told of it has no excuse
        answer(mine, b"y", (), Y)
    answer(mine, b"y", (X,), Y)
    assert digests(tmp_path) == [b"x".hex(), b"y".hex()]


def test_one_that_loses_between_check_and_record_leaves_nothing(tmp_path):
    mine, theirs = of_session(tmp_path, "mine"), of_session(tmp_path, "theirs")
    mine.check((), (Y,))
    answer(theirs, b"x", (), X)
    with pytest.raises(LedgerChanged):
        mine.record(b"y", QUESTION, 100, (Y,), ())
    assert digests(tmp_path) == [b"x".hex()]


def test_what_asks_for_no_rows_of_their_own_needs_not_know(tmp_path):
    mine, theirs = of_session(tmp_path, "mine"), of_session(tmp_path, "theirs")
    answer(theirs, b"x", (), X)
    answer(mine, b"all", ())
    answer(theirs, b"y", (X,), Y)
    assert digests(tmp_path) == [b"x".hex(), b"all".hex(), b"y".hex()]


def test_of_two_that_came_at_once_each_is_held_against_the_other(tmp_path):
    """... where each came first in one of two ledgers: neither order is another ledger's."""
    (tmp_path / "one").mkdir()
    (tmp_path / "other").mkdir()
    one, other = of_session(tmp_path / "one", "mine"), of_session(tmp_path / "other", "mine")
    answer(one, b"x", (), X)
    answer(of_session(tmp_path / "other", "theirs"), b"y", (), Y)
    one.take_over((Y,))
    other.take_over((X,))
    for ledger in (one, other):
        ledger.take_over(())
    assert (one.sets, other.sets) == ((X, Y), (Y, X))
    before = AskedBefore.of([one.sets, other.sets])
    assert before.contested == {X, Y}
    for own, said in (((X,), (Y, X)), ((Y,), (X, Y)), ((X, Y), (X, Y)), ((Z,), (X, Y)), ((X, Z), (Y, X))):
        assert before.stated(own) == said
        for ledger in (one, other):
            ledger.check(said, own)
    with pytest.raises(PolicyError, match="says otherwise"):
        other.check((X, Y), (X,))
    with pytest.raises(PolicyError, match="says otherwise"):
        one.check((Y, X), (Y, Z))
    for lie in ((Y,), (X, Y, X), (X, Y, RowSet(of="age"))):
        with pytest.raises(PolicyError, match="says otherwise"):
            one.check(lie, (Z,))
