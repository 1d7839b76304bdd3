"""A prediction between organisations: owners whose model or pictures do not stand open approve it first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
from numpy.typing import NDArray

from analytics.mock_results import of_mock
from analytics.nn.mock_request import MockRequest
from analytics.nn.prediction import Prediction
from analytics.nn.request import PredictionRequest
from analytics.nn.spent import Spent
from analytics.progress import Progress
from analytics.receipt import Receipt
from icm_ray.errors import InputError
from icm_ray.instance.jobs import Job
from icm_ray.instance.prediction_form import AskedPrediction

if TYPE_CHECKING:
    from analytics.requests import Requested

__all__ = ["PeerPrediction"]


class PeerPrediction(Prediction):
    """A prediction of another organisation's model, or on its pictures; `PeerModel.predict` makes it.

    Args:
        request: What is asked, of which model, about which images.
        graph: The digest of the model's public facts.
        model: Its name in its owner's catalogue.
        pictures: Theirs in their owner's; None: images of this process.
        beside: The same request in lanes that a further organisation takes part in.
    """

    def __init__(
        self,
        request: PredictionRequest,
        graph: str,
        model: str,
        pictures: str | None,
        beside: Callable[..., PredictionRequest],
    ) -> None:
        super().__init__(request)
        self._graph, self._model, self._pictures, self._beside = graph, model, pictures, beside

    def _for(self, to: str | None) -> PredictionRequest:
        """The request in lanes that its recipient takes part in. Errors: `OwnerError` for nobody who is approved."""
        asked = self._request
        if to is None or to in asked.loaded.session.parties or asked.loaded.session.hears(to):
            return asked
        return replace(self._beside(to), shown=asked.shown)

    def _there(self) -> None:
        """Go on in lanes with whoever was away when it was stated. Errors: those of assembling them."""
        session = self._request.loaded.session
        if session.there() is not session:
            self._request = replace(self._beside(), shown=self._request.shown)
            _ = self._request.loaded.session.usable_lanes

    def _elsewhere(self, to: str | None) -> bool:
        return to is not None and not self._request.loaded.session.hears(to)

    def _shown_by(self, steps: AbstractContextManager[Progress]) -> PeerPrediction:
        shown = replace(self._request, shown=steps)
        return PeerPrediction(shown, self._graph, self._model, self._pictures, self._beside)

    def reveal(self, to: str | None = None) -> Any:
        """Predict, and open the result for its recipient alone. Every call computes anew, with fresh randomness.

        Args:
            to: The organisation that receives the result, one that takes part or is approved here; None: the own one.

        Returns:
            As `SecureModel.predict(...).reveal` returns it; a receipt where it is another organisation's, whose `icm
            results` has a row for each image, by its place.

        Raises:
            OwnerError: No such recipient.
            InputError: For another organisation: errors="mask" or skip=, of which places would tell nothing.
            PolicyError: An owner does not allow it, or not that this recipient hears it.
            IcmError: Whatever `SecureModel.predict(...).reveal` raises.

        Examples:
            >>> lesions = session.peer("bob")["lesions"]  # doctest: +SKIP
            >>> session.model("skin").predict(lesions).reveal(to="bob")  # doctest: +SKIP
            <delivered to bob: result 3 there>
        """
        self._there()
        if to is None or not self._elsewhere(to):
            return super().reveal(to)
        asked = self._for(to)
        if asked.masked or asked.skip:
            raise InputError("errors='mask' and skip= are for what this organisation hears: predict on all of them")
        number = 0
        for answer in asked.run(to, self._spend):
            number = answer.delivered or number
        receipt = Receipt(to, number)
        return of_mock(receipt) if asked.loaded.session.mock else receipt

    def _spend(self, spent: Spent) -> None:
        self.spent = spent

    def iter_batches(self, to: str | None = None) -> Iterator[dict[str, NDArray[Any]]]:
        if self._elsewhere(to):
            raise InputError(f"batches that are {to}'s are not handed over here: reveal(to={to!r}) gives a receipt")
        self._there()
        return super().iter_batches(to)

    def preprocess(self, batches: int | None = None, to: str | None = None) -> None:
        self._there()
        super().preprocess(batches, to)

    def explain(self, to: str | None = None) -> str:
        return self._for(to).explain(to)

    def check(self, to: str | None = None) -> None:
        self._for(to).check(to)

    def request(self, reason: str = "", to: str | None = None) -> Requested:
        """Ask the owners, who are other organisations, to approve this prediction, and let it wait for them.

        A use of an approval is good for as many images as there are now; images that are tried again count again.

        Args:
            reason: For the people who decide. What would be opened, their instances say.
            to: The organisation that would receive the result, as of `reveal`.

        Returns:
            A handle; its `result(timeout=...)` waits, and predicts. In another process (`session.job`) that takes
            pictures of a catalogue.

        Raises:
            InputError: Mock pictures; images whose number is not known; a reason too long.
            FaultError: The own instance cannot be asked.

        Examples:
            >>> lesions = session.peer("bob")["lesions"]  # doctest: +SKIP
            >>> session.model("skin").predict(lesions).request(reason="second opinion").result()  # doctest: +SKIP
            array([1, 0, 4])
        """
        from analytics.requests import submitted

        asked, wanted = self._for(to), self._request.wanted
        if isinstance(asked, MockRequest):
            raise InputError(
                "mock pictures need no approval: request the same of the pictures that mock() was taken of"
            )
        if not self.count:
            raise InputError("how many images there are has to be known: pictures of a catalogue, or arrays")
        hears = to if to is not None and self._elsewhere(to) else ""
        question = AskedPrediction(
            asked.loaded.owner, asked.owner, self._graph, wanted.output, self.count, wanted.k, wanted.threshold, hears
        )
        named = {"model": (asked.loaded.owner, self._model)}
        if self._pictures is not None:
            named["pictures"] = asked.owner, self._pictures
        title = f"{self.output} of {self.count} images of {asked.owner}'s by {asked.loaded.owner}'s model {self._model}"
        parties = asked.loaded.session.parties
        job = Job("0" * 16, title, msgspec.msgpack.encode(question), named, parties, reason, True, kind="prediction")
        return submitted(asked.loaded.session, job, partial(self.reveal, to))
