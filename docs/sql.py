"""Write what SQL may hold, and what it becomes, into docs/sql.md, from the tables of the code.

usage: python docs/sql.py           rewrite the tables
       python docs/sql.py --check   exit 1 where they are not those of the code
"""

import sys
from pathlib import Path

from sqlglot import exp, parse_one

from analytics.from_sql.aggregates import AGGREGATES, measure
from analytics.from_sql.functions import FUNCTIONS
from analytics.from_sql.source import Source
from analytics.from_sql.translate import Translator
from icm_ray.query.expressions.words import words
from icm_ray.query.tasks import ColumnInfo

PAGE = Path(__file__).with_name("sql.md")
BEGIN, END = "<!-- {} -->\n", "<!-- /{} -->\n"
COLUMNS = {
    "n": "int",
    "m": "int",
    "x": "float",
    "y": "float",
    "ward": "string",
    "ill": "bool",
    "day": "date32[day]",
    "t": "timestamp[us]",
    "price": "decimal128(9, 2)",
}
EXPRESSIONS = (
    "(n + 1) * 2", "-x - y", "x / n", "n // 2", "n % 7", "ABS(x)", "ROUND(n, 2)", "FLOOR(x)", "CEIL(x)", "POW(x, 2)",
    "SQRT(x)", "GREATEST(n, m)", "LEAST(n, m)", "n = 1", "n <> 1", "n < m", "n <= m", "n > m", "n >= m",
    "ward IS DISTINCT FROM 'a'", "ward IS NOT DISTINCT FROM 'a'", "n BETWEEN 1 AND 9", "n IN (1, 2)", "ward LIKE 'a%'",
    "ward ILIKE 'a%'", "STARTS_WITH(ward, 'a')", "ENDS_WITH(ward, 'a')", "CONTAINS(ward, 'a')", "LENGTH(ward)",
    "LOWER(ward)", "UPPER(ward)", "ill AND n > 1", "ill OR TRUE", "NOT ill", "x IS NULL",
    "CASE WHEN ill THEN x ELSE y END", "IF(ill, n, NULL)", "COALESCE(x, 0)", "NULLIF(n, 0)", "CAST(n AS DOUBLE)",
    "day >= DATE '2024-02-01'", "t < '2024-02-01 12:00'", "CAST(t AS DATE)", "t + INTERVAL 2 HOUR",
    "day - DATE '2024-01-01'",
    "EXTRACT(MONTH FROM day)", "YEAR(day)", "MONTH(day)", "DAY(day)", "DATE_TRUNC('month', day)",
    "DATE_TRUNC('month', CAST(t AS DATE))", "DATE_TRUNC('hour', t)", "price * 2 > 1.5",
)  # fmt: skip
ASKED = (
    "COUNT(*)", "COUNT(x)", "COUNT(DISTINCT n)", "COUNT_IF(ill)", "SUM(n)", "AVG(x)", "MIN(n)", "MAX(n)",
    "MIN(day)", "SUM(price)", "STDDEV(x)", "STDDEV_SAMP(x)",
    "STDDEV_POP(x)", "VARIANCE(x)", "VAR_POP(x)", "BOOL_AND(ill)", "BOOL_OR(ill)", "MEDIAN(x)", "QUANTILE_CONT(x, 0.9)",
    "PERCENTILE_CONT(0.9) WITHIN GROUP (ORDER BY x)",
)  # fmt: skip


def translator(text):
    """One that knows the columns above."""

    def leaf(node):
        return node.name if isinstance(node, exp.Column) else None

    return Translator(
        Source(text, "duckdb"), lambda name: ColumnInfo(name, COLUMNS[name], nullable=name in "xy"), leaf, FUNCTIONS
    )


def expressions():
    """The table of expressions."""
    lines = ["| SQL | as an expression of columns |", "|---|---|"]
    for text in EXPRESSIONS:
        found = words(translator(text).of(parse_one(text, dialect="duckdb")))
        lines.append(f"| `{escaped(text)}` | `{escaped(found)}` |")
    return "\n".join(lines) + "\n"


def aggregates():
    """The table of aggregates."""
    lines = ["| SQL | statistics that are asked for |", "|---|---|"]
    for text in ASKED:
        found = measure(translator(text), parse_one(text, dialect="duckdb"))
        titles = "; ".join(make("rows").title for make in found.statistics)
        lines.append(f"| `{escaped(text)}` | {escaped(titles)} |")
    return "\n".join(lines) + "\n"


def escaped(text):
    """Within a cell of a table."""
    return text.replace("|", "\\|")


def lacking():
    """Rows of the code's tables that no example shows."""
    shown = {type(node) for text in (*EXPRESSIONS, *ASKED) for node in parse_one(text, dialect="duckdb").walk()}
    return [found.__name__ for found in (*FUNCTIONS, *AGGREGATES) if found not in shown | {exp.Alias, exp.Filter}]


def page():
    """The page with both tables."""
    text = PAGE.read_text()
    for name, table in (("expressions", expressions()), ("aggregates", aggregates())):
        before, _, rest = text.partition(BEGIN.format(name))
        _, _, after = rest.partition(END.format(name))
        text = before + BEGIN.format(name) + table + END.format(name) + after
    return text


if __name__ == "__main__":
    if missing := lacking():
        sys.exit(f"no example of {', '.join(missing)}")
    sys.path.insert(0, str(PAGE.parents[1]))
    from docs.kept import keep

    keep(PAGE, page(), __file__)
