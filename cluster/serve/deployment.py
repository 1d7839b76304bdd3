"""The gateway as a deployment of Ray Serve: images that come at about the same time are one batch."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.nn.predictor import ModelHandle, SecurePredictor
from cluster.serve.gateway import Gateway, Row, answers, body_of
from icm_ray.errors import IcmError, InputError, UnsupportedError

__all__ = ["application"]


def application(handle: ModelHandle, *, batch_size: int = 32, wait: float = 0.02, replicas: int = 1) -> Any:
    """An application for `ray.serve.run`, which predicts on images that are posted to it.

    Whoever runs it sees the images: run it in the cluster of the images' owner, for whom results are, too. The session
    stays in the process that made the handle, and lives as long as predictions are to be had.

    Args:
        handle: Of a model, from `SecureModel.handle(..., errors="mask")`.
        batch_size: How many images are predicted together, at most.
        wait: Seconds that an image waits for others.
        replicas: How many processes take requests.

    Raises:
        InputError: Numbers that cannot be, or a handle with errors="raise".
        UnsupportedError: Ray Serve is not installed.

    Examples:
        >>> handle = model.handle(owner="bob", to="bob", errors="mask")  # doctest: +SKIP
        >>> ray.serve.run(application(handle), route_prefix="/")  # doctest: +SKIP
        >>> requests.post("http://localhost:8000/", data=open("lesion.png", "rb")).json()  # doctest: +SKIP
        {'label': 4}
    """
    if batch_size < 1 or replicas < 1 or wait < 0:
        raise InputError(f"batch_size={batch_size}, replicas={replicas}: one at least; wait={wait}: no less than 0")
    Gateway(handle, _nobody)  # refuses what no replica could serve
    try:
        from ray import serve
        from starlette.responses import JSONResponse
    except ImportError:
        raise UnsupportedError("Ray Serve is not installed: pip install 'icm-ray[serve]'") from None

    class Predictions:
        """One replica."""

        def __init__(self, handle: ModelHandle) -> None:
            self._predictor = SecurePredictor(handle)
            self._gateway = Gateway(handle, self._together)
            self._one = asyncio.Lock()  # of the link to the session's process

        @serve.batch(max_batch_size=batch_size, batch_wait_timeout_s=wait)  # type: ignore[untyped-decorator,unused-ignore]
        async def _together(self, images: list[NDArray[np.float64]]) -> list[Row | IcmError]:
            async with self._one:
                return await asyncio.to_thread(answers, self._predictor, images)

        async def __call__(self, request: Any) -> Any:
            kind = request.headers.get("content-type", "")
            body = await body_of(request.stream())
            reply = await self._gateway.answer(request.method, request.url.path, kind, body)
            return JSONResponse(reply.body, status_code=reply.status)

        def check_health(self) -> None:
            """Asked by Serve, which starts another replica where this one has lost the session's process."""
            if self._gateway.lost:
                raise RuntimeError(self._gateway.lost)

    deployment: Any = serve.deployment(
        name="predictions",
        num_replicas=replicas,
        max_ongoing_requests=4 * batch_size,
        ray_actor_options={"num_cpus": 0},
    )
    return deployment(Predictions).bind(handle)


async def _nobody(_: NDArray[np.float64]) -> Row:
    """In the place of what predicts, where nothing is asked."""
    return {}
