"""Networks of one party that predict on the private data of another: what users touch."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from secrets import token_hex
from time import perf_counter
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from analytics.nn import importer
from analytics.nn.compile import Compiled, compile_graph
from analytics.nn.findings import Finding
from analytics.nn.folding import fold_scales
from analytics.nn.prediction import Prediction, Spent
from analytics.progress import Progress as Shown
from icm_ray.errors import BoundError, IcmError, InputError, OwnerError, ShapeError, UnsupportedError
from icm_ray.names import DRIVER
from icm_ray.network.model import IMAGES, PublicModel
from icm_ray.network.passes import relu_after_max_pool
from icm_ray.network.programs import Output, WeightLoad, encode_model_question, program_of
from icm_ray.program.program import Program
from icm_ray.ring.array import RingArray
from icm_ray.ring.fixed import decode, decode_integers, encode
from icm_ray.runtime.driver.ending import forget_when_dropped
from icm_ray.runtime.driver.engine import Engine, Execution, LaneJob
from icm_ray.runtime.driver.stays_here import StaysHere
from icm_ray.runtime.orders.origins import FromPrediction

__all__ = ["SecureModel"]

Progress: TypeAlias = Callable[[int, int], None]

_LARGEST = 2**22  # numbers of one shared activation of a batch, about
_BATCH = 32
_WAVE = 4  # batches that a lane is given at a time


class SecureModel(StaysHere):
    """A model predicts on private data with a network whose weights only its owner, a party of the session, knows.

    Making it shares nothing. The owner publishes the network's graph without its weights, and `error`, a power of two:
    how far a logit can be from real arithmetic, at most. The session's workers drop the weights when the model is
    dropped.

    Args:
        session: An open session.
        net: Any torch module in eval mode that imports; `UnsupportedError` names what does not.
        owner: The party whose network it is.
        example_inputs: One batch, in a tuple: a torch.Tensor or numpy array (n, ...) of floats, for its shape alone.
        input_bound: The largest magnitude of an image's numbers; it is rounded up to a power of two, public, and
            checked by the images' owner before anything is shared.
        bound: "sound" takes ranges that follow from the weights: the owner thereby publishes one power of two for each
            layer with weights. A number declares instead that no activation after a ReLU exceeds it (rounded up to a
            power of two); where the ring needs it this is checked on shares, and `BoundExceeded` raised in place of a
            result.
        weight_gain: With a declared bound, a public bound on the sum of |weights| behind any output, and on |bias|; the
            owner checks it here.
        fraction_bits: Fractional bits of activations; None: the session's setting.
        batch_size: How many images are computed together; None: as many as the largest activation leaves room for, 32
            at most.

    Attributes:
        owner (str): The party whose network it is.
        batch_size (int): How many images are computed together.

    Raises:
        OwnerError: An owner that is no party.
        InputError: What is no torch module, no tuple of one tensor, or a batch of less than one image.
        ShapeError: An example input without a batch dimension, or of integers.
        UnsupportedError: Operations that the engine does not have, all of them named with their module paths; a network
            in training mode, with complex parameters, or with several inputs.
        NullError: A parameter with NaN or infinite values; it is named.
        BoundError: A layer that does not fit the ring, or weights beyond `weight_gain`; the layer is named. A bound
            that is no positive number.

    Examples:
        >>> model = an.SecureModel(session, net, owner="alice", example_inputs=(torch.zeros(2, 4),))
        >>> model.predict(np.zeros((3, 4), np.float32), owner="bob").reveal(to="bob").shape
        (3, 2)
    """

    def __init__(
        self,
        session: Engine,
        net: torch.nn.Module,
        owner: str,
        example_inputs: tuple[Any, ...],
        *,
        input_bound: float = 8.0,
        bound: Literal["sound"] | float = "sound",
        weight_gain: float = 256.0,
        fraction_bits: int | None = None,
        batch_size: int | None = None,
    ) -> None:
        if owner not in session.parties:
            raise OwnerError(f"the owner of a model is a party; {owner!r} is none of {', '.join(session.parties)}")
        if batch_size is not None and batch_size < 1:
            raise InputError(f"a batch has one image or more, not {batch_size}")
        self.owner = owner
        self._session, self._net, self._example = session, net, example_inputs
        self._kept: set[str] = set()  # names of weights that workers have
        forget_when_dropped(self, session, partial(list, self._kept))
        imported = importer.import_model(net, example_inputs)
        self._compiled: Compiled = compile_graph(
            fold_scales(imported, keep_powers_of_two=True).simplified(relu_after_max_pool),
            session.config.fraction_bits if fraction_bits is None else fraction_bits,
            _log2(input_bound, "input_bound"),
            _log2(weight_gain, "weight_gain"),
            None if bound == "sound" else _log2(bound, "bound"),
        )
        self.batch_size = batch_size or max(1, min(_BATCH, _LARGEST // self._public.widest))
        self._new_version()

    def __repr__(self) -> str:
        return f"<SecureModel of {self.owner}: {self.input_shape} to {self.output_shape}>"

    @property
    def _public(self) -> PublicModel:
        return self._compiled.model

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one image.

        Examples:
            >>> model.input_shape
            (4,)
        """
        return self._public.graph.input_shape

    @property
    def output_shape(self) -> tuple[int, ...]:
        """The shape of one result.

        Examples:
            >>> model.output_shape
            (2,)
        """
        return self._public.graph.output_shape

    @property
    def error(self) -> float:
        """A bound on the difference of any logit to real arithmetic.

        Examples:
            >>> 0 < model.error < 0.01
            True
        """
        return self._public.error

    def preflight(self) -> tuple[Finding, ...]:
        """Look for unsupported operations in the network as it is now.

        Returns:
            A finding for each, with its `module` path, torch's name for the `op`, and a `hint`; none for a network that
            was not changed, since a model with one is refused when it is made.

        Raises:
            UnsupportedError: The network is in training mode.

        Examples:
            >>> model.preflight()
            ()
        """
        return importer.preflight(self._net, self._example)

    def predict(
        self, images: Any, owner: str, output: Output = "logits", progress: Progress | None = None
    ) -> Prediction:
        """Prepare a prediction for `images`; nothing is shared before its `reveal`.

        Args:
            images: A numpy array or torch.Tensor (n, *input_shape) of numbers, n > 0, in this process.
            owner: The party or owner of the session whose images they are: its worker shares them.
            output: "logits", or "label": the index of the largest logit, with which nothing else is opened.
            progress: Called during `reveal` with (images done, images in all) after each step; None: nobody is told.

        Returns:
            A prediction, which reveals logits as float64 (n, *output_shape), labels as int64 (n,).

        Raises:
            OwnerError: An owner that is not in the session.
            InputError: An output that is neither.
            UnsupportedError: Labels of a network whose results have several axes; a ray.data.Dataset.
            ShapeError: Images of another shape or dtype, or what is no array.
            NullError: NaN or infinite numbers.
            BoundError: Numbers beyond `input_bound`.

        Examples:
            >>> labels = model.predict(np.zeros((3, 4), np.float32), owner="bob", output="label")
            >>> labels.reveal(to="bob").shape
            (3,)
        """
        self._known(owner, "owner")
        if output not in {"logits", "label"}:
            raise InputError(f"a model predicts 'logits' or 'label', not {output!r}")
        if output == "label" and len(self.output_shape) != 1:
            raise UnsupportedError(f"a label needs one axis of classes; the network makes {self.output_shape}")
        coded = self._encoded(images)

        def run(to: str | None) -> tuple[NDArray[Any], Spent]:
            return self._run(coded, owner, output, self._recipient(to), progress)

        def explain(to: str | None) -> str:
            return self._explain(len(coded), owner, output, self._recipient(to))

        def check(to: str | None) -> None:
            self._recipient(to)
            session.execute([])  # refuses where the session is closed

        session = self._session
        # two logits may move towards each other: a label is right where the two largest differ by more than twice that
        error = self.error if output == "logits" else 2 * self.error
        return Prediction(session, len(coded), output, error, run, explain, check)

    def close(self) -> None:
        """Let all lanes forget the weights; a later prediction loads them again.

        Raises:
            SessionError: The session is closed, or has lost all its lanes.

        Examples:
            >>> other = an.SecureModel(session, net, owner="alice", example_inputs=(torch.zeros(2, 4),))
            >>> other.close()
        """
        keys = list(self._kept)
        self._new_version()
        self._session.forget(keys)

    # ---------------------------------------------------------------------------------------------------- the work

    def _new_version(self) -> None:
        """Weights are masked once under a key: a reload takes new ones."""
        self._loaded: set[int] = set()
        self._kept.clear()
        self._programs: dict[tuple[int, str, str, str], tuple[Program, FromPrediction]] = {}
        self._load = WeightLoad(model=self._public, version=token_hex(8), owner=self.owner)

    def _program(self, count: int, owner: str, output: Output, to: str) -> tuple[Program, FromPrediction]:
        """The program of one batch, and the question that it follows from."""
        key = count, owner, output, to
        if key not in self._programs:
            question = self._load.prediction(images=owner, count=count, output=output, to=to)
            program = program_of(question, self._session.parties, self._session.owners)
            self._programs[key] = program, FromPrediction(encode_model_question(question))
        return self._programs[key]

    def _load_job(self, lane: int) -> LaneJob:
        load = program_of(self._load, self._session.parties, self._session.owners)
        given, origin = {self.owner: self._compiled.weights()}, FromPrediction(encode_model_question(self._load))
        return LaneJob(lane, load, given=given, origin=origin)

    def _run(
        self, coded: RingArray, owner: str, output: Output, to: str, progress: Progress | None
    ) -> tuple[NDArray[Any], Spent]:
        began, parts, spent = perf_counter(), [], Spent()
        starts = range(0, len(coded), self.batch_size)
        lanes = self._session.usable_lanes
        wave = _WAVE * len(lanes)
        with Shown("predicting", len(starts), "batches", len(coded)) as steps:
            for first in range(0, len(starts), wave):
                jobs: list[LaneJob] = []
                results: list[int] = []
                for index in range(first, min(first + wave, len(starts))):
                    lane = lanes[index % len(lanes)]
                    if lane not in self._loaded and all(job.lane != lane for job in jobs):
                        jobs.append(self._load_job(lane))
                    images = coded[starts[index] : starts[index] + self.batch_size]
                    program, origin = self._program(len(images), owner, output, to)
                    results.append(len(jobs))
                    jobs.append(
                        LaneJob(
                            lane,
                            program,
                            index,
                            given={owner: {IMAGES: images}},
                            origin=origin,
                            done=partial(steps.done, len(images)),
                        )
                    )
                done = self._execute(jobs)
                spent = spent.plus(jobs, done, self._session.lanes)
                parts += [done[index].results[output] for index in results]
                if progress is not None:
                    progress(min(starts[min(first + wave, len(starts)) - 1] + self.batch_size, len(coded)), len(coded))
        words = np.concatenate(parts)
        plain: NDArray[Any] = decode(words, self._public.result.f) if output == "logits" else decode_integers(words)
        return plain, spent.lasted(perf_counter() - began)

    def _execute(self, jobs: list[LaneJob]) -> list[Execution]:
        """Run; where that fails, which lanes have loaded the weights is unknown: none has."""
        try:
            done = self._session.execute(jobs)
        except BaseException:
            keys = list(self._load.keys().values())
            self._new_version()
            with suppress(IcmError):  # whatever is wrong with the session, the first error is the one to tell
                self._session.forget(keys)
            raise
        self._loaded |= {job.lane for job in jobs}
        self._kept.update(self._load.keys().values())
        return done

    def _explain(self, count: int, owner: str, output: Output, to: str) -> str:
        from icm_ray.program.explain import explain
        from icm_ray.program.stamped import Stamped

        size = min(count, self.batch_size)
        scheme, batches = self._public.scheme, -(-count // self.batch_size)
        title = f"prediction of {output} for {count} images in {batches} batches, of which one"
        program, _ = self._program(size, owner, output, to)
        lines = [explain(Stamped(program, self._session.settings), title)]
        if scheme.bound is None:
            bits = ", ".join(f"2^{reach}" for reach in scheme.layers.values())
            lines.append(f"  published by {self.owner} about its weights: bounds of its layers' values, {bits}")
        else:
            lines.append(
                f"  checked by {self.owner} itself: weights behind one output sum up to 2^{scheme.gain} at most; "
                f"on shares: {len(scheme.checked)} layers' activations stay below 2^{scheme.bound}"
            )
        lines.append(f"  published by {self.owner}: logits differ from real arithmetic by {self.error:.3g} at most")
        if output == "label":
            lines.append(
                f"  a label is that of real arithmetic where its logit leads by more than {2 * self.error:.3g}"
            )
        return "\n".join(lines)

    # ------------------------------------------------------------------------------------------------------- input

    def _known(self, name: str, what: str) -> None:
        known = self._session.parties + self._session.owners
        if name not in known:
            raise OwnerError(f"{what} {name!r} is not in the session; it has {', '.join(known)}")

    def _recipient(self, to: str | None) -> str:
        if to is None:
            return DRIVER
        self._known(to, "recipient")
        return to

    def _encoded(self, images: Any) -> RingArray:
        """Ring elements of the images; every refusal happens here."""
        if type(images).__module__.partition(".")[0] == "ray":
            raise UnsupportedError("predicting a ray.data.Dataset is not supported yet; pass numpy or torch batches")
        if isinstance(images, torch.Tensor):
            floating = images.is_floating_point()
            images = images.detach().cpu().to(torch.float64 if floating else images.dtype).numpy()
        if not isinstance(images, np.ndarray):
            raise ShapeError(f"images are one numpy array or torch tensor, not {type(images).__name__}")
        shape = self.input_shape
        if images.shape[1:] != shape or images.ndim != len(shape) + 1 or not len(images):
            raise ShapeError(
                f"the network takes (n, {', '.join(map(str, shape))}) with n > 0; images are {images.shape}"
            )
        scheme = self._public.scheme
        return encode(np.ascontiguousarray(images), scheme.input_f, scheme.inputs, IMAGES)


def _log2(bound: float, name: str) -> int:
    """The smallest k with bound <= 2^k."""
    number: object = bound  # a caller may well pass something else
    if not (isinstance(number, int | float) and math.isfinite(number) and number > 0):
        raise BoundError(f"{name} is a positive number, not {bound!r}")
    mantissa, exponent = math.frexp(bound)
    return exponent - 1 if mantissa == 0.5 else exponent
