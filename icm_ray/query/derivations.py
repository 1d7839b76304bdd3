"""What whoever contributes does with a question: derive its programs by itself, once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TypeVar

from icm_ray.errors import IcmError, ProgramError
from icm_ray.program.program_cache import Latest
from icm_ray.query.disclosure import check_disclosure
from icm_ray.query.lane_build import LaneProgram, Members
from icm_ray.query.lower import Lowering, lowering
from icm_ray.query.owner_rows import OwnerRows
from icm_ray.query.question import Asked, DatasetFacts, decode_asked

__all__ = ["Derivations"]


T = TypeVar("T")


def _derived(make: Callable[[], T]) -> T:
    """What `make` makes of what someone else asked. Raises `ProgramError` for numbers that it cannot work with."""
    try:
        return make()
    except IcmError:
        raise
    except (ArithmeticError, ValueError, LookupError, TypeError) as error:
        raise ProgramError(f"a question that cannot be: {error}") from error


def _check_facts(asked: Asked) -> None:
    """Raise `ProgramError` for a dataset that is described twice, or has rows twice, `ValueError` for facts that
    contradict themselves, whether or not anything is asked of them.
    """
    described = Counter(facts.name for facts in asked.facts)
    if twice := [name for name, times in described.items() if times > 1]:
        raise ProgramError(f"the dataset {twice[0]!r} is described twice")
    for facts in asked.facts:
        _ = facts.lanes
        if _repeats(facts):
            raise ProgramError(f"the dataset {facts.name!r} has rows twice: they would count as more than there are")
        for column in facts.columns:
            facts.rounding(column.name)


def _repeats(facts: DatasetFacts) -> bool:
    """Whether rows, or a column, are there twice: tables and owners are named once, and so are partitions."""
    names = [[column.name for column in facts.columns]]
    if isinstance(facts, OwnerRows):
        names += [[table.name for table in facts.tables], [table.owner for table in facts.tables]]
    else:
        names.append([f"{partition.number} of {partition.owner}" for partition in facts.partitions])
    return any(len(set(told)) < len(told) for told in names)


class Derivations:
    """Questions of others, and the programs derived from each; the latest, `limit` bytes of either."""

    def __init__(self, members: Members, limit: int = 4 << 20) -> None:
        self._members = members
        self._asked: Latest[bytes, tuple[Asked, Lowering]] = Latest(limit)
        self._programs: Latest[tuple[bytes, int], LaneProgram] = Latest(limit)

    def __len__(self) -> int:
        return len(self._programs)

    def program(self, payload: bytes, stage: int, size: int) -> tuple[Asked, LaneProgram]:
        """What is asked, and program number `stage` of what follows from it. size: the program's bytes, about.

        Errors: `ProgramError` (no question, or one that cannot be), `PolicyError` and others of `check_disclosure`,
        `BoundError` and `ColumnError` of lowering.
        """
        asked, way = self._asked.get(payload, len(payload), lambda: _derived(lambda: self._read(payload)))
        return asked, self._programs.get((asked.digest, stage), size, lambda: _derived(lambda: way.stage(stage)))

    def _read(self, payload: bytes) -> tuple[Asked, Lowering]:
        asked = decode_asked(payload)
        _check_facts(asked)
        check_disclosure(asked, self._members)
        return asked, lowering(asked, self._members)
