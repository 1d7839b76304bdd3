"""A WSGI application at a port, in threads of its own: few at a time, none of which waits long."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from http import HTTPStatus
from socketserver import ThreadingMixIn
from typing import Any, Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from icm_ray.errors import InstanceError
from icm_ray.instance.tickets import Address
from icm_ray.instance.web.request import Application, Response, Start

__all__ = ["HttpServer"]

_AT_ONCE: Final = 16
_PATIENCE: Final = 10.0
"""Seconds that a browser may say nothing."""


class _Handler(WSGIRequestHandler):
    timeout = _PATIENCE
    server_version = "icm-ray"
    sys_version = ""

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: what is asked may hold names."""


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, address: Address, family: socket.AddressFamily) -> None:
        self.address_family = family
        self._free = threading.BoundedSemaphore(_AT_ONCE)
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """As the socket server does: WSGI's asks the DNS for this machine's name."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]
        self.setup_environ()

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: whoever asked hung up."""


class HttpServer:
    """application: made of the port, once that is known. Errors: `InstanceError` where it cannot listen."""

    def __init__(self, address: Address, application: Callable[[int], Application], name: str) -> None:
        host, port = address
        try:
            family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
            self._server = _Server(address, family)
        except OSError as error:
            raise InstanceError(f"{name} cannot listen at {host}:{port}: {error.strerror or error}") from None
        self.port = self._server.server_port
        self._server.set_app(_guarded(application(self.port)))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), name=f"icm-{name}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Answer nobody any more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _guarded(application: Application) -> Application:
    """An application whose faults tell nothing."""

    def answered(environ: dict[str, Any], start: Start) -> Any:
        try:
            return application(environ, start)
        except Exception:  # noqa: BLE001 - whatever it was, its text may hold names
            failed = Response("icm-ray failed here\n", HTTPStatus.INTERNAL_SERVER_ERROR, "text/plain; charset=utf-8")
            return failed.send(start)

    return answered
