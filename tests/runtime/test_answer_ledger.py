"""A ledger's line is on the disk whole, or not at all."""

import fcntl
import os

import pytest

from icm_ray.errors import SessionError
from icm_ray.query.question import Question
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
        with pytest.raises(SessionError, match="another session writes this ledger, nothing is answered here"):
            record(ledger, b"lost")
    record(ledger, b"two")
    assert digests(tmp_path) == [b"one".hex(), b"two".hex()]
