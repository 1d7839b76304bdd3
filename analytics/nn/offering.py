"""From an exported network to what an organisation's instance offers: a public graph, and weights that stay with it."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from analytics.nn.arguments import logarithm
from analytics.nn.calibration import Samples
from analytics.nn.compile import compile_within, simplified
from analytics.nn.expected import Expectation
from analytics.nn.input_reach import reach_of
from analytics.nn.intake import Intake
from analytics.nn.subject import subject_of
from analytics.nn.wanted import Wanted
from icm_ray.config import from_environment
from icm_ray.errors import UnsupportedError
from icm_ray.instance.models import OfferedModel

__all__ = ["offered"]

_LARGEST = 2**22
_BATCH = 32
_MARGIN = 4.0


def offered(
    name: str,
    net: Any,
    *,
    outputs: Sequence[str] = ("label",),
    input_bound: float | None = None,
    scale: float = 1.0,
    normalize: tuple[Any, Any] | None = None,
    samples: Any = None,
    example_inputs: tuple[Any, ...] | None = None,
) -> tuple[OfferedModel, bytes]:
    """What peers see of a network, and the file of its weights as ring elements.

    net: the path of a file that torch.export.save wrote, or whatever `SecureModel` takes. outputs: what the model may
    be asked for. input_bound, scale, normalize, samples: as `SecureModel` takes them (`calibrate`).
    Errors: those of making a `SecureModel`; `UnsupportedError` for several inputs or results.
    """
    subject = subject_of(Path(net) if isinstance(net, str) else net, example_inputs)
    network = simplified(subject.imported())
    if subject.packing is not None:
        raise UnsupportedError("an instance offers networks with one input and one result")
    f = from_environment().fraction_bits
    usual = reach_of(network.graph, tokens=subject.whole)
    inputs = usual if input_bound is None else logarithm(input_bound, "input_bound")
    intake = Intake.of(scale, normalize, network.graph.input_shape, whole=subject.whole)
    measured = Samples(samples, network.graph, inputs, intake)
    compiled = compile_within(network, f, inputs, "auto", None, measured, _MARGIN)
    public = compiled.model
    for output in outputs:
        Wanted.of(
            public,
            output,
            1 if output == "top_k" else None,
            0.0 if output == "above" else None,
            likely=subject.likely,
        )  # raises for one that the network has not
    mean, std = (() if part is None else tuple(part.ravel().tolist()) for part in (intake.mean, intake.std))
    offer = OfferedModel(
        name,
        msgspec.msgpack.encode(public),
        tuple(outputs),  # type: ignore[arg-type]  # Wanted.of has checked them
        intake.scale,
        mean,
        std,
        intake.whole,
        max(1, min(_BATCH, _LARGEST // public.widest)),
        Expectation(network, public, measured).error,
        subject.likely,
    )
    file = BytesIO()
    np.savez(file, allow_pickle=False, **compiled.weights())
    return offer, file.getvalue()
