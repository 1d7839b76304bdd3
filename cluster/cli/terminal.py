"""Text of others on a terminal: what peers, files and askers say is shown, and commands it nothing."""

from __future__ import annotations

from collections.abc import Mapping
from json import dumps

import typer
from rich.console import Console
from rich.markup import escape

__all__ = ["outcome", "printable", "say", "shown"]


def printable(text: str) -> str:
    """Control characters, and those that turn the direction of writing, as their escapes; all else as it is."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def shown(text: str) -> str:
    """The same for rich, which takes nothing of it as markup either."""
    return escape(printable(text))


def say(text: str) -> None:
    """A line, as it is."""
    Console().print(printable(text), soft_wrap=True, markup=False, highlight=False)


def outcome(facts: Mapping[str, object], json: bool, *lines: str) -> None:
    """What a command did: facts as JSON for machines, lines for people."""
    if json:
        typer.echo(dumps(facts))
        return
    for line in lines:
        say(line)
