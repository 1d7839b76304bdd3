"""An expression in words: as the user would write it."""

from __future__ import annotations

from icm_ray.query.expressions.catalogue import FUNCTIONS
from icm_ray.query.expressions.tree import EVERY_ROW, Column, Literal, Of, nodes_of

__all__ = ["words"]

_MOST = 200
"""Characters of a part; longer ones are cut in the middle."""


def words(of: Of) -> str:
    """A column's name, or the expression as it is written in Python; long parts are cut."""
    if isinstance(of, str):
        return of
    if of == EVERY_ROW:
        return "rows"
    texts: list[str] = []
    for node in nodes_of(of):
        if isinstance(node, Column):
            texts.append(node.name)
        elif isinstance(node, Literal):
            texts.append(str(node.value) if node.kind.startswith("decimal") else repr(node.value))
        else:
            arguments = [texts[argument] for argument in node.arguments]
            function = FUNCTIONS.get(node.function)
            text = (
                f"{node.function}({', '.join(arguments)})"
                if function is None
                else function.words(arguments, node.options)
            )
            texts.append(text if len(text) <= _MOST else f"{text[: _MOST // 2]} ... {text[-_MOST // 4 :]}")
    last = texts[-1]
    return last[1:-1] if _wrapped(last) else last


def _wrapped(text: str) -> bool:
    """Whether one pair of brackets holds all of it."""
    if not (text.startswith("(") and text.endswith(")")):
        return False
    depth = 0
    for place, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if not depth and place < len(text) - 1:
            return False
    return True
