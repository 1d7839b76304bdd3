"""`rules.toml` in an instance's folder: which requests are approved without a person. Written by `icm approve --rule`,
and changed by hand: what is added stands below what was there, whose comments stay.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec

from icm_ray.errors import InstanceError
from icm_ray.file_version import without_version
from icm_ray.instance.files import read_bytes, write_bytes
from icm_ray.instance.setting_words import in_words
from icm_ray.payload import Name

__all__ = ["MOST_TIMES", "RuleTable", "add_rule_table", "read_rule_tables"]

MOST_TIMES: Final = 1_000_000
_VERSION: Final = 1
_EXAMPLE: Final = "icm approve 3 --times 10 --rule NAME writes one"
_HEADER: Final = f"""\
# Rules of this organisation: a request that is within one of them is approved at once, and nobody is asked.
# {_EXAMPLE}; what it says may be changed here by hand. Policies, quotas and limits hold beside all rules.
#   peers     whose requests it is for
#   datasets  which of the own datasets, models or pictures they read
#   question  the digest of the question, as icm show 3 has it: exactly that one is approved
#   params    what is left open of it, as of icm approve --params
#   times     how often it may be asked, by all peers together and with all values, counted under the rule's name
#   until     the moment, UTC, from which on it approves nothing
version = {_VERSION}
"""
Some = Annotated[tuple[Name, ...], msgspec.Meta(min_length=1, max_length=64)]


class RuleTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One [[approve]] of the file. until: as people write moments. The others: as the file's first lines say."""

    name: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9 _.-]{0,63}\Z")]
    peers: Some
    datasets: Some
    question: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
    times: Annotated[int, msgspec.Meta(ge=1, le=MOST_TIMES)]
    until: Annotated[str, msgspec.Meta(min_length=1)]
    params: Annotated[tuple[str, ...], msgspec.Meta(max_length=64)] = ()


def read_rule_tables(path: Path) -> tuple[RuleTable, ...]:
    """What a file says; nothing where there is none. Errors: `InstanceError` naming the file, the rule and what is
    wrong with it.
    """
    payload = read_bytes(path)
    try:
        return () if payload is None else _parsed(payload.decode())
    except (ValueError, RecursionError) as error:
        raise InstanceError(f"{path}: {error}", path=str(path)) from None


def _parsed(text: str) -> tuple[RuleTable, ...]:
    """Errors: `ValueError`."""
    found = without_version(tomllib.loads(text), _VERSION)
    tables = found.pop("approve", [])
    if found:
        raise ValueError(f"{', '.join(found)}: a rule is a table of its own, [[approve]]; {_EXAMPLE}")
    if not isinstance(tables, list):
        raise ValueError(f"a rule is [[approve]], in two brackets; {_EXAMPLE}")
    rules = tuple(_table(number, table) for number, table in enumerate(tables, start=1))
    names = [rule.name for rule in rules]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"two rules are called {twice[0]!r}: uses are counted by the name")
    return rules


def _table(number: int, table: Any) -> RuleTable:
    called = repr(table["name"]) if isinstance(table, dict) and "name" in table else f"number {number}"
    if isinstance(table, dict) and isinstance(table.get("until"), date):  # datetime is one, too
        table = {**table, "until": table["until"].isoformat()}
    try:
        return msgspec.convert(table, RuleTable)
    except msgspec.ValidationError as error:
        raise ValueError(f"rule {called}: {in_words(error, RuleTable)}") from None


def add_rule_table(path: Path, table: RuleTable, until: float, comments: Iterable[str]) -> None:
    """Write a rule below all that a file has. until: seconds since 1970, of which the table has the words. comments:
    what the rule is, in words; of each line what is no letter is left out. Errors: `InstanceError`.
    """
    before = (read_bytes(path) or _HEADER.encode()).decode()
    fields = {**msgspec.structs.asdict(table), "until": None}
    if not table.params:
        del fields["params"]
    lines = [f"# {_printable(piece)}".rstrip() for text in comments for piece in text.splitlines()]
    lines += ["[[approve]]"]
    lines += [f"{name} = {_moment(until) if value is None else _quoted(value)}" for name, value in fields.items()]
    text = before.rstrip("\n") + "\n\n" + "\n".join(lines) + "\n"
    try:
        wanted = (*_parsed(before), msgspec.structs.replace(table, until=""))
        (*others, last) = _parsed(text)
        if (*others, msgspec.structs.replace(last, until="")) != wanted:
            raise ValueError("the rule cannot be written below what stands there: write it by hand")
    except ValueError as error:
        raise InstanceError(f"{path}: {error}", path=str(path)) from None
    write_bytes(path, text.encode())


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _quoted(value: str | int | Sequence[str]) -> str:
    """As TOML has it, which takes JSON's texts."""
    return msgspec.json.encode(value).decode()


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
