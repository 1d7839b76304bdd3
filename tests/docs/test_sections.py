"""Docstrings that the API reference shows say what goes in, what comes out and what is raised, and nothing else."""

import inspect

import pytest

import analytics as an
import icm_ray as icm
from tests.docs.definitions import definitions, on_pages
from tests.docs.sections import faults, items, parameters, sections

SHOWN = dict(definitions())


def test_docstrings_are_complete():
    found = {name: faults(shown, inspect.getdoc(shown) or "") for name, shown in SHOWN.items()}
    assert {name: wrong for name, wrong in found.items() if wrong} == {}


@pytest.mark.parametrize("package", [icm, an], ids=lambda package: package.__name__)
def test_pages_show_all_that_a_package_offers(package):
    pages = {id(found) for _, found in on_pages()}
    assert [name for name in package.__all__ if id(getattr(package, name)) not in pages] == []


def test_pages_show_members_of_classes():
    methods = {"analytics.frame.SecureFrame.__getitem__", "analytics.query.Query.reveal_together"}
    properties = {"analytics.frame.SecureFrame.columns", "analytics.nn.model.SecureModel.error"}
    assert methods | properties <= SHOWN.keys()
    assert not [name for name in SHOWN if name.rpartition(".")[2].startswith("_") and not name.endswith("__")]


def test_items_stand_beside_what_continues_them():
    text = inspect.getdoc(SHOWN["icm_ray.runtime.session.Session"])
    assert items(sections(text)["Args"]) == parameters(icm.Session)
    assert items(sections(text)["Args"])[-1] == "**settings"


def sample(first: int, *rest: int, last: int = 0) -> int:
    """A function to be described."""
    return first + sum(rest) + last


GOOD = """Add numbers up.

Args:
    first: The first.
    *rest: Others.
    last: The last; 0: none,
        as: it happens.

Returns:
    The sum.

Raises:
    InputError: What is none.
    TypeError: What is no number.
"""


def test_a_complete_docstring_has_no_faults():
    assert faults(sample, GOOD) == []


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("    first: The first.\n", "", "where the parameters are"),
        ("    *rest: Others.\n", "    rest: Others.\n", "where the parameters are"),
        ("    last: The last", "    other: None.\n    last: The last", "where the parameters are"),
        ("InputError: What", "WrongError: What", "none of the errors"),
        ("TypeError: What", "len: What", "none of the errors"),
        ("Returns:\n    The sum.\n\n", "", "what it returns"),
        ("Returns:", "Return:", "in this order"),
        ("Add numbers up.", "Add numbers", "no sentence"),
        ("Add numbers up.", "Add numbers up.\n\nErrors: `InputError`.", "outside"),
        ("    InputError: What is none.\n    TypeError: What is no number.\n", "", "nothing is described"),
    ],
)
def test_what_is_missing_or_too_much_is_found(old, new, told):
    assert GOOD.count(old) == 1
    found = faults(sample, GOOD.replace(old, new))
    assert len(found) >= 1
    assert told in " ".join(found)
