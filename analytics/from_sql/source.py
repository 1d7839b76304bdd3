"""The text that was asked, and where in it things are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlglot import exp
from sqlglot.errors import SqlglotError, TokenError
from sqlglot.tokenizer_core import Token

from icm_ray.errors import ColumnError, UnsupportedError

__all__ = ["Node", "Source"]

Node = exp.Expr
"""Any node of a parsed text."""


@dataclass(frozen=True, slots=True)
class Source:
    """text: as the user wrote it. dialect: sqlglot's name of its kind of SQL. tokens: its words, in order."""

    text: str
    dialect: str
    tokens: Sequence[Token] = field(default=(), repr=False)

    def start(self, node: Node) -> int:
        """Where a node begins in the text, from 0 on: its first part whose place sqlglot knows."""
        return min((part.meta["start"] for part in node.walk() if "start" in part.meta), default=0)

    def place(self, node: Node, words: Sequence[str] = ()) -> tuple[int, int]:
        """Line and column, from 1 on, of a node, or of the nearest of these words of the language."""
        start = self.start(node)
        found = [token.start for token in self.tokens if token.text.upper() in words]
        at = min(found, key=lambda place: abs(place - start)) if found else start
        return self.text.count("\n", 0, at) + 1, at - self.text.rfind("\n", 0, at)

    def shown(self, node: Node) -> str:
        """A node as text, without what was added to it: tables of columns, quotes that no name needs."""
        plain = node.copy()
        for part in plain.find_all(exp.Column, exp.Identifier):
            if isinstance(part, exp.Column):
                part.set("table", None)
            elif exp.SAFE_IDENTIFIER_RE.match(part.name):
                part.set("quoted", False)
        return plain.sql(dialect=self.dialect, comments=False)

    def unsupported(self, node: Node, what: str, instead: str, words: Sequence[str] = ()) -> UnsupportedError:
        """The refusal of a construct. instead: what to ask. words: those of the language that begin it."""
        line, column = self.place(node, words)
        return UnsupportedError(f"line {line}, column {column}: {what}: {instead}", line=line, position=column)

    def wrong(self, node: Node, error: ColumnError) -> ColumnError:
        """The same error, with its place in the text."""
        line, column = self.place(node)
        return ColumnError(f"line {line}, column {column}: {error.message}", **error.where, line=line, position=column)


def position_of(error: SqlglotError, text: str) -> tuple[int, int] | None:
    """Line and column that sqlglot says of an error, from 1 on; None where it says none."""
    found = getattr(error, "errors", None)
    if found and found[0].get("line"):
        return int(found[0]["line"]), int(found[0]["col"])
    if isinstance(error, TokenError):
        return text.count("\n") + 1, len(text) - text.rfind("\n")
    return None
