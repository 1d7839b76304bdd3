"""Names of links that guests make up: good for one link at a time, and kept no longer than that."""

from __future__ import annotations

import pytest

from icm_ray.errors import AddressReused, PeerSilent
from icm_ray.transport.hello import Direction
from icm_ray.transport.pending_links import Endpoint, PendingLinks

BOB = Endpoint("bob", "", 0, b"certificate")


class Closed:
    def close(self): ...


def test_guests_are_forgotten_when_they_were_claimed_or_never_came():
    links = PendingLinks("alice", 5.0)
    for name in ("one", "other"):
        links.welcome(name, BOB)
        expected = links.find(name, "bob", 0.0, lambda: False)
        assert all(links.deliver(expected, direction, Closed()) for direction in Direction)
        assert links.unclaimed_guest(expected)
        assert not links.unclaimed_guest(expected)
        assert set(links.claim(name, BOB)) == set(Direction)
    links.welcome("nobody", BOB)
    links.unwelcome(links.find("nobody", "bob", 0.0, lambda: False))
    assert not links._used
    assert not links._expected


def test_others_names_are_good_for_one_link_ever():
    links = PendingLinks("alice", 0.0)
    links.expect("one", BOB)
    links.welcome("one", Endpoint("mallory", "", 0, b"another"))
    assert links.find("one", "mallory", 0.0, lambda: False) is None
    with pytest.raises(PeerSilent):
        links.claim("one", BOB)
    with pytest.raises(AddressReused):
        links.expect("one", BOB)
