"""What a browser asks, read under limits, and what it is answered."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from io import BytesIO
from typing import Any, Final
from urllib.parse import parse_qsl

__all__ = ["Application", "Refusal", "Request", "Response", "Start", "read_request", "redirect"]

_MOST_BODY: Final = 1 << 14
_MOST_FIELDS: Final = 32
_FORM: Final = "application/x-www-form-urlencoded"
Start = Callable[[str, list[tuple[str, str]]], Any]
Application = Callable[[dict[str, Any], Start], Iterable[bytes]]
"""As PEP 3333 has it."""

_ALWAYS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",  # with "no-referrer" browsers hide whence a form comes
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""No script runs, no other page shows this one, nothing of it is kept."""


class Refusal(Exception):
    """What is asked is not answered."""

    def __init__(self, status: HTTPStatus, text: str) -> None:
        super().__init__(text)
        self.status, self.text = status, text


@dataclass(frozen=True, slots=True)
class Request:
    """headers: the names in lower case. form: of a POST."""

    method: str
    path: str
    headers: Mapping[str, str]
    query: Mapping[str, str]
    form: Mapping[str, str]
    cookies: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Response:
    """What is sent back. kind: its content type."""

    text: str
    status: HTTPStatus = HTTPStatus.OK
    kind: str = "text/html; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)

    def send(self, start: Start, head: bool = False) -> list[bytes]:
        """By WSGI. head: without the body."""
        body = self.text.encode()
        said = {**_ALWAYS, "Content-Type": self.kind, "Content-Length": str(len(body)), **self.headers}
        start(f"{self.status.value} {self.status.phrase}", list(said.items()))
        return [] if head else [body]


def redirect(path: str) -> Response:
    """To another of these pages, by GET."""
    return Response("", HTTPStatus.SEE_OTHER, headers={"Location": path})


def read_request(environ: Mapping[str, Any]) -> Request:
    """What is asked. Raises `Refusal` for what is too long, or no form."""
    headers = {
        name.removeprefix("HTTP_").replace("_", "-").lower(): value
        for name, value in environ.items()
        if name.startswith("HTTP_")
    }
    method = environ["REQUEST_METHOD"]
    if method not in {"GET", "HEAD", "POST"}:
        raise Refusal(HTTPStatus.METHOD_NOT_ALLOWED, "GET and POST are understood")
    try:
        jar = SimpleCookie(headers.get("cookie", ""))
    except CookieError:
        jar = SimpleCookie()
    cookies = {name: morsel.value for name, morsel in jar.items()}
    query = _fields(environ.get("QUERY_STRING", ""))
    return Request(method, environ.get("PATH_INFO", "/"), headers, query, _form(environ, headers), cookies)


def _form(environ: Mapping[str, Any], headers: Mapping[str, str]) -> dict[str, str]:
    if environ["REQUEST_METHOD"] != "POST":
        return {}
    if "transfer-encoding" in headers:
        raise Refusal(HTTPStatus.LENGTH_REQUIRED, "a form says how long it is")
    length = environ.get("CONTENT_LENGTH") or ""
    if not (length.isascii() and length.isdigit()):
        raise Refusal(HTTPStatus.LENGTH_REQUIRED, "a form says how long it is")
    if len(length) > 9 or int(length) > _MOST_BODY:
        raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a form has {_MOST_BODY} bytes at most")
    if environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower() != _FORM:
        raise Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "a form of a page is taken, and nothing else")
    source: BytesIO = environ["wsgi.input"]
    return _fields(source.read(int(length)).decode("utf-8", "replace"))


def _fields(text: str) -> dict[str, str]:
    try:
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS))
    except ValueError:
        raise Refusal(HTTPStatus.BAD_REQUEST, f"more than {_MOST_FIELDS} fields") from None
