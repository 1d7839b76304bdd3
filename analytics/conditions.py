"""Conditions as text, as `DataFrame.query` takes them: read with Python's grammar, never evaluated by Python.

Names are columns, in backticks where they are no identifiers; `@name` is a value that is given beside. `and`, `or` and
`not` may be written & | ~, which bind as weakly then.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any, Final

from analytics.operators import Operators
from analytics.text_methods import SecureText
from analytics.time_methods import SecureDates
from icm_ray.errors import IcmError, InputError
from icm_ray.python_syntax import parsed

__all__ = ["condition"]

_TOKENS = re.compile(r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|`[^`]*`|@[A-Za-z_]\w*|&&?|\|\|?""")
_WORDS: Final = {"&": " and ", "|": " or "}
_BINARY: Final[Mapping[type[ast.operator], Callable[[Any, Any], Any]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
_COMPARED: Final[Mapping[type[ast.cmpop], Callable[[Any, Any], Any]]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_METHODS: Final = frozenset({"abs", "astype", "between", "clip", "fillna", "isin", "isna", "notna", "round"})
_ALSO: Final = {"isnull": "isna", "notnull": "notna"}


def condition(text: Any, column: Callable[[str], Operators], given: Mapping[str, Any]) -> Operators:
    """The condition that a text writes. column: by its name. given: the values of `@name`.

    Errors: `InputError` for what is no such condition, and whatever columns raise.
    """
    if not isinstance(text, str) or not text.strip():
        raise InputError(f"a condition is needed as text, such as \"age >= 65 and ward == 'A'\", not {text!r}")
    reader = _Reader(text, column, given)
    try:
        found = reader.read()
    except IcmError:
        raise
    except RecursionError:
        raise InputError("the condition is nested too deeply; filter in several steps") from None
    except (TypeError, ValueError, ArithmeticError, AttributeError) as error:
        raise InputError(f"{text!r}: {error}") from None
    if not isinstance(found, Operators):
        raise InputError(f"{text!r} is no condition on columns")
    return found


class _Reader:
    """Reads one text."""

    def __init__(self, text: str, column: Callable[[str], Operators], given: Mapping[str, Any]) -> None:
        self._text, self._column, self._given = text, column, given
        self._names: list[str] = []

    def read(self) -> Any:
        """What the whole text says."""
        source = _TOKENS.sub(self._token, self._text.strip().replace("\n", " "))
        try:
            tree = parsed(lambda: ast.parse(source.strip(), mode="eval"))
        except (SyntaxError, ValueError, MemoryError):
            raise InputError(f"{self._text!r} is no condition: compare with ==, join with and, or, not") from None
        return self._of(tree.body)

    def _token(self, match: re.Match[str]) -> str:
        token = match[0]
        if token[0] in "@`":
            self._names.append(token)
            return f" __{len(self._names) - 1} "
        return _WORDS.get(token, token)

    def _refused(self, node: ast.AST) -> InputError:
        return InputError(
            f"{self._text!r}: {type(node).__name__} is not taken; there are columns, values, arithmetic, comparisons, "
            "in, and, or, not, and methods such as isna()"
        )

    def _of(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Constant) and isinstance(node.value, bool | int | float | str | None):
            return node.value
        readers: Mapping[type[ast.expr], Callable[[Any], Any]] = {
            ast.Name: self._named,
            ast.List: self._list,
            ast.Tuple: self._list,
            ast.BoolOp: self._joined,
            ast.UnaryOp: self._unary,
            ast.BinOp: self._binary,
            ast.Compare: self._comparison,
            ast.Attribute: self._attribute,
            ast.Call: self._call,
        }
        if type(node) not in readers:
            raise self._refused(node)
        return readers[type(node)](node)

    def _list(self, node: ast.List | ast.Tuple) -> list[Any]:
        return [self._of(item) for item in node.elts]

    def _joined(self, node: ast.BoolOp) -> Any:
        join = operator.and_ if isinstance(node.op, ast.And) else operator.or_
        return reduce(join, map(self._condition, node.values))

    def _condition(self, node: ast.expr) -> Operators:
        found = self._of(node)
        if not isinstance(found, Operators):
            raise InputError(f"{self._text!r}: conditions are joined, and {found!r} is none")
        return found

    def _named(self, node: ast.Name) -> Any:
        name = node.id
        if not re.fullmatch(r"__[0-9]+", name) or int(name[2:]) >= len(self._names):
            return self._column(name)
        token = self._names[int(name[2:])]
        if token[0] == "`":
            return self._column(token[1:-1])
        if token[1:] not in self._given:
            raise InputError(f"{self._text!r}: {token} is not given: query(..., local_dict={{{token[1:]!r}: value}})")
        value = self._given[token[1:]]
        return list(value) if isinstance(value, set | frozenset | tuple) else value

    def _unary(self, node: ast.UnaryOp) -> Any:
        if isinstance(node.op, ast.Not | ast.Invert):
            return ~self._condition(node.operand)
        value = self._of(node.operand)
        return -value if isinstance(node.op, ast.USub) else value

    def _binary(self, node: ast.BinOp) -> Any:
        compute = _BINARY.get(type(node.op))
        if compute is None:
            raise self._refused(node.op)
        left, right = self._of(node.left), self._of(node.right)
        if not isinstance(left, Operators) and not (
            isinstance(right, Operators)
            or (isinstance(left, int | float) and isinstance(right, int | float) and compute is not operator.pow)
        ):
            raise InputError(f"{self._text!r}: {left!r} and {right!r} are not computed with")
        return compute(left, right)

    def _comparison(self, node: ast.Compare) -> Any:
        values = [self._of(value) for value in (node.left, *node.comparators)]
        found = [self._compared(one, how, other) for one, how, other in zip(values, node.ops, values[1:], strict=False)]
        return reduce(operator.and_, found)

    def _compared(self, one: Any, how: ast.cmpop, other: Any) -> Any:
        listed = isinstance(other, list)
        if isinstance(how, ast.In | ast.NotIn) or (listed and isinstance(how, ast.Eq | ast.NotEq)):
            if not isinstance(one, Operators) or not listed:
                raise InputError(f"{self._text!r}: in takes a column and a list of values")
            found = one.isin(other)
            return found if isinstance(how, ast.In | ast.Eq) else ~found
        if type(how) not in _COMPARED:
            raise self._refused(how)
        if not isinstance(one, Operators) and not isinstance(other, Operators):
            raise InputError(f"{self._text!r}: a comparison of {one!r} with {other!r} is the same for all rows")
        return _COMPARED[type(how)](one, other)

    def _attribute(self, node: ast.Attribute) -> Any:
        value, name = self._of(node.value), _ALSO.get(node.attr, node.attr)
        if isinstance(value, Operators) and (name in _METHODS or name in {"str", "dt"}):
            return getattr(value, name)
        if isinstance(value, SecureText | SecureDates) and not name.startswith("_") and name in vars(type(value)):
            return getattr(value, name)
        raise InputError(f"{self._text!r}: .{node.attr} is not taken")

    def _call(self, node: ast.Call) -> Any:
        if isinstance(node.func, ast.Name) and node.func.id == "abs":
            method: Any = abs
        elif isinstance(node.func, ast.Attribute):
            method = self._attribute(node.func)
        else:
            raise self._refused(node)
        if not callable(method) or any(word.arg is None for word in node.keywords):
            raise self._refused(node)
        return method(*map(self._of, node.args), **{str(word.arg): self._of(word.value) for word in node.keywords})
