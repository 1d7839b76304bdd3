"""Text: patterns of LIKE that say how it begins, ends, or what it contains, and functions of it."""

from __future__ import annotations

from sqlglot import exp

from analytics.from_sql.source import Node
from analytics.from_sql.translate import NULL, Mapped, Translator, unless
from icm_ray.query.expressions.tree import Of, literal

__all__ = ["has", "like"]

_CASELESS = frozenset({"mysql", "sqlite"})
"""Dialects whose LIKE takes A for a."""


def like(*, caseless: bool) -> Mapped:
    """LIKE and ILIKE of a public pattern."""

    def made(to: Translator, node: Node) -> Of:
        pattern = node.expression
        if not isinstance(pattern, exp.Literal) or not pattern.is_string:
            raise to.source.unsupported(node, "LIKE", "write the pattern out", ("LIKE", "ILIKE"))
        if not caseless and to.source.dialect in _CASELESS:
            what = f"LIKE, which {to.source.dialect} takes without the case of letters"
            raise to.source.unsupported(node, what, "compare LOWER(...) with =, or use another dialect", ("LIKE",))
        value, text = to.of(node.this), str(pattern.this)
        if caseless:
            value, text = to.apply(node, "lower", value), text.lower()
        return unless(to, node, _matched(to, node, value, text))

    return made


def _matched(to: Translator, node: Node, value: Of, pattern: str) -> Of:
    pieces = pattern.split("%")
    if set("_\\") & set(pattern) or (any(pieces[1:-1]) and (len(pieces) > 3 or pieces[0] or pieces[-1])):
        instead = "patterns hold % alone, where they begin or end or once within: 'a%', '%a', '%a%', 'a%b'"
        raise to.source.unsupported(node, f"LIKE {pattern!r}", instead, ("LIKE", "ILIKE"))
    if len(pieces) == 1:
        return to.apply(node, "equal", value, literal(pattern))
    if any(pieces[1:-1]):
        return to.apply(node, "contains", value, options=[pieces[1]])
    begins, ends = pieces[0], pieces[-1]
    found = to.apply(node, "starts_with", value, options=[begins])
    if not ends:
        return found
    both = to.apply(node, "and", found, to.apply(node, "ends_with", value, options=[ends]))
    long = to.apply(node, "greater_equal", to.apply(node, "length", value), literal(len(begins) + len(ends)))
    return to.apply(node, "and", both, long)


def has(function: str) -> Mapped:
    """STARTS_WITH and its like, of a public text."""

    def made(to: Translator, node: Node) -> Of:
        text = node.expression
        if isinstance(text, exp.Null):
            return NULL
        if not isinstance(text, exp.Literal) or not text.is_string:
            raise to.source.unsupported(node, to.source.shown(node), "write the text out that is looked for")
        return to.apply(node, function, to.of(node.this), options=[str(text.this)])

    return made
