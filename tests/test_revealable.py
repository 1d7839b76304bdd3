"""`icm.reveal` takes whatever keeps to the protocol, finds what is refused first, and answers in order."""

from typing import ClassVar

import pytest

import icm_ray as icm
from icm_ray.errors import InputError, OwnerError, PolicyError
from icm_ray.revealable import Revealable

SESSION, OTHER = object(), object()


class Asked:
    """Answers with its name; `log` tells what was done, by kind."""

    log: ClassVar[list[str]] = []

    def __init__(self, name, session=SESSION, refusal=None):
        self.name, self.session, self.refusal = name, session, refusal

    def check(self, to=None):
        self.log.append(f"check {self.name}")
        if self.refusal is not None:
            raise self.refusal

    @classmethod
    def reveal_together(cls, items, to=None):
        cls.log.append(f"{cls.__name__} to {to}: {' '.join(item.name for item in items)}")
        return tuple(item.name.upper() for item in items)


class Guessed(Asked):
    """Another kind."""


@pytest.fixture(autouse=True)
def log():
    Asked.log = Guessed.log = []
    return Asked.log


def test_kinds_are_answered_together_and_results_are_in_order(log):
    items = [Asked("a"), Guessed("b"), Asked("c"), Guessed("d")]
    assert all(isinstance(item, Revealable) for item in items)
    assert icm.reveal(*items, to="bob") == ("A", "B", "C", "D")
    assert log == ["check a", "check b", "check c", "check d", "Asked to bob: a c", "Guessed to bob: b d"]


def test_nothing_is_revealed_where_one_is_refused(log):
    with pytest.raises(PolicyError, match="too few"):
        icm.reveal(Asked("a"), Guessed("b", refusal=PolicyError("too few")))
    assert log == ["check a", "check b"]


@pytest.mark.parametrize(
    "item", [1, None, "x", [Asked("a")], (Asked("a"),), {}, Asked, object()], ids=lambda item: type(item).__name__
)
def test_what_cannot_be_revealed_is_a_typed_error(item, log):
    for items in ((item,), (Asked("a"), item)):
        with pytest.raises(InputError, match="only queries and predictions can be revealed, not"):
            icm.reveal(*items)
    assert not log


def test_a_list_is_told_how():
    with pytest.raises(InputError, match=r"not list; give them one by one: icm.reveal\(a, b\)"):
        icm.reveal([Asked("a")])


def test_nothing_and_other_sessions_are_refused():
    with pytest.raises(InputError, match="one query or prediction"):
        icm.reveal()
    with pytest.raises(InputError, match="different sessions"):
        icm.reveal(Asked("a"), Guessed("b", OTHER))


def test_a_recipient_that_is_none_is_found_by_whoever_is_asked():
    with pytest.raises(OwnerError):
        icm.reveal(Asked("a", refusal=OwnerError("no such recipient")), to="nobody")
