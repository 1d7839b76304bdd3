"""What peers' questions have answered for this organisation: a Parquet file of each, and what it is, in its folder."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from time import time
from typing import Final

import msgspec
from msgspec.structs import replace

from icm_ray.errors import InstanceError, PolicyError
from icm_ray.instance.files import changing, read, read_bytes, write, write_bytes
from icm_ray.owner.result_parquet import with_rows
from icm_ray.payload import Name, Natural
from icm_ray.runtime.orders.house import Reasons, ResultId, ResultTitle, TakeResult

__all__ = ["Result", "Results"]

_WHAT: Final = "result"
_LAST: Final = "number of the last result"


class Result(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """number: from 1 on, in this instance, and never used again. asker: whose question it was. title: that in words.
    since: when it came, seconds since 1970. rows: of its table. withheld: why numbers of it are missing. digest: of the
    Parquet file. id: which result of the asker's it is. size: bytes of the numbers of one that comes in parts.
    """

    number: int
    asker: Name
    title: ResultTitle
    since: float
    rows: Natural
    withheld: Reasons
    digest: str
    id: ResultId = ""
    size: Natural = 0


class Results:
    """In an instance's folder. For any thread and process of this user. most: of one asker. most_bytes: of the numbers
    that are opened for one. clock: seconds since 1970.
    """

    def __init__(self, folder: Path, most: int = 0, most_bytes: int = 0, clock: Callable[[], float] = time) -> None:
        self._folder, self._most, self._most_bytes, self._clock = folder / "results", most, most_bytes, clock
        self._lock = self._folder / "all"

    def _path(self, number: int) -> Path:
        return self._folder / f"{number}.json"

    def _rows(self, result: Result) -> Path:
        return self._folder / f"{result.number}.{result.digest[:16]}.parquet"

    @property
    def all(self) -> list[Result]:
        """By number. Errors: `InstanceError`."""
        numbers = sorted(int(path.stem) for path in self._folder.glob("[0-9]*.json"))
        found = (read(self._path(number), Result, _WHAT) for number in numbers)
        return [one for one in found if one is not None]

    def of(self, number: int) -> Result:
        """Errors: `InstanceError` where there is none of that number."""
        found = read(self._path(number), Result, _WHAT)
        if found is None:
            raise InstanceError(f"there is no result {number} here: icm results")
        return found

    def parquet(self, number: int) -> bytes:
        """The file. Errors: `InstanceError` where there is none of that number, or it was damaged."""
        with changing(self._lock):
            return self._parquet(self.of(number))

    def _parquet(self, result: Result) -> bytes:
        path = self._rows(result)
        payload = read_bytes(path) or b""
        if hashlib.sha256(payload).hexdigest() != result.digest:
            raise InstanceError(f"{path}: it is not as it came: icm results {result.number} --remove", path=str(path))
        return payload

    def expect(self, me: str, asker: str, size: int, result: str = "") -> None:
        """Refuse a result, of so many bytes of numbers, before anything is computed for it. me: this organisation.
        result: its id, of one that may be here already, or of which parts are.

        Errors: `PolicyError`: it is too large, or too many of this asker are here.
        """
        kept = [one for one in self.all if one.asker == asker]
        known = _found(kept, result)
        self._check_size(me, size + (known.size if known is not None else 0))
        if known is None and len(kept) >= self._most:
            raise PolicyError(f"{me} refuses: it keeps {self._most} results of {asker}, which is its limit", party=me)

    def _check_size(self, me: str, size: int) -> None:
        if size > self._most_bytes:
            raise PolicyError(
                f"{me} refuses: {size} bytes of numbers for it; it takes {self._most_bytes} at once", party=me
            )

    def add(self, me: str, asker: str, result: TakeResult) -> Result:
        """Keep a result; on the disk when this returns. What came before, and comes again after a fault, is the first
        one. Errors: those of `expect`, `InstanceError`.
        """
        with changing(self._lock):
            if (known := _found([one for one in self.all if one.asker == asker], result.id)) is not None:
                return self._more(me, known, result) if result.part else known
            self.expect(me, asker, 0)
            counter = self._folder / "last.json"
            number = (read(counter, int, _LAST) or 0) + 1
            write(counter, number, _LAST)  # first: a number that nothing came of is left out
            digest = hashlib.sha256(result.parquet).hexdigest()
            told = result.title, self._clock(), result.rows, result.withheld, digest, result.id
            found = Result(number, asker, *told, size=result.size)
            self._write(found, result.parquet)
            return found

    def _more(self, me: str, begun: Result, result: TakeResult) -> Result:
        """Put further rows to those of a result: of the same place they are in the place of what was there. Errors:
        `PolicyError`, `ProgramError` for those of another one.
        """
        if begun.title != result.title:
            raise PolicyError(f"{me} refuses: rows of another question than the result that is here", party=me)
        rows, parquet = with_rows(self._parquet(begun), result.parquet)
        size = rows * (result.size // max(result.rows, 1))
        self._check_size(me, size)
        found = replace(begun, rows=rows, digest=hashlib.sha256(parquet).hexdigest(), size=size)
        self._write(found, parquet)
        return found

    def _write(self, result: Result, parquet: bytes) -> None:
        """Rows first, in a file of their own: whoever reads, and whatever fails in between, the result is whole."""
        write_bytes(self._rows(result), parquet)
        write(self._path(result.number), result, _WHAT)
        self._sweep()

    def _sweep(self) -> None:
        """Remove rows that no result names."""
        wanted = {self._rows(one) for one in self.all}
        for path in set(self._folder.glob("[0-9]*.parquet")) - wanted:
            path.unlink(missing_ok=True)

    def remove(self, number: int) -> Result:
        """Keep it no more. Errors: `InstanceError` where there is none of that number."""
        with changing(self._lock):
            found = self.of(number)
            self._path(number).unlink(missing_ok=True)
            self._sweep()
            return found


def _found(kept: Iterable[Result], result: str) -> Result | None:
    """Of an asker's results, the one of this id; None for "", too."""
    return next((one for one in kept if result and one.id == result), None)
