"""What may be revealed of a dataset: its owner's word, as data, from Python or from a TOML file."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from icm_ray.errors import InputError

__all__ = ["FEWEST_ROWS", "OPERATIONS", "Policy"]

FEWEST_ROWS: Final = 3
"""No policy asks for fewer rows behind a number: two tell each other's values."""
_MOST_ROWS: Final = 1 << 40
_SHOWS_VALUES: Final = ("min", "max", "nlargest", "nsmallest", "sort", "mode")

OPERATIONS: Final = (
    "count", "sum", "mean", "var", "std", "sem", "skew", "kurt", "median", "quantile", "nunique", "histogram",
    "histogram2d", "crosstab", "value_counts", "corr", "cov", "regression", "merge", *_SHOWS_VALUES,
)  # fmt: skip
"""The kinds of output that a policy can name. The last ones are somebody's own value: off unless they are named."""


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A policy says what may be revealed of a dataset: it judges every result that its rows reach, and no other.

    Each party's own worker holds every question against it, on the plan that it derived itself. Where a number is
    secret the rule is computed on shares: nobody sees what is withheld.

    Attributes:
        name: The dataset's name in ledgers that outlive a session; by default "": the session's own name for it.
        min_rows: k, the fewest values behind a revealed number, by default 10 and never below 3. What has fewer is
            refused where that is public, else withheld; so is a filter or group that leaves 1 to k - 1 values out.
        recipients: Names of those who may receive a result; by default None: any party or owner of the session, and
            the driver. In a tuple the driver is named like them: "driver".
        operations: The kinds of output that are allowed, of `icm_ray.policy.OPERATIONS`; by default None: all but min,
            max and others that show somebody's own value.
        largest: The largest value is this percentage of the sum of magnitudes at most, by default 50; 100: it may be
            any. Sums and means that few values make up are withheld.
        two_largest: The two largest together are this percentage of it at most, by default 67; 100: any.
        hide_zeros: Whether counts of zero are withheld too; by default False.
        residual_df: The fewest residual degrees of freedom of var, std and the like; by default 10.
        rows_per_bin: A histogram has at most one bin for so many rows; by default 3.
        row_sets: How many different filters, groupings and histograms are answered; by default 64. Each is held against
            all before it, and refused where 1 to k - 1 rows make the difference.

    Raises:
        InputError: A rule that cannot be; it names the rule and what is allowed.

    Examples:
        >>> icm.Policy(min_rows=20, recipients=("bob",)).min_rows
        20
    """

    name: str = ""
    min_rows: int = 10
    recipients: tuple[str, ...] | None = None
    operations: tuple[str, ...] | None = None
    largest: int = 50
    two_largest: int = 67
    hide_zeros: bool = False
    residual_df: int = 10
    rows_per_bin: int = 3
    row_sets: int = 64

    def __post_init__(self) -> None:
        for rule, least, most in _WHOLE:
            value = getattr(self, rule)
            if type(value) is not int or not least <= value <= most:
                at_most = most if most <= 100 else f"2^{most.bit_length() - 1}"
                raise _wrong(rule, value, f"a whole number from {least} on, {at_most} at most")
        if type(self.hide_zeros) is not bool:
            raise _wrong("hide_zeros", self.hide_zeros, "true or false")
        if type(self.name) is not str or not re.fullmatch(r"([A-Za-z0-9_-][\w.-]{0,99})?", self.name, re.ASCII):
            raise _wrong("name", self.name, "text of letters, digits, - _ and ., 100 at most")
        for rule in ("recipients", "operations"):
            names: object = getattr(self, rule)
            if names is not None and not (isinstance(names, tuple) and all(type(name) is str for name in names)):
                raise _wrong(rule, names, "a tuple of names")
        unknown = [name for name in self.operations or () if name not in OPERATIONS]
        if unknown:
            raise _wrong("operations", unknown[0], f"names of {', '.join(OPERATIONS)}")

    @classmethod
    def from_toml(cls, path: str | Path) -> Policy:
        """Read a policy from a TOML file: a key for each rule, lists for tuples.

        Args:
            path: The file.

        Returns:
            The policy; what the file leaves out has its default.

        Raises:
            InputError: A file that cannot be read, is no TOML, or has a rule that is unknown or cannot be: the error
                names the rule, and the line in `where["line"]`.

        Examples:
            >>> import tempfile
            >>> with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
            ...     _ = file.write('operations = ["count", "mean"]')
            ...     file.flush()
            ...     icm.Policy.from_toml(file.name).operations
            ('count', 'mean')
        """
        try:
            text = Path(path).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is no text in UTF-8"
            raise InputError(f"{path}: the policy cannot be read: {reason}", path=str(path)) from None
        try:
            rules = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            found = re.search(r"line (\d+)", str(error))
            line = int(found[1]) if found else text.count("\n") + 1
            raise InputError(f"{path}, line {line}: no TOML: {error}", path=str(path), line=line) from None
        try:
            return cls._of(rules)
        except InputError as error:
            rule = error.where["rule"]
            line = _line(text, rule)
            raise InputError(f"{path}, line {line}: {error}", path=str(path), line=line, rule=rule) from None

    @classmethod
    def _of(cls, rules: Mapping[str, Any]) -> Policy:
        for rule in rules:
            if rule not in cls.__struct_fields__:
                known = ", ".join(cls.__struct_fields__)
                raise InputError(f"there is no rule {rule!r}; there are {known}", rule=rule)
        found: dict[str, Any] = {}
        for rule, value in rules.items():
            found[rule] = tuple(value) if isinstance(value, list) else value
        return cls(**found)

    def objection(self, what: str, rows: int, to: str) -> str | None:
        """Say why a result may not be revealed, from public facts alone.

        Args:
            what: The result, in words.
            rows: How many rows of the dataset it is made of.
            to: The name of its recipient.

        Returns:
            The reason, in words; None where it may be revealed.

        Examples:
            >>> icm.Policy(min_rows=10).objection("mean of x", 7, to="bob")
            'mean of x has 7 rows behind it, the policy asks for 10'
        """
        if rows < self.min_rows:
            return f"{what} has {rows} rows behind it, the policy asks for {self.min_rows}"
        if self.recipients is not None and to not in self.recipients:
            return f"{what}: {to} may not receive it, but {', '.join(self.recipients) or 'nobody'}"
        return None

    def forbids(self, operation: str) -> str | None:
        """Say what to ask instead of a kind of output that is not allowed.

        Args:
            operation: Its name.

        Returns:
            The reason, in words; None where it is allowed.

        Examples:
            >>> icm.Policy().forbids("max")
            "max shows somebody's own value, the policy does not allow it; ask for quantile(0.95)"
            >>> icm.Policy(operations=("count",)).forbids("sum")
            'the policy does not allow sum, but count'
        """
        if self.operations is None:
            if operation not in _SHOWS_VALUES:
                return None
            instead = {"min": "; ask for quantile(0.05)", "max": "; ask for quantile(0.95)"}.get(operation, "")
            return f"{operation} shows somebody's own value, the policy does not allow it{instead}"
        if operation in self.operations:
            return None
        return f"the policy does not allow {operation}, but {', '.join(self.operations) or 'nothing'}"

    def fewest(self, operation: str, *, lost: int = 1, fraction: float | None = None) -> int:
        """Say how many values have to be behind a number.

        Args:
            operation: The kind of output.
            lost: Degrees of freedom that var, std and the like lose.
            fraction: Of a quantile, between 0 and 1: `min_rows` values are asked for on either side.

        Returns:
            The number, `min_rows` or more.

        Examples:
            >>> icm.Policy().fewest("mean"), icm.Policy().fewest("std"), icm.Policy().fewest("quantile", fraction=0.95)
            (10, 11, 200)
        """
        if operation in _RESIDUALS:
            return max(self.min_rows, self.residual_df + lost)
        if fraction is not None:
            beside = min(fraction, 1 - fraction)
            return math.ceil(round(self.min_rows / beside, 6)) if beside > 0 else _MOST_ROWS
        return self.min_rows

    @property
    def dominance(self) -> bool:
        """Whether sums and means are withheld that few values make up.

        Examples:
            >>> icm.Policy().dominance, icm.Policy(largest=100, two_largest=100).dominance
            (True, False)
        """
        return self.largest < 100 or self.two_largest < 100

    def _dominance_in_words(self) -> str:
        if not self.dominance:
            return "sums and means may be made up by one value"
        return f"no sum or mean of which one value is above {self.largest} %, or two above {self.two_largest} %"

    def in_words(self) -> tuple[str, ...]:
        """Say what the policy asks for.

        Returns:
            A sentence for each rule.

        Examples:
            >>> icm.Policy(recipients=("bob",)).in_words()[-1]
            'results go to bob alone'
        """
        k = self.min_rows
        if self.operations is None:
            kinds = f"all but {', '.join(_SHOWS_VALUES)}, which show somebody's own value"
        else:
            kinds = ", ".join(self.operations) or "nothing"
        return (
            f"at least {k} values behind every revealed number",
            f"no filter or group that leaves 1 to {k - 1} values out",
            self._dominance_in_words(),
            "no table in which the others and the total tell a withheld cell: a second one is withheld",
            f"counts of zero are {'withheld' if self.hide_zeros else 'shown'}",
            f"at least {self.residual_df} residual degrees of freedom",
            f"at least {self.rows_per_bin} rows for each bin of a histogram",
            f"{self.row_sets} different filters, groupings and histograms at most, any two of them {k} rows apart",
            f"kinds of output: {kinds}",
            "results go to anybody in the session"
            if self.recipients is None
            else f"results go to {' and '.join(self.recipients) or 'nobody'} alone",
        )


_RESIDUALS: Final = frozenset({"var", "std", "sem", "skew", "kurt", "corr", "cov", "regression"})
_WHOLE: Final = (
    ("min_rows", FEWEST_ROWS, _MOST_ROWS),
    ("largest", 1, 100),
    ("two_largest", 1, 100),
    ("residual_df", 1, _MOST_ROWS),
    ("rows_per_bin", 1, _MOST_ROWS),
    ("row_sets", 0, 1 << 10),
)
"""Rules that are whole numbers: name, least, most."""


def _wrong(rule: str, value: object, allowed: str) -> InputError:
    return InputError(f"{rule} is {value!r}; it has to be {allowed}", rule=rule)


def _line(text: str, rule: str) -> int:
    for number, line in enumerate(text.splitlines(), 1):
        if re.match(rf"\s*[\[\"']*{re.escape(rule)}\b", line):
            return number
    return 1
