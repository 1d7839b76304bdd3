"""What users call: a question in SQL."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from sqlglot import exp

from analytics.frame import SecureFrame
from analytics.from_sql.question import SqlQuery
from analytics.from_sql.reading import read
from analytics.from_sql.select import Context, Opened, RowsOf, relation
from analytics.public_values import plain
from icm_ray.errors import InputError
from icm_ray.query.expressions.tree import Scalar

__all__ = ["sql"]


def sql(
    text: str,
    /,
    *,
    domain: Mapping[str, Sequence[Any]] | None = None,
    dialect: str = "duckdb",
    max_groups: int | None = None,
    max_bytes: int | None = None,
    **frames: SecureFrame,
) -> SqlQuery:
    """Ask a question in SQL: aggregates of frames' rows, chosen with WHERE, in groups of public or private values.

    Rows are never opened: a SELECT of rows may only stand in a subquery or in WITH. Aggregates are opened for every
    group; HAVING, ORDER BY, LIMIT and expressions around aggregates are computed of what was opened. NULL is as SQL has
    it, and a float's NaN is NULL. What is not answered is refused, with its place in the text.

    Args:
        text: One SELECT. docs/sql.md lists what it may hold.
        domain: By the name of a column the values to group by: rows with others are in no group. None among them is
            NULL's group. Booleans, CASE with public results, public categories, and columns that WHERE lists (IN, =,
            BETWEEN of whole numbers) need none. Without any, other keys are private, as of `SecureFrame.groupby`.
        dialect: Whose SQL it is: "bigquery", "duckdb", "mysql", "postgres", "snowflake", "spark", "sqlite", "trino".
        max_groups: Of private keys, room for so many groups of each owner, as of `SecureFrame.groupby`.
        max_bytes: Of private keys, the most bytes of a text.
        **frames: By the names under which the text speaks of them.

    Returns:
        A query for a pandas DataFrame: a row for each group that has rows, or one.

    Raises:
        InputError: No SQL, with the line and column where it ends to be, or keys whose values are not public.
        ColumnError: No such column (the closest name is said), or one of another kind than is needed.
        UnsupportedError: What is not answered; `where["line"]` and `where["position"]` say where it is.

    Examples:
        >>> text = "SELECT ward, AVG(cost) AS mean FROM visits WHERE age >= 40 GROUP BY ward ORDER BY mean"
        >>> an.sql(text, visits=visits, domain={"ward": ["a", "b"]}).reveal()
          ward     mean
        0    b  245.375
        1    a  310.250
        >>> an.sql("SELECT SUM(cost) / COUNT(*) AS mean, MAX(age) FROM visits", visits=visits).reveal()
            mean  MAX(age)
        0  203.3        70
    """
    for name, frame in frames.items():
        if not isinstance(frame, SecureFrame):
            raise InputError(f"{name}= takes a SecureFrame, not {type(frame).__name__}")
    reading = read(str(text), dialect, {name: frame.columns for name, frame in frames.items()})
    tables = {name: RowsOf(frame._meant, frame._columns) for name, frame in frames.items()}
    stated = _stated(domain or {}, reading.tree, [name for frame in frames.values() for name in frame.columns])
    try:
        found = relation(Context(reading.source, tables, stated, (max_groups, max_bytes)), reading.tree)
    except RecursionError:
        raise InputError("the SQL is nested too deeply") from None
    if not isinstance(found, Opened):
        first = reading.tree.expressions[0]
        raise reading.source.unsupported(
            first, "rows are not opened", "ask for aggregates of them: COUNT(*), AVG(x), ... GROUP BY ...", ("SELECT",)
        )
    names = [info.name for info in found.infos]
    if reading.names is not None:
        names = [given or own for given, own in zip(reading.names, names, strict=True)]
    return SqlQuery(text, found, names)


def _stated(
    domain: Mapping[str, Sequence[Any]], tree: exp.Select, columns: Sequence[str]
) -> Mapping[str, tuple[Scalar, ...]]:
    """Stated values by the frame's name of a column, or the text's. Errors: `InputError` for names of nothing."""
    known = dict.fromkeys([*columns, *(item.alias for item in tree.find_all(exp.Alias))])
    spelled = {name.casefold(): name for name in reversed(known)}
    stated = {}
    if not isinstance(domain, Mapping):
        raise InputError(f"domain= has the values by the key's name, {{'name': [...]}}, not {domain!r}")
    for name, values in domain.items():
        found = name if name in known else spelled.get(str(name).casefold())
        if found is None:
            close = difflib.get_close_matches(str(name), known, n=1, cutoff=0.5)
            hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(known)}"
            raise InputError(f"domain: nothing is called {name!r}; {hint}")
        if isinstance(values, str):
            raise InputError(f"domain: the values of {name!r} are a list, not {values!r}")
        if not values:
            raise InputError(f"domain: there are no values to group {name!r} by")
        stated[found] = tuple(map(plain, values))
    return stated
