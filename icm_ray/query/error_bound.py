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
    noise: standard deviations of what parties add to the count and to the sum that a result is made of, by word; no
    bound holds for it, and the others hold beside it. A mean is the noisy sum divided by the noisy count.
    """

    absolute: float = 0.0
    relative: float = 0.0
    root: float = 0.0
    noise: tuple[tuple[str, float], ...] = ()

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
        bound = "error at most " + " + ".join(terms) if terms else "exact"
        if not self.noise:
            return bound
        spread = " and ".join(f"{deviation:.3g} in the {word}" for word, deviation in self.noise)
        return f"{bound}, but for noise: standard deviation {spread}"


EXACT = ErrorBound()
