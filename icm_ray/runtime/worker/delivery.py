"""Results that a question of another organisation's has opened for this one: to its instance, and not to the driver."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

from icm_ray.errors import InputError, PolicyError, ProgramError
from icm_ray.network.programs import ModelQuestion, PredictionQuestion
from icm_ray.ops.linear import Reveal
from icm_ray.ops.values import ValueType
from icm_ray.owner.result_parquet import parquet_of
from icm_ray.program.program import Program
from icm_ray.protocols.io import array_shape
from icm_ray.query.answer import answers
from icm_ray.query.lane_build import Members
from icm_ray.query.lower import lower
from icm_ray.query.question import Asked, Question
from icm_ray.query.result_table import ResultTable, asked_in_words, check_deliverable, result_table
from icm_ray.ring.array import RingArray
from icm_ray.runtime.orders.house import MOST_LETTERS, MOST_REASONS, TakeResult
from icm_ray.runtime.orders.origins import FromPrediction
from icm_ray.runtime.worker.house import House
from icm_ray.runtime.worker.predicted_table import MOST_CELLS, predicted_in_words, predicted_table

__all__ = ["Delivery"]

_LEAST: Final = 16
"""Letters of the name of a run, at least,"""
_MOST: Final = 64
"""and at most."""


@dataclass(frozen=True, slots=True)
class _Predicted:
    """What is due of a prediction. size: bytes of numbers. f: fractional bits of each."""

    asked: PredictionQuestion
    origin: FromPrediction
    size: int
    f: int


class Delivery:
    """Of the member `name`, beside its link with its instance. What a result is called, and how it is read, follows
    from the question that this member derived the program from.
    """

    def __init__(self, name: str, house: House) -> None:
        self._name, self._house = name, house
        self._due: Asked | _Predicted | None = None

    def check(self, asked: Asked | None, program: Program) -> None:
        """Raise `PolicyError`, or what the instance refuses with, where a job's results are for nobody who may have
        them; `InputError` for a question that cannot be answered to others. asked: None where nothing was.
        """
        asker = self._house.asker
        to = asked.what.to if asked is not None and isinstance(asked.what, Question) else asker
        self._check_recipients(program, to, self._house.parties if asked is not None else ())
        if to == asker or asked is None:
            return
        check_deliverable(asked)
        if to == self._name and (size := _size(program, to)):
            self._house.expect(size, self._id(asked))
            self._due = asked

    def check_prediction(self, asked: ModelQuestion, program: Program, origin: FromPrediction) -> None:
        """The same of a question to a model, whose program was derived."""
        asker = self._house.asker
        to = asked.to if isinstance(asked, PredictionQuestion) else asker
        self._check_recipients(program, to, self._house.parties)
        if to == asker or not isinstance(asked, PredictionQuestion):
            return
        if not _LEAST <= len(origin.run) <= _MOST:
            reason = f"results for {to} have a name of their run, of {_LEAST} to {_MOST} letters"
            raise PolicyError(f"{self._name} refuses: {reason}", party=self._name)
        (kind,) = _kinds_for(program, to)
        count, *cells = array_shape(kind)
        if math.prod(cells) > MOST_CELLS:
            raise InputError(f"{math.prod(cells)} numbers for each image cannot be handed to another organisation")
        if to == self._name:
            size = 8 * count * math.prod(cells)
            self._house.expect(size, self._id_of_run(origin.run))
            self._due = _Predicted(asked, origin, size, kind.f)

    def _check_recipients(self, program: Program, to: str, parties: Collection[str]) -> None:
        self._due = None
        asker = self._house.asker
        others = {node.op.to for node in program.nodes if isinstance(node.op, Reveal)} | {to}
        if unmeant := sorted(others - {asker, *parties}):
            reason = f"results go to whoever asks, {asker}, or to who takes part, and not to {unmeant[0]}"
            raise PolicyError(f"{self._name} refuses: {reason}", party=self._name)

    def deliver(self, words: Mapping[str, RingArray]) -> int:
        """Hand over what a run has opened; the number that it has at this organisation. words: by name of the reveal.

        Errors: what the instance refuses with; `ProgramError` that says nothing of what was opened.
        """
        due, self._due = self._due, None
        if due is None:
            raise ProgramError(f"{self._name} refuses: nothing was to be opened for it")
        try:
            result = self._of_prediction(due, words) if isinstance(due, _Predicted) else self._of_question(due, words)
        except (ArithmeticError, ValueError, LookupError, TypeError):
            raise ProgramError(f"{self._name} cannot make a table of what was opened for it") from None
        return self._house.deliver(result)

    def _id(self, asked: Asked) -> str:
        """Of the result: within a session a question has one, whatever was asked meanwhile, and in whichever words."""
        what = msgspec.structs.replace(asked.what, earlier=(), texts=())
        return hashlib.sha256(msgspec.msgpack.encode((self._house.session, what))).hexdigest()

    def _id_of_run(self, run: str) -> str:
        """Of the result of a prediction: within a session a run has one, as the asker calls it."""
        return hashlib.sha256(msgspec.msgpack.encode((self._house.session, run))).hexdigest()

    def _of_question(self, asked: Asked, words: Mapping[str, RingArray]) -> TakeResult:
        table = self._table(asked, words)
        withheld = tuple(reason[:MOST_LETTERS] for reason in table.withheld[:MOST_REASONS])
        title = asked_in_words(asked)[:MOST_LETTERS]
        return TakeResult(title, table.rows, withheld, parquet_of(table), self._id(asked))

    def _of_prediction(self, due: _Predicted, words: Mapping[str, RingArray]) -> TakeResult:
        table = predicted_table(due.asked, due.origin.first, due.f, words[due.asked.output])
        title, which = predicted_in_words(due.asked)[:MOST_LETTERS], self._id_of_run(due.origin.run)
        return TakeResult(title, table.rows, (), parquet_of(table), which, part=True, size=due.size)

    def _table(self, asked: Asked, words: Mapping[str, RingArray]) -> ResultTable:
        try:
            return result_table(asked, answers(asked, lower(asked, Members(*self._house.members)), words))
        except PolicyError as error:  # found in what was opened: the recipient's to know, and not the asker's
            return ResultTable((), 0, (error.message,))


def _size(program: Program, to: str) -> int:
    """Bytes of what is opened for a recipient."""
    return sum(8 * math.prod(array_shape(kind)) for kind in _kinds_for(program, to))


def _kinds_for(program: Program, to: str) -> list[ValueType]:
    pairs = zip(program.nodes, program.types(), strict=True)
    return [kind for node, kind in pairs if _is_for(node.op, to)]


def _is_for(op: object, to: str) -> bool:
    return isinstance(op, Reveal) and op.to == to
