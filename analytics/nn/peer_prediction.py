"""A prediction between organisations: owners whose model or pictures do not stand open approve it first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from analytics.nn.mock_request import MockRequest
from analytics.nn.prediction import Prediction
from analytics.nn.request import PredictionRequest
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
    """

    def __init__(self, request: PredictionRequest, graph: str, model: str, pictures: str | None) -> None:
        super().__init__(request)
        self._graph, self._model, self._pictures = graph, model, pictures

    def request(self, reason: str = "") -> Requested:
        """Ask the owners, who are other organisations, to approve this prediction, and let it wait for them.

        A use of an approval is good for as many images as there are now; images that are tried again count again.

        Args:
            reason: For the people who decide. What would be opened, their instances say.

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

        asked, wanted = self._request, self._request.wanted
        if isinstance(asked, MockRequest):
            raise InputError(
                "mock pictures need no approval: request the same of the pictures that mock() was taken of"
            )
        if not self.count:
            raise InputError("how many images there are has to be known: pictures of a catalogue, or arrays")
        question = AskedPrediction(
            asked.loaded.owner, asked.owner, self._graph, wanted.output, self.count, wanted.k, wanted.threshold
        )
        named = {"model": (asked.loaded.owner, self._model)}
        if self._pictures is not None:
            named["pictures"] = asked.owner, self._pictures
        title = f"{self.output} of {self.count} images of {asked.owner}'s by {asked.loaded.owner}'s model {self._model}"
        parties = asked.loaded.session.parties
        job = Job("0" * 16, title, msgspec.msgpack.encode(question), named, parties, reason, True, kind="prediction")
        return submitted(asked.loaded.session, job, self.reveal)
