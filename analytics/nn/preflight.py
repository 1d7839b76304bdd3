"""What is known of a model before anything is shared: what it cannot do, or what it takes and how exact it is."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Self

from analytics.nn.findings import Finding
from icm_ray.network.model import PublicModel
from icm_ray.program.program import Program
from icm_ray.program.stamped import RunSettings, Stamped

__all__ = ["Preflight", "costs", "exactness"]


class Preflight(tuple[Finding, ...]):  # noqa: SLOT001 - tuples with slots cannot have attributes
    """A tuple of findings, empty for a network that is supported; as text, findings or what a prediction takes.

    Args:
        findings: One for each unsupported operation.
        lines: What is known where there is none.

    Attributes:
        lines (tuple[str, ...]): Rounds, bytes, time, fractional bits, errors; none where there are findings.
        seconds (float): About how long a batch takes, an estimate; NaN where there are findings.

    Examples:
        >>> model.preflight()
        ()
        >>> print(model.preflight())
        a batch of 32 images: ... rounds, at most ... sent by a party, ... dealt
        about ... s a batch, ... images/s in a lane: an estimate from rounds, bytes and products, at the speed of ...
        fractional bits: ...
    """

    lines: tuple[str, ...]
    seconds: float

    def __new__(cls, findings: Iterable[Finding] = (), lines: Sequence[str] = (), seconds: float = math.nan) -> Self:
        made = super().__new__(cls, tuple(findings))
        made.lines, made.seconds = tuple(lines), seconds
        return made

    def __str__(self) -> str:
        return "\n".join([*map(str, self), *self.lines])


def costs(program: Program, settings: RunSettings, images: int) -> str:
    """What a batch takes, in a line."""
    from icm_ray.program.explain import explain

    return f"a batch of {images} images: {explain(Stamped(program, settings)).splitlines()[-1].strip()}"


def exactness(model: PublicModel, owner: str, expected: float) -> list[str]:
    """What is published of a model's numbers and errors, in lines. expected: what most errors stay below."""
    weights = [kind.f for kind in model.lowered.weights.values()]
    bits = f"; of weights, by layer, {', '.join(map(str, weights))}" if weights else ""
    return [
        f"fractional bits: {model.scheme.f} of activations{bits}",
        f"published by {owner}: logits differ from real arithmetic by {model.error:.3g} at most",
        f"expected, for images like {owner}'s samples: {expected:.3g} at most in 999 of 1000",
    ]
