"""From text to a tree whose names are resolved: parsed and qualified by sqlglot, whatever its dialect."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import ErrorLevel, OptimizeError, ParseError, SqlglotError, TokenError
from sqlglot.optimizer.qualify import qualify
from sqlglot.schema import MappingSchema

from analytics.from_sql.source import Node, Source, position_of
from icm_ray.errors import InputError, UnsupportedError
from icm_ray.query.question import MOST_LETTERS

__all__ = ["Reading", "read"]

DIALECTS: Final = ("bigquery", "duckdb", "mysql", "postgres", "snowflake", "spark", "sqlite", "trino")
"""Those in which what is answered means the same; in some others AVG of whole numbers is a whole number."""


@dataclass(frozen=True, slots=True)
class Reading:
    """tree: a SELECT, qualified: columns have their tables, stars and numbers in GROUP BY are written out, what is
    computed has a name. names: of the result's columns where the user gave them; None where they follow from a star.
    """

    source: Source
    tree: exp.Select
    names: tuple[str | None, ...] | None


def read(text: str, dialect: str, tables: Mapping[str, Sequence[str]]) -> Reading:
    """What a text asks. tables: by name the names of the columns.

    Errors: `InputError` for what is no SQL (with sqlglot's position) or no question; `UnsupportedError`.
    """
    if not text.strip():
        raise InputError("SQL is given as text: SELECT ... FROM ...")
    if len(text) > MOST_LETTERS:
        raise InputError(f"{len(text)} letters of SQL; {MOST_LETTERS} are the most")
    try:
        return _read(text, dialect, tables)
    except RecursionError:
        raise InputError("the SQL is nested too deeply") from None


def _read(text: str, dialect: str, tables: Mapping[str, Sequence[str]]) -> Reading:
    source, tree = _parsed(text, dialect)
    query = _question(source, tree)
    names = _names(source, query)
    _one_spelling(query, tables)
    schema = MappingSchema(
        {table: dict.fromkeys(columns, "unknown") for table, columns in tables.items()},
        dialect=_exactly(dialect),
        normalize=False,
    )
    try:
        qualified = qualify(
            query,
            dialect=_exactly(dialect),
            schema=schema,
            allow_partial_qualification=True,  # who reads the columns says which there are
            validate_qualify_columns=False,
        )
    except OptimizeError as error:
        raise InputError(f"the SQL cannot be: {error}") from None
    return Reading(source, qualified, names)


def _exactly(dialect: str) -> str:
    """The dialect with names that are as they are written: they were brought to one spelling before."""
    return f"{dialect}, normalization_strategy=case_sensitive"


def _parsed(text: str, dialect: str) -> tuple[Source, Node]:
    if dialect not in DIALECTS:
        raise InputError(f"dialect={dialect!r}: SQL is read as one of {', '.join(DIALECTS)}")
    known = Dialect.get_or_raise(dialect)
    try:
        tokens = known.tokenize(text)
        found = [
            tree for tree in known.parser(error_level=ErrorLevel.IMMEDIATE).parse(tokens, text) if tree is not None
        ]
    except (ParseError, TokenError) as error:
        raise _invalid(error, text) from None
    if len(found) != 1:
        raise InputError(f"one question is asked at a time, and there are {len(found)}")
    return Source(text, dialect, tokens), found[0]


def _invalid(error: SqlglotError, text: str) -> InputError:
    place = position_of(error, text)
    found = getattr(error, "errors", None)
    what = found[0]["description"] if found else "a quote or a comment is not closed"
    if "Required keyword" in what:
        what = "something is missing"
    if place is None:
        return InputError(f"invalid SQL: {what}")
    line, column = place
    return InputError(f"invalid SQL: line {line}, column {column}: {what}", line=line, position=column)


def _question(source: Source, tree: Node) -> exp.Select:
    while isinstance(tree, exp.Subquery) and not any(value for name, value in tree.args.items() if name != "this"):
        tree = tree.this
    if isinstance(tree, exp.SetOperation):
        raise set_operation(source, tree)
    if not isinstance(tree, exp.Select):
        what = tree.key.upper()
        raise source.unsupported(tree, what, "SQL asks questions here, and changes nothing: SELECT ... FROM ...")
    return tree


def set_operation(source: Source, tree: exp.SetOperation) -> UnsupportedError:
    """The refusal of UNION and its like."""
    word = tree.key.upper()
    return source.unsupported(tree, word, "ask each SELECT by itself, and put the results together", (word,))


def _selects(tree: exp.Select) -> Iterator[exp.Select]:
    return tree.find_all(exp.Select)


def _names(source: Source, query: exp.Select) -> tuple[str | None, ...] | None:
    """Give everything that is computed a name: its text. Returns those of the result; None: a column keeps its own."""
    for select in _selects(query):
        named = []
        for item in select.expressions:
            plain = isinstance(item, exp.Alias | exp.Column | exp.Star | exp.Aliases) or item.is_star
            named.append(item if plain else exp.alias_(item, source.shown(item), quoted=True, copy=False))
        select.set("expressions", named)
    if any(item.is_star for item in query.expressions):
        return None
    return tuple(item.alias or None for item in query.expressions)


def _one_spelling(query: exp.Select, tables: Mapping[str, Sequence[str]]) -> None:
    """Names are compared as SQL does it, whatever the case of their letters: all of one name get the frame's spelling,
    or the first one's in the text. Where a frame has two that differ in case alone each is written exactly.
    """
    of_tables, of_columns = _spellings(tables), _spellings([name for names in tables.values() for name in names])
    for identifier in query.find_all(exp.Identifier):
        known = of_tables if _names_table(identifier) else of_columns
        written = str(identifier.this)
        spellings = known.setdefault(written.casefold(), {written})
        if len(spellings) == 1:
            identifier.set("this", next(iter(spellings)))
        identifier.set("quoted", True)


def _spellings(names: Iterator[str] | Sequence[str] | Mapping[str, object]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for name in names:
        found.setdefault(name.casefold(), set()).add(name)
    return found


def _names_table(identifier: exp.Identifier) -> bool:
    parent = identifier.parent
    if isinstance(parent, exp.Column):
        return identifier.arg_key != "this"
    return isinstance(parent, exp.Table) or (isinstance(parent, exp.TableAlias) and identifier.arg_key == "this")
