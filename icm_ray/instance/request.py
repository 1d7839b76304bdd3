"""One question of a peer that waits for a person, or that a person or a rule has decided on, as a file of its own."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec

from icm_ray.errors import Desynchronised, InstanceError
from icm_ray.instance.canonical import Canonical
from icm_ray.instance.parts import Part, part_of
from icm_ray.instance.prediction_form import PredictionForm
from icm_ray.instance.ranges import Range
from icm_ray.payload import Name, Natural, decode
from icm_ray.runtime.orders.house import Origin

__all__ = ["MOST_LETTERS", "Decision", "Form", "Reason", "Request"]

MOST_LETTERS: Final = 1000
"""Of a reason."""
Form = Canonical | PredictionForm
"""What an approval is for."""
_CANONICAL: Final = msgspec.msgpack.Decoder(Canonical)
_PREDICTION: Final = msgspec.msgpack.Decoder(PredictionForm)
Decision = Literal["waiting", "approved", "denied"]
Reason = Annotated[str, msgspec.Meta(max_length=MOST_LETTERS)]


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """number: from 1 on, in this instance. job: the asker's own name for it. question: its canonical form. digest: of
    that. reason: of the asker, in its own words. since, until: seconds since 1970. said: why it was denied. times,
    used: how often it may be asked, and was. datasets: the own ones that it reads. ranges: of what is left open.
    kind: of what is asked. rule: by which it was approved, "" for a person; terms: of that rule (`Rule.terms`).
    decided: when a person last did, seconds since 1970; 0: nobody has. identity: of the asker, who may not be who has
    its name now.
    """

    number: int
    asker: Name
    job: Name
    question: bytes
    digest: str
    reason: Reason
    since: float
    datasets: tuple[Name, ...]
    state: Decision = "waiting"
    said: Reason = ""
    times: Natural = 0
    used: Natural = 0
    until: float = 0.0
    ranges: tuple[Range, ...] = ()
    kind: Origin = "question"
    rule: str = ""
    terms: str = ""
    decided: float = 0.0
    identity: str = ""

    @property
    def canonical(self) -> Form:
        """Errors: `InstanceError`."""
        try:
            if self.kind == "prediction":
                return decode(self.question, _PREDICTION, "a prediction", "the file")
            return decode(self.question, _CANONICAL, "a question", "the file")
        except Desynchronised:
            raise InstanceError(f"request {self.number}: its file was damaged") from None

    @property
    def left_open(self) -> str:
        """What an approval leaves open, in words; "" for nothing."""
        return ", ".join(one.in_words for one in self.ranges)

    def part(self, question: Form) -> Part | None:
        """Which part of this one a question is, whether or not its values are within the ranges; None: of another one.

        Errors: `InstanceError`.
        """
        approved = self.canonical
        if not isinstance(approved, Canonical) or not isinstance(question, Canonical):  # a prediction has no parts
            return Part(frozenset(), {}) if self.digest == question.digest else None
        return part_of(question, approved, (one.name for one in self.ranges))

    def allows(self, part: Part) -> bool:
        """Whether its values are within the ranges."""
        return all(one.holds(part.values[one.name]) for one in self.ranges)

    def covers(self, question: Form) -> bool:
        """Whether this is the question, with values within the ranges, or a part of it. Errors: `InstanceError`."""
        part = self.part(question)
        return part is not None and self.allows(part)

    def stands(self, now: float) -> bool:
        """Whether it is approved, used up or not."""
        return self.state == "approved" and now < self.until

    def left(self, now: float) -> int:
        """How often it may still be asked."""
        return max(0, self.times - self.used) if self.stands(now) else 0

    def condition(self, now: float) -> str:
        """In a word or two: waiting, approved, denied, used up, expired."""
        if self.state != "approved":
            return self.state
        return "expired" if now >= self.until else "approved" if self.left(now) else "used up"

    def done(self, now: float) -> bool:
        """Whether nothing can follow from it any more."""
        return self.state != "waiting" and not self.left(now)
