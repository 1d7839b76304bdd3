"""How far a result may be from the plaintext one: public numbers, known before anything is shared."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["EXACT", "ErrorBound"]


@dataclass(frozen=True, slots=True)
class ErrorBound:
    """|result - exact| <= absolute + relative |result| + root sqrt(|result|), in the column's units.

    absolute: from rounding to fixed point, and of doubles below 2^-1022. relative: from giving the result as a double.
    root: of a variance, whose error grows with the spread of the data (a standard deviation's does not).
    """

    absolute: float = 0.0
    relative: float = 0.0
    root: float = 0.0

    def at(self, result: float) -> float:
        """The bound for a result that is known: a number in the result's unit. 0 for one that is NaN, infinite for one
        that is infinite.
        """
        if math.isnan(result):
            return 0.0
        if math.isinf(result):
            return math.inf
        size = abs(result)
        return self.absolute + self.relative * size + self.root * math.sqrt(size)

    def __str__(self) -> str:
        terms = [f"{self.absolute:.3g}"] if self.absolute else []
        terms += [f"{self.relative:.3g} |result|"] if self.relative else []
        terms += [f"{self.root:.3g} sqrt(|result|)"] if self.root else []
        return "error at most " + " + ".join(terms) if terms else "exact"


EXACT = ErrorBound()
