"""What is opened of a prediction, and how its words are read."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final, get_args

import numpy as np
from numpy.typing import NDArray

from icm_ray.errors import InputError
from icm_ray.network.model import PublicModel
from icm_ray.network.outputs import Output, add_output, order_rounding
from icm_ray.ops.linear import Input
from icm_ray.ops.values import ValueType
from icm_ray.program.build import Builder
from icm_ray.ring.array import RingArray
from icm_ray.ring.fixed import decode, decode_integers

__all__ = ["Wanted"]

_OUTPUTS: Final[tuple[Output, ...]] = get_args(Output)
_FIXED_POINT: Final = {"logits", "probabilities"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """An output of a model. name: what users call it. kind: of what is opened of one image. error: as predictions state
    it.
    """

    name: Output
    output: Output
    k: int
    threshold: float
    kind: ValueType
    error: float

    @classmethod
    def of(cls, model: PublicModel, output: Any, k: Any, threshold: Any, *, likely: bool = False) -> Wanted:
        """likely: whether the model's results are probabilities already.

        Raises `InputError` for an output, k or threshold that is none, and what `add_output` raises."""
        if output not in _OUTPUTS:
            *names, last = map(repr, _OUTPUTS)
            raise InputError(f"a model predicts {', '.join(names)} or {last}, not {output!r}")
        name: Output = output
        chosen: Output = "logits" if likely and name == "probabilities" else name
        if (k is None) is (chosen == "top_k"):
            raise InputError("output='top_k' needs k=, how many classes" if k is None else "k= is of output='top_k'")
        if (threshold is None) is (chosen == "above"):
            missing = "output='above' needs threshold=, a number"
            raise InputError(missing if threshold is None else "threshold= is of output='above'")
        if k is not None and (not isinstance(k, int | np.integer) or isinstance(k, bool)):
            raise InputError(f"k is a whole number, not {k!r}")
        edge = 0.0 if threshold is None else threshold
        if not isinstance(edge, int | float | np.number) or isinstance(edge, bool) or not math.isfinite(edge):
            raise InputError(f"a threshold is a finite number, not {threshold!r}")
        builder, result = Builder(("a", "b")), model.result
        one = ValueType(shape=(1, *result.shape), f=result.f, width=result.width)
        opened = add_output(
            builder, builder.add(Input("a", "result", one)), model.error, chosen, int(k or 0), float(edge)
        )
        # two logits may move towards each other: the largest is named rightly where it leads by more than twice that
        errors = {"label": 2 * model.error, "top_k": 2 * (model.error + order_rounding(result)), "above": model.error}
        return cls(name, chosen, int(k or 0), float(edge), opened.type, errors.get(chosen, opened.type.error))

    @property
    def words_shape(self) -> tuple[int, ...]:
        """Of what is opened of one image."""
        return self.kind.shape[1:]

    def read(self, words: RingArray, failed: NDArray[np.bool_]) -> NDArray[Any]:
        """Plain values of opened words (n, *words_shape): of images that failed NaN, or -1 among whole numbers."""
        if self.output in _FIXED_POINT:
            numbers = decode(words, self.kind.f)
            numbers[failed] = np.nan
            return numbers
        whole = decode_integers(words)
        whole[failed] = -1
        return whole.astype(np.int8) if self.output == "above" else whole

    def columns(self, masked: bool) -> tuple[tuple[str, str, tuple[int, ...]], ...]:
        """The columns of a table of predictions: names, dtypes, shapes of cells."""
        kind = self.read(np.zeros((0, *self.words_shape), np.uint64), np.zeros(0, bool)).dtype.str
        return (self.output, kind, self.words_shape), *((("failed", "|b1", ()),) if masked else ())

    def promise(self) -> str:
        """How far what is opened can be off, in words."""
        leads = f"where its logit leads by more than {self.error:.3g}"
        return {
            "logits": f"{self.name} differ from real arithmetic by {self.error:.3g} at most",
            "probabilities": f"probabilities differ from real arithmetic by {self.error:.3g} at most",
            "label": f"a label is that of real arithmetic {leads}",
            "top_k": f"a class is that of real arithmetic {leads}",
            "above": f"an answer is that of real arithmetic beyond {self.error:.3g} of {self.threshold:g}",
        }[self.output]
