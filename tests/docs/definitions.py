"""What the API reference shows: the objects that its pages name, and of their members those that its filters let by."""

import inspect
import json
import re
from importlib import import_module
from pathlib import Path

TOP = Path(__file__).parents[2]
FILTERS = json.loads(re.search(r"filters: (\[.*\])", (TOP / ".ci/mkdocs.yml").read_text())[1])


def shown(name):
    """As mkdocstrings reads its filters: the last one that matches decides, and "!" leaves out."""
    matching = [rule for rule in FILTERS if re.search(rule.removeprefix("!"), name)]
    return not matching or not matching[-1].startswith("!")


def on_pages():
    """(dotted name, object) of what the pages name after `:::`; a module stands for what is in its `__all__`."""
    for page in sorted((TOP / "docs/api").glob("*.md")):
        for dotted in re.findall(r"^::: (\S+)", page.read_text(), re.MULTILINE):
            parent, _, name = dotted.rpartition(".")
            found = getattr(import_module(parent), name)
            if inspect.ismodule(found):
                yield from ((f"{dotted}.{item}", getattr(found, item)) for item in found.__all__)
            else:
                yield dotted, found


def _members(found):
    """Those of a class and of the mixins that it is made of, in the frames' package."""
    members = {}
    for base in reversed(found.__mro__):
        if base is found or base.__module__.startswith("analytics."):
            members |= vars(base)
    return members


def definitions():
    """(dotted name, object) of what the reference shows, methods and properties after their class, each once: what a
    class has of another that is shown stands there.
    """
    told = set()
    for dotted, found in on_pages():
        yield dotted, found
        if inspect.isclass(found):
            for member, value in _members(found).items():
                plain = value.__func__ if isinstance(value, classmethod | staticmethod) else value
                if id(plain) in told or not shown(member):
                    continue
                if inspect.isfunction(plain) or isinstance(plain, property):
                    told.add(id(plain))
                    yield f"{dotted}.{member}", plain
