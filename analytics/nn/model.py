"""Networks of one party that predict on the private data of another: what users touch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from secrets import token_hex
from typing import Any, Final, Literal

import numpy as np

from analytics.nn.arguments import logarithm, positive, whole
from analytics.nn.calibration import Samples
from analytics.nn.compile import Compiled, compile_within, simplified
from analytics.nn.duration import duration_of, multiplications
from analytics.nn.expected import Expectation
from analytics.nn.handles import Asked, Handles
from analytics.nn.input_reach import reach_of
from analytics.nn.intake import Intake
from analytics.nn.intake_of_several import intake_of_several
from analytics.nn.loaded import LoadedWeights
from analytics.nn.prediction import Prediction
from analytics.nn.predictor import ModelHandle
from analytics.nn.preflight import Preflight, costs, exactness
from analytics.nn.quota import Quota
from analytics.nn.request import PredictionRequest, Progress
from analytics.nn.sources.find import source_of
from analytics.nn.sources.held import HeldImages, are_paths
from analytics.nn.subject import subject_of
from analytics.nn.wanted import Wanted
from icm_ray.errors import InputError, OwnerError, UnsupportedError
from icm_ray.network.model import PublicModel
from icm_ray.network.outputs import Output
from icm_ray.program.program import Program
from icm_ray.runtime.driver.engine import Engine
from icm_ray.runtime.driver.stays_here import StaysHere

__all__ = ["SecureModel"]

_LARGEST: Final = 2**22  # numbers of one shared activation of a batch, about
_BATCH: Final = 64
_DIGITS: Final = 29  # bits of numbers that are compared with thresholds, fewer by those that an input has beyond f


class SecureModel(StaysHere):
    """A model predicts on private data with a network whose weights only its owner, a party of the session, knows.

    Making it shares nothing. The owner publishes the network's graph without its weights, and `error`, a power of two:
    how far a logit can be from real arithmetic, at most. The session's workers drop the weights when the model is
    dropped.

    Args:
        session: An open session.
        net: Any torch module in eval mode; a torch.export.ExportedProgram, or the path of one that torch.export.save
            wrote; a fitted estimator of scikit-learn's, of those that docs/models.md lists. Hooks of a module that
            change nothing are not called; others are refused. Layers of quantize_dynamic are dequantised, which
            `preflight` says.
        owner: The party whose network it is.
        example_inputs: One batch, in a tuple: a torch.Tensor or numpy array (n, ...) of floats, for its shape alone.
            None for an exported program, which has its own, and for estimators. Of a network with several inputs, one
            tensor for each, or a dict of them by the names that forward() has.
        input_bound: The largest magnitude of an image's numbers; it is rounded up to a power of two, public, and
            checked by the images' owner before anything is shared. None: 8, or where tokens are looked up as many as
            the largest table has rows.
        bound: "sound" takes ranges that follow from the weights alone: the owner thereby publishes one power of two for
            each layer with weights. "auto" does so where they fit the ring with weights of about as many bits as
            activations; where they do not, it holds some layers' values to bounds that samples measure, which are
            published too and checked on shares: `BoundExceeded` is raised in place of a result. A number declares one
            bound for all activations after ReLUs in place of measured ones (it is rounded up to a power of two).
        calibrate: For measured bounds, and for the error that is expected: samples of the owner's, whatever `predict`
            takes as images; they are not shared. None: a few random ones within `input_bound`.
        margin: How much larger than a sample's largest magnitude a measured bound is.
        weight_gain: With a declared bound, one public bound on the sum of |weights| behind any output, and on |bias|,
            in place of one for each layer, so that nothing about single layers is published; the owner checks it here.
        fraction_bits: Fractional bits of activations; None: the session's setting. Where sound ranges would leave
            fewer for the weights, both get about as many.
        batch_size: How many images are computed together; None: as many as the largest activation leaves room for, 64
            at most.
        scale: What an image's numbers are multiplied with before all else: 1/255 for pixels as uint8.
        normalize: (mean, std), each a number or one for each channel: what the images' owner then subtracts, and
            divides by. Both are public; `input_bound` is of what comes out. Of a network with several inputs either may
            be a dict by their names (where they have none, by their places, from 0 on); else it is of all inputs of
            real numbers. Whole numbers and truth values stay as they are.
        quota: On how many images of whom the model predicts, as {"bob": 10_000}; the owner's workers count, a part in
            each lane, and failed runs count too. Who is not named is not counted.

    Attributes:
        owner (str): The party whose network it is.
        batch_size (int): How many images are computed together.

    Raises:
        OwnerError: An owner that is no party.
        InputError: What is no network, no tuple of one tensor, a batch of less than one image, or a scale,
            normalisation or quota that cannot be.
        ShapeError: An example input without a batch dimension, or of integers.
        UnsupportedError: A network in training mode, with complex, sparse or quantised parameters. Operations that the
            engine does not have are named, with their module paths, by `preflight`, and raise this whatever else is
            asked of the model.
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
        net: Any,
        owner: str,
        example_inputs: tuple[Any, ...] | None = None,
        *,
        input_bound: float | None = None,
        bound: Literal["auto", "sound"] | float = "auto",
        calibrate: Any = None,
        margin: float = 4.0,
        weight_gain: float | None = None,
        fraction_bits: int | None = None,
        batch_size: int | None = None,
        scale: float | Mapping[Any, float] = 1.0,
        normalize: tuple[Any, Any] | Mapping[Any, tuple[Any, Any]] | None = None,
        quota: Mapping[str, int] | None = None,
    ) -> None:
        if owner not in session.parties:
            raise OwnerError(f"the owner of a model is a party; {owner!r} is none of {', '.join(session.parties)}")
        size = None if batch_size is None else whole(batch_size, "batch_size", 1, _LARGEST)
        f = session.config.fraction_bits if fraction_bits is None else whole(fraction_bits, "fraction_bits", 0, 62)
        given = None if input_bound is None else logarithm(input_bound, "input_bound")
        gain = None if weight_gain is None else logarithm(weight_gain, "weight_gain")
        declared = bound if isinstance(bound, str) and bound in {"auto", "sound"} else logarithm(bound, "bound")
        factor = positive(margin, "margin")
        self.owner = owner
        self._session, self._subject = session, subject_of(net, example_inputs)
        self._handles = Handles(session)
        shares = Quota(quota, session.parties + session.owners, session.lanes)
        self._compiled: Compiled | None = None
        try:
            imported = self._subject.imported()
        except UnsupportedError as error:
            if "findings" not in error.where:
                raise
            self._unsupported = error  # `preflight` tells; whatever else is asked raises it
            return
        self._packing = self._subject.packing
        self._several = several = self._packing if self._packing is not None and self._packing.of_inputs else None
        if several is not None and calibrate is not None:
            calibrate = several.source(calibrate)
        network = simplified(imported)
        inputs = reach_of(network.graph, tokens=self._tokens()) if given is None else given
        self._intake = (
            Intake.of(scale, normalize, network.graph.input_shape, whole=self._subject.whole)
            if several is None
            else intake_of_several(scale, normalize, several.given(), named=several.named)
        )
        if fraction_bits is None and self._subject.asks:
            f = max(f, _DIGITS - inputs)
        samples = Samples(calibrate, network.graph, inputs, self._intake)
        self._compiled = compile_within(network, f, inputs, declared, gain, samples, factor)
        self._expectation = Expectation(network, self._public, samples)
        self.batch_size = size or max(1, min(_BATCH, _LARGEST // self._public.widest))
        self._loaded = LoadedWeights(session, self._compiled, owner, shares)
        scores = len(self.output_shape) == 1 if self._packing is None else self._packing.scores
        for output in ("logits", "label") if scores else ("logits",):
            self._one(output)  # nothing that is made fails for its bounds later

    def _tokens(self) -> bool:
        """Whether images hold whole numbers, which tables are asked about."""
        if self._several is None:
            return self._subject.whole
        return any(one.kind == "whole" for one in self._several.given())

    def _one(self, output: Output) -> Program:
        """The program of one batch, for its owner alone."""
        return self._loaded.program(
            self.batch_size, self.owner, Wanted.of(self._public, output, None, None), self.owner
        )

    def __repr__(self) -> str:
        if self._compiled is None:
            return f"<SecureModel of {self.owner}: not supported>"
        return f"<SecureModel of {self.owner}: {self.input_shape} to {self.output_shape}>"

    @property
    def _public(self) -> PublicModel:
        if self._compiled is None:
            raise self._refusal()
        return self._compiled.model

    def _refusal(self) -> UnsupportedError:
        return UnsupportedError(self._unsupported.message, **self._unsupported.where)

    @property
    def input_shape(self) -> Any:
        """The shape of one image; of several inputs a tuple of shapes, or a dict.

        Examples:
            >>> model.input_shape
            (4,)
        """
        shape = self._public.graph.input_shape
        return shape if self._several is None else self._several.shapes()

    @property
    def output_shape(self) -> tuple[int, ...]:
        """The shape of one result; of several, how many numbers they have.

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

    @property
    def expected_error(self) -> float:
        """What a logit's difference to real arithmetic stays below in 999 of 1000 predictions.

        It is a power of two, for inputs like the owner's samples, and is worked out on these at the first use. Where
        the owner gives none, random ones stand for them, and four times what they say is expected.

        Examples:
            >>> 0 < model.expected_error <= model.error
            True
        """
        if self._compiled is None:
            raise self._refusal()
        return self._expectation.error

    def preflight(self) -> Preflight:
        """Look for unsupported operations in the network as it is now, or say what a prediction takes.

        Returns:
            A tuple with a finding for each, with its `module` path, torch's name for the `op`, a `hint` and the line of
            the network's `source`. Empty for a network that is supported: printed, it says then what a batch takes, and
            how exact predictions are.

        Raises:
            UnsupportedError: The network is in training mode.

        Examples:
            >>> model.preflight()
            ()
            >>> print(model.preflight())
            a batch of ... images: ... rounds, at most ... sent by a party, ... dealt
            about ... s a batch, ... images/s in a lane: an estimate from rounds, bytes and products, at ...
            fractional bits: ...
        """
        findings = self._subject.findings()
        if findings or self._compiled is None:
            return Preflight(findings)
        program, size, session = self._one("logits"), self.batch_size, self._session
        took = duration_of(program, session.settings, size * multiplications(self._public.graph), self._loaded.pace)
        cost = costs(program, session.settings, size), took.words(size)
        return Preflight(
            (), (*self._subject.notes, *cost, *exactness(self._public, self.owner, self.expected_error)), took.seconds
        )

    def predict(
        self,
        images: Any,
        owner: str,
        output: Output = "logits",
        progress: Progress | None = None,
        *,
        k: int | None = None,
        threshold: float | None = None,
        errors: Literal["raise", "mask"] = "raise",
        column: str | None = None,
        id_column: str | None = None,
        skip: Iterable[Any] = (),
    ) -> Prediction:
        """Prepare a prediction for `images`; nothing is shared before its `reveal`.

        Args:
            images: Of a network with several inputs, a tuple or dict of one source for each (an array, tensor, memmap,
                list, Arrow column, other iterable), an iterable, Dataset or DataLoader of such tuples or dicts (of
                samples or batches, or pairs of these and a label), or a table or ray.data.Dataset with columns by the
                inputs' names.
                Else images of shape input_shape, in this process: a numpy array, torch.Tensor or memmap (n,
                *input_shape), n > 0; a torch Dataset or DataLoader (of images, or pairs that begin with one); a list,
                generator or other iterable of images or batches; a pyarrow column of lists of fixed size, or a table
                with one, or a stream of such; a ray.data.Dataset. Or, on the owner's node, a path (or a list of paths)
                of pictures, .npy arrays or Parquet files, with wildcards, or of a directory: the owner's own worker
                reads them, and ids of pictures are their paths below the folder that all are in (`id_column=` names
                them). All are read batch by batch, as these are due.
            owner: The party or owner of the session whose images they are: its worker shares them.
            output: What is opened, and nothing else. "logits": what the network makes. "probabilities": softmax of
                them (of a single one, sigmoid), or they themselves where the network's last layer is a softmax or a
                sigmoid. "label": the index of the largest. "top_k": the indices of the `k`
                largest, in their order. "above": 1 where a logit is `threshold` or more, else 0.
            progress: Called during `reveal` with (images done, images in all or None) after each batch; None: nobody
                is told.
            k: How many classes, for "top_k".
            threshold: For "above": a logit.
            errors: What becomes of an image beyond a bound, or with NaN: "raise" names it, "mask" leaves it out and
                keeps the others (`failed` says which).
            column: The column of images, where a table or Dataset has several that could be.
            id_column: Its column of ids, which come with the results; of several inputs by name, or a key of the dicts.
            skip: Ids of images to leave out: those that an earlier run has answered.

        Returns:
            A prediction, which reveals logits as float64 (n, *output_shape), labels as int64 (n,); a Dataset for a
            Dataset.

        Raises:
            OwnerError: An owner that is not in the session.
            InputError: An output that is none, or arguments that do not belong to it.
            UnsupportedError: Labels, top_k or probabilities of a network whose results have several axes; sparse or
                meta tensors.
            ShapeError: Images of another shape or dtype, or what is no source of any; an empty list.
            SourceError: A path of no file, a directory without images, a file that cannot be read as what it is called.
                What is wrong with a single picture is raised by `reveal`.
            ColumnError: Columns that a table does not have, or of which the images' is not known.
            InputError: Numbers that are not whole, for a network that takes whole ones, in memory or a mapped file.
            NullError: NaN or infinite numbers, in the same places; masked arrays.
            BoundError: Numbers beyond `input_bound`, in the same places.

        Examples:
            >>> labels = model.predict(np.zeros((3, 4), np.float32), owner="bob", output="label")
            >>> labels.reveal(to="bob").shape
            (3,)
        """
        public, known = self._public, self._session.parties + self._session.owners
        if owner not in known:
            raise OwnerError(f"owner {owner!r} is not in the session; it has {', '.join(known)}")
        if errors not in ("raise", "mask"):
            raise InputError(f"errors is 'raise' or 'mask', not {errors!r}")
        answered = frozenset(skip)
        if answered and id_column is None:
            raise InputError("skip= holds ids: id_column= says where they are")
        if self._packing is not None and output != "logits" and not self._packing.scores:
            raise UnsupportedError(f"of several results, or axes, logits are opened, not {output!r}")
        wanted = Wanted.of(public, output, k, threshold, likely=self._subject.likely)
        source = (
            self._several.source(images, column, id_column)
            if self._several is not None
            else HeldImages.at(self._session, owner, images, self.input_shape, column, id_column)
            if are_paths(images)
            else source_of(images, self.input_shape, column, id_column)
        )
        run = token_hex(8)
        request = PredictionRequest(
            loaded=self._loaded,
            model=public,
            source=source,
            intake=self._intake,
            wanted=wanted,
            owner=owner,
            expectation=self._expectation,
            size=self.batch_size,
            masked=errors == "mask",
            skip=answered,
            id_name=id_column,
            handle=lambda to: self._handle(
                Asked(owner, to, output, k, threshold, errors), column, id_column, answered, run
            ),
            progress=progress,
            packing=self._packing if output == "logits" else None,
        )
        request.look()
        return Prediction(request)

    def handle(
        self,
        owner: str,
        to: str | None = None,
        output: Output = "label",
        *,
        k: int | None = None,
        threshold: float | None = None,
        errors: Literal["raise", "mask"] = "raise",
        column: str | None = None,
    ) -> ModelHandle:
        """What `an.SecurePredictor` takes, which predicts on batches of a Ray Dataset in Ray's own workers.

        Args:
            owner: The party or owner of the session whose images they are.
            to: The party or owner who receives the results; None: this process.
            output: As of `predict`; so are `k`, `threshold` and `errors`.
            k: How many classes, for "top_k".
            threshold: For "above": a logit.
            errors: "raise", or "mask".
            column: The column of images; None: the only one whose cells are of the network's input_shape.

        Returns:
            A picklable handle: addresses and certificates, no keys. It serves until the model is closed or dropped.

        Raises:
            IcmError: Whatever `predict` and `check` raise.

        Examples:
            >>> handle = model.handle(owner="bob", to="bob")  # doctest: +SKIP
            >>> dataset.map_batches(an.SecurePredictor, fn_constructor_args=(handle,), batch_format="numpy",
            ...                     compute=ray.data.ActorPoolStrategy(size=1), num_cpus=0)  # doctest: +SKIP
        """
        self.predict(self._nothing(), owner, output, k=k, threshold=threshold, errors="mask").check(to)
        return self._handle(Asked(owner, to, output, k, threshold, errors), column)

    def _nothing(self) -> Any:
        """One image of zeros."""
        if self._several is None:
            return np.zeros((1, *self._public.graph.input_shape))
        given = [np.zeros((1, *one.shape)) for one in self._several.given()]
        return self._several.as_given(given)

    def _handle(
        self,
        asked: Asked,
        column: str | None,
        ids: str | None = None,
        skip: frozenset[Any] = frozenset(),
        run: str = "",
    ) -> ModelHandle:
        """column: of images; ids: of ids; skip: those that are left out."""
        if self._several is not None and not self._several.named:
            raise UnsupportedError(
                "a handle, or a Dataset, has inputs by name: make the model with a dict of example_inputs"
            )
        wanted = Wanted.of(self._public, asked.output, asked.k, asked.threshold, likely=self._subject.likely)
        outputs = wanted.columns(asked.errors == "mask")
        if self._packing is not None and asked.output == "logits":
            outputs = (*self._packing.kinds(*outputs[0]), *outputs[1:])
        return self._handles.handle(
            self,
            asked,
            self._several is not None,
            shape=self._public.graph.input_shape,
            column=column,
            ids=ids,
            skip=skip,
            outputs=outputs,
            run=run,
            inputs=() if self._several is None else tuple((one.name, one.shape) for one in self._several.given()),
        )

    def close(self) -> None:
        """Let all lanes forget the weights; a later prediction loads them again.

        Raises:
            SessionError: The session is closed, or has lost all its lanes.

        Examples:
            >>> other = an.SecureModel(session, net, owner="alice", example_inputs=(torch.zeros(2, 4),))
            >>> other.close()
        """
        self._handles.close()
        if self._compiled is not None:
            self._loaded.forget()
