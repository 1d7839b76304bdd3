"""Members say what they are asked for; the rest is refused before it piles up."""

from contextlib import suppress
from queue import Empty

import pytest

from icm_ray.errors import Desynchronised, PeerLost
from icm_ray.runtime.driver.mailbox import Mailbox
from icm_ray.runtime.orders import messages as say


def test_what_was_said_comes_in_order():
    box = Mailbox()
    box.put("bob", say.Prepared(1), 10)
    box.fail("alice", PeerLost("gone", party="alice"))
    box.put("bob", say.Done(1), 10)
    assert box.get(1) == ("bob", say.Prepared(1))
    assert isinstance(box.get(1)[1], PeerLost)
    assert box.get(1) == ("bob", say.Done(1))
    with pytest.raises(Empty):
        box.get(0.001)


def talk(box, size):
    for number in range(1_000_000):
        box.put("bob", say.Prepared(number), size)


def flood(box, size=0):
    """How many answers of this size bob may give."""
    with pytest.raises(Desynchronised, match="bob says more"):
        talk(box, size)
    given = 0
    with suppress(Empty):
        while box.get(0.001):
            given += 1
    return given


@pytest.mark.parametrize("size", [0, 10, 1 << 20, 1 << 28])
def test_a_member_that_says_too_much_is_refused(size):
    box = Mailbox()
    assert flood(box, size) * size <= box.limit
    box.put("alice", say.Prepared(1), 10)  # the others may go on


def test_results_that_are_due_have_room():
    box = Mailbox()
    box.expect(1 << 30)
    for part in range(4):
        box.put("bob", say.Prepared(part), 1 << 28)
    flood(box)


def test_what_was_taken_counts_no_more():
    box = Mailbox()
    for turn in range(10):
        box.put("bob", say.Prepared(turn), 10 << 20)
        assert box.get(1) == ("bob", say.Prepared(turn))
