"""Requests for predictions of single images, and their answers; nothing here knows of Ray Serve."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from time import monotonic
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from analytics.nn.predictor import ModelHandle
from icm_ray.errors import (
    BoundExceeded,
    FaultError,
    IcmError,
    InputError,
    PolicyError,
    SessionError,
    ShapeError,
    UnsupportedError,
)
from icm_ray.owner.images.pictures import PictureReader
from icm_ray.python_syntax import parsed

__all__ = ["HEALTH", "Gateway", "Reply", "answers", "body_of"]

HEALTH: Final = "/health"
_MOST: Final = 32 << 20
"""Bytes of a request."""
_STATUS: Final[tuple[tuple[type[IcmError], int], ...]] = (
    (UnsupportedError, 415),
    (InputError, 400),
    (PolicyError, 403),  # a quota that is used up
    (BoundExceeded, 422),
    (SessionError, 503),
    (FaultError, 503),
)

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Reply:
    """What is sent back, as JSON."""

    status: int
    body: dict[str, Any]

    @classmethod
    def of(cls, error: IcmError) -> Reply:
        """An error by its kind: what the request is at fault for is 4xx, all else 5xx."""
        status = next((status for kind, status in _STATUS if isinstance(error, kind)), 500)
        return cls(status, {"error": type(error).__name__, "message": error.message})


class Gateway:
    """Answers requests with what `predict` says of one image.

    GET /health tells whether predictions are to be had. POST, to any path, has one image as its body: a picture in a
    file's format, made as large as the network takes it, `application/x-npy`, or `application/json`: {"image": [...]}.
    The gateway sees the image: it belongs to the images' owner.
    """

    def __init__(
        self, handle: ModelHandle, predict: Callable[[NDArray[np.float64]], Awaitable[Row | IcmError]]
    ) -> None:
        if not any(name == "failed" for name, _, _ in handle.outputs):
            raise InputError("a gateway takes a handle with errors='mask': one image must not fail those beside it")
        if handle.inputs or len([name for name, _, _ in handle.outputs if name != "failed"]) > 1:
            raise UnsupportedError("a gateway takes the handle of a network with one input and one result")
        self._shape, self._output, self._predict = handle.shape, handle.outputs[0][0], predict
        self._began, self._counts = monotonic(), Counter[str]()
        self.lost = ""

    async def answer(self, method: str, path: str, kind: str, body: bytes) -> Reply:
        """kind: the content's type, as the request says it. Whatever the request is, there is a reply."""
        if method == "GET":
            return self._health() if path.rstrip("/") == HEALTH else Reply(404, {"error": "NotFound", "message": path})
        if method != "POST":
            return Reply(405, {"error": "MethodNotAllowed", "message": "POST an image"})
        if len(body) > _MOST:
            return Reply(413, {"error": "TooLarge", "message": f"an image has {_MOST} bytes at most"})
        try:
            image = self._image(kind.split(";", maxsplit=1)[0].strip().lower(), body)
        except InputError as error:
            return self._counted(Reply.of(error))
        row = await self._predict(image)
        if isinstance(row, IcmError):
            reply = Reply.of(row)
            self.lost = row.message if reply.status == 503 else ""
            return self._counted(reply)
        if row["failed"]:
            unfit = "the image has numbers that are not finite, or is beyond a bound of the model"
            return self._counted(Reply(422, {"error": "BoundError", "message": unfit}))
        return self._counted(Reply(200, {self._output: row[self._output]}))

    def _counted(self, reply: Reply) -> Reply:
        self._counts["predicted" if reply.status == 200 else "refused" if reply.status < 500 else "failed"] += 1
        return reply

    def _health(self) -> Reply:
        """Public facts, and how many images there were: nothing about any."""
        counts = {name: self._counts[name] for name in ("predicted", "refused", "failed")}
        facts = {"input_shape": list(self._shape), "output": self._output, "seconds": round(monotonic() - self._began)}
        if self.lost:
            return Reply(503, {"status": "lost", "message": self.lost, **counts, **facts})
        return Reply(200, {"status": "ok", **counts, **facts})

    def _image(self, kind: str, body: bytes) -> NDArray[np.float64]:
        """Raises `InputError` for what is none of the shape."""
        if kind == "application/json":
            try:
                image = np.asarray(json.loads(body)["image"])
            except (ValueError, LookupError, TypeError, RecursionError):
                raise ShapeError(
                    'a request as JSON is {"image": [...]}, of numbers in lists of equal lengths'
                ) from None
        elif kind == "application/x-npy":
            try:
                image = parsed(lambda: np.lib.format.read_array(BytesIO(body), allow_pickle=False))
            except (OSError, ValueError, EOFError, SyntaxError, OverflowError, MemoryError):
                raise ShapeError("the request is no .npy array") from None
        else:
            image = PictureReader(self._shape).read(BytesIO(body), "the request")
        if image.shape != self._shape or image.dtype.kind not in "buif":
            raise ShapeError(f"an image is {self._shape}; this is {image.shape}, of dtype {image.dtype}")
        return image.astype(np.float64)


async def body_of(chunks: AsyncIterator[bytes]) -> bytes:
    """A request's body as it arrives; of what is too large as much as says so, and no more is read."""
    body = bytearray()
    async for chunk in chunks:
        body += chunk[: _MOST + 1 - len(body)]
        if len(body) > _MOST:
            break
    return bytes(body)


def answers(
    predict: Callable[[dict[str, NDArray[Any]]], Mapping[str, NDArray[Any]]], images: Sequence[NDArray[np.float64]]
) -> list[Row | IcmError]:
    """For each image the columns of its prediction; for all of them the error that there was instead."""
    try:
        columns = predict({"image": np.stack(images)})
    except IcmError as error:
        return [error] * len(images)
    return [{name: values[place].tolist() for name, values in columns.items()} for place in range(len(images))]
