"""What may be revealed of a dataset: its owner's word, as data, from Python or from a TOML file."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from icm_ray.errors import InputError

__all__ = ["FEWEST_ROWS", "OPERATIONS", "Noise", "Policy", "is_ledger_name"]

FEWEST_ROWS: Final = 3
"""No policy asks for fewer rows behind a number: two tell each other's values."""
_MOST_ROWS: Final = 1 << 40
_SHOWS_VALUES: Final = ("min", "max", "nlargest", "nsmallest", "sort", "mode")

OPERATIONS: Final = (
    "count", "sum", "mean", "var", "std", "sem", "skew", "kurt", "median", "quantile", "nunique", "histogram",
    "histogram2d", "crosstab", "value_counts", "corr", "cov", "regression", "merge", *_SHOWS_VALUES,
)  # fmt: skip
"""The kinds of output that a policy can name. The last ones are somebody's own value: off unless they are named."""


class Noise(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Noise is what every party adds to counts, sums and means before they are opened, each its own, seen by nobody.

    Each party draws a whole share of it, so that as long as one party keeps its own to itself, what is opened is as
    noisy as stated, to the other parties too; to all others it is noisier, by the root of the number of parties.

    Attributes:
        kind: "gaussian" or "laplace": the discrete distribution, drawn exactly, without floating point. Or "cell_key":
            counts alone have noise, which follows from secret keys of the rows behind them, so that the same rows have
            the same noise whatever they are called; sums and means are refused.
        scale: Of each party's noise, from 1/1024 on: sigma of the Gaussian, b of the Laplace distribution, in units of
            what one row can change: of a count 1, of a sum the largest of its bounds' magnitudes and their distance.
            Of cell keys from 1/4 to 16: sigma of a Gaussian that is cut off at three of these.
        bounds: By name of a column the least and the largest value that its sums and means count: others are clipped
            to these. Sums of columns that are not named are refused; conditions need no bounds.

    Raises:
        InputError: Noise that cannot be.

    Examples:
        >>> icm.Policy(name="visits", noise=icm.Noise(scale=2.0, bounds=(("cost", 0, 1000),))).noise.kind
        'gaussian'
    """

    kind: Literal["gaussian", "laplace", "cell_key"] = "gaussian"
    scale: float
    bounds: tuple[tuple[str, float, float], ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in _KINDS:
            raise _wrong("noise", self.kind, f"of kind {' or '.join(_KINDS)}", "kind")
        if not _is_number(self.scale) or not _LEAST_SCALE <= self.scale <= _MOST_SCALE:
            raise _wrong("noise", self.scale, f"of a scale from 1/{round(1 / _LEAST_SCALE)} to 2^30", "scale")
        if self.kind == "cell_key" and not (_LEAST_OF_KEYS <= self.scale <= _MOST_OF_KEYS and not self.bounds):
            raise _wrong("noise", self.scale, "of a scale from 1/4 to 16 and without bounds where it is of cell keys")
        if not isinstance(self.bounds, tuple):
            raise _wrong("noise", self.bounds, "with bounds in a tuple")
        names: list[str] = []
        for bound in self.bounds:
            named: object = bound
            if not (isinstance(named, tuple) and len(named) == 3 and type(named[0]) is str and named[0] not in names):
                raise _wrong("noise", bound, "with bounds (name, least, largest), once for each name", "bounds")
            if not all(map(_is_number, bound[1:])) or not bound[1] < bound[2]:
                raise _wrong("noise", bound, "with finite bounds, the least below the largest", "bounds")
            names.append(bound[0])
        msgspec.structs.force_setattr(self, "scale", float(self.scale))
        plain = tuple((name, float(least), float(most)) for name, least, most in self.bounds)
        msgspec.structs.force_setattr(self, "bounds", plain)

    def within(self, column: str) -> tuple[float, float] | None:
        """Say to what the values of a column are clipped.

        Args:
            column: Its name.

        Returns:
            The least and the largest value; None where there are no bounds.

        Examples:
            >>> icm.Noise(scale=2, bounds=(("cost", 0, 1000),)).within("cost")
            (0.0, 1000.0)
        """
        return next(((least, most) for name, least, most in self.bounds if name == column), None)

    @classmethod
    def _of(cls, given: Any) -> Noise:
        """From what a TOML file says. Errors: `InputError`."""
        if not isinstance(given, dict) or "scale" not in given or not set(given) <= set(cls.__struct_fields__):
            raise _wrong("noise", given, f"a table of {', '.join(cls.__struct_fields__)}; scale has to be there")
        bounds = given.get("bounds", {})
        if not isinstance(bounds, dict) or not all(isinstance(pair, list) for pair in bounds.values()):
            raise _wrong("noise", bounds, "with bounds = { column = [least, largest] }", "bounds")
        return cls(**{**given, "bounds": tuple((name, *pair) for name, pair in bounds.items())})

    def _in_words(self) -> str:
        if self.kind == "cell_key":
            return f"counts have noise of cell keys of scale {self.scale:g}; nothing else is answered"
        bounded = f", of {', '.join(name for name, *_ in self.bounds)} within bounds" if self.bounds else ""
        return (
            f"each party adds {self.kind} noise of scale {self.scale:g} to counts and to sums and means{bounded}; "
            "nothing else is answered"
        )


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
        entity: The name of a column that says whose each row is, whole numbers or text; by default "": each row is its
            own. Rules about numbers of values then hold for the different entities that these are of, and what one of
            them has of a sum is one contribution. An entity in two owners' tables counts twice.
        expressions: "plain" where sums, means and the like are of columns, of their sums and differences, of multiples
            of these by numbers, and of what conditions choose of them; by default "any": of other arithmetic too,
            which can pick rows that no rule sees.
        noise: What every party adds to each count and sum, by default None: nothing. With noise, counts, sums, means
            and histograms are all that is answered, and the policy has a name.

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
    entity: str = ""
    expressions: Literal["any", "plain"] = "any"
    noise: Noise | None = None

    def __post_init__(self) -> None:
        for rule, least, most in _WHOLE:
            value = getattr(self, rule)
            if type(value) is not int or not least <= value <= most:
                at_most = most if most <= 100 else f"2^{most.bit_length() - 1}"
                raise _wrong(rule, value, f"a whole number from {least} on, {at_most} at most")
        if type(self.hide_zeros) is not bool:
            raise _wrong("hide_zeros", self.hide_zeros, "true or false")
        if type(self.name) is not str or (self.name and not is_ledger_name(self.name)):
            raise _wrong("name", self.name, "text of letters, digits, - _ and ., 100 at most")
        for rule in ("recipients", "operations"):
            names: object = getattr(self, rule)
            if names is not None and not (isinstance(names, tuple) and all(type(name) is str for name in names)):
                raise _wrong(rule, names, "a tuple of names")
        unknown = [name for name in self.operations or () if name not in OPERATIONS]
        if unknown:
            raise _wrong("operations", unknown[0], f"names of {', '.join(OPERATIONS)}")
        if self.expressions not in _EXPRESSIONS:
            raise _wrong("expressions", self.expressions, " or ".join(map(repr, _EXPRESSIONS)))
        if self.noise is not None and not isinstance(self.noise, Noise):
            raise _wrong("noise", self.noise, "an icm.Noise")
        if self.noise is not None and not self.name:
            raise _wrong("name", self.name, "given beside noise, so that rows that are read again have the same")
        if type(self.entity) is not str:
            raise _wrong("entity", self.entity, "the name of a column")
        if self.entity and self.noise is not None:
            raise _wrong("entity", self.entity, "left out beside noise, which is as large as what one row can change")

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
            line = _line(text, rule, error.where.get("key", ""))
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
        if "noise" in found:
            found["noise"] = Noise._of(found["noise"])
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
        return (
            f"no sum, mean or variance of which one value is above {self.largest} %, or two above {self.two_largest} %"
        )

    def in_words(self) -> tuple[str, ...]:
        """Say what the policy asks for.

        Returns:
            A sentence for each rule.

        Examples:
            >>> icm.Policy(recipients=("bob",)).in_words()[-1]
            'results go to bob alone'
        """
        k, of = self.min_rows, f"different {self.entity}" if self.entity else "values"
        if self.operations is None:
            kinds = f"all but {', '.join(_SHOWS_VALUES)}, which show somebody's own value"
        else:
            kinds = ", ".join(self.operations) or "nothing"
        return (
            f"at least {k} {of} behind every revealed number",
            f"no filter or group that leaves 1 to {k - 1} {of} out",
            self._dominance_in_words(),
            "no table in which the others and the total tell a withheld cell: a second one is withheld",
            f"counts of zero are {'withheld' if self.hide_zeros else 'shown'}",
            f"at least {self.residual_df} residual degrees of freedom",
            f"at least {self.rows_per_bin} rows for each bin of a histogram",
            f"{self.row_sets} different filters, groupings and histograms at most, any two of them {k} rows apart",
            "sums and the like are of "
            + ("plain expressions: what bends is refused" if self.expressions == "plain" else "any expression"),
            *(() if self.noise is None else (self.noise._in_words(),)),
            f"kinds of output: {kinds}",
            "results go to anybody in the session"
            if self.recipients is None
            else f"results go to {' and '.join(self.recipients) or 'nobody'} alone",
        )


_EXPRESSIONS: Final = ("any", "plain")
_KINDS: Final = ("gaussian", "laplace", "cell_key")
_LEAST_OF_KEYS, _MOST_OF_KEYS = 0.25, 16.0
_LEAST_SCALE: Final = 2.0**-10
_MOST_SCALE: Final = 2.0**30
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


def is_ledger_name(text: str) -> bool:
    """Whether a ledger's folder can have that name."""
    return re.fullmatch(r"[A-Za-z0-9_-][\w.-]{0,99}", text, re.ASCII) is not None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 2.0**1000


def _wrong(rule: str, value: object, allowed: str, key: str = "") -> InputError:
    """key: in the table of a rule, which one is wrong."""
    where = {"key": key} if key else {}
    return InputError(f"{rule} is {value!r}; it has to be {allowed}", rule=rule, **where)


def _line(text: str, rule: str, key: str = "") -> int:
    """Where a rule is stated, or a key of its table."""
    found = 1
    for number, line in enumerate(text.splitlines(), 1):
        if re.match(rf"\s*[\[\"']*{re.escape(rule)}\b", line):
            if not key or f"{key}" in line.split("=")[0].split("."):
                return number
            found, rule, key = number, key, ""
    return found
