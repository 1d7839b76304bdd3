"""The HTTP servers of an instance, as its settings ask for them."""

from __future__ import annotations

from pathlib import Path

from icm_ray.instance.settings import Settings
from icm_ray.instance.web.gate import Gate, page_token
from icm_ray.instance.web.metrics import metrics_application
from icm_ray.instance.web.officer import House, OfficerPage
from icm_ray.instance.web.server import HttpServer

__all__ = ["http_servers"]


def http_servers(house: House, settings: Settings, folder: Path) -> list[HttpServer]:
    """The page first, then the metrics. Errors: `InstanceError`, `UnsupportedError`."""
    found: list[HttpServer] = []
    try:
        if settings.web_bind is not None:
            token = page_token(folder)

            def page(port: int) -> OfficerPage:
                return OfficerPage(house, settings.name, folder, Gate(token, port))

            found.append(HttpServer(settings.web_bind, page, "web"))
        if settings.metrics_bind is not None:
            found.append(HttpServer(settings.metrics_bind, lambda _: metrics_application(house.status), "metrics"))
    except BaseException:
        for server in found:
            server.close()
        raise
    return found
