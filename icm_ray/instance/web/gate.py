"""Who may see the data officer's page: whoever has the token that lies in the instance's folder, by a browser on this
machine, from this page's own forms.

Another site that the officer's browser shows may send requests here, and may have a name that leads here (DNS
rebinding): names of other hosts are refused, and a form counts with the token of its session alone.

Browsers send a cookie to every port of its host. So the pages of a visit lie under a path of its own, which nobody can
guess and no other site is told, and the cookie is for that path: it goes to no other server of this machine.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from time import monotonic
from typing import Final

from icm_ray.errors import InstanceError
from icm_ray.instance.files import read_bytes, write_bytes
from icm_ray.instance.web.request import Refusal, Request

__all__ = ["COOKIE", "FORM_TOKEN", "TOKEN_FILE", "Gate", "Visit", "page_token", "page_within"]

TOKEN_FILE: Final = "web.token"  # noqa: S105 - its name
COOKIE: Final = "icm_visit"
FORM_TOKEN: Final = "form_token"  # noqa: S105 - the name of a field
_PLACE: Final = "/visit/"
_HOURS: Final = 12
_VISITS: Final = 16
_LEAST: Final = 32


def page_token(folder: Path) -> str:
    """The token of the page, made where there is none. Errors: `InstanceError` (others may read it, it is none)."""
    path = folder / TOKEN_FILE
    found = read_bytes(path)
    if found is None:
        write_bytes(path, secrets.token_urlsafe(_LEAST).encode() + b"\n")
        found = read_bytes(path) or b""
    if path.stat().st_mode & 0o077:
        raise InstanceError(f"{path}: others may read the token; remove it, a new one is made", path=str(path))
    token = found.decode("ascii", "replace").strip()
    if len(token) < _LEAST:
        raise InstanceError(f"{path}: this is no token; remove it, a new one is made", path=str(path))
    return token


@dataclass(frozen=True, slots=True)
class Visit:
    """Of one browser that has shown the token. place: the path of its pages, without the last slash. form_token: that
    its forms have to hold. ends: by `monotonic`.
    """

    place: str
    form_token: str
    ends: float


class Gate:
    """port: where the page is. For any thread."""

    def __init__(self, token: str, port: int) -> None:
        self._token = token.encode()
        self._hosts = {f"{name}:{port}" for name in ("localhost", "127.0.0.1", "[::1]")}
        self._visits: dict[bytes, Visit] = {}  # by the hash of the cookie, the oldest first
        self._lock = threading.Lock()

    def check_host(self, request: Request) -> None:
        """Raise `Refusal` for a request by another name than this machine's own."""
        if request.headers.get("host", "").lower() not in self._hosts:
            raise Refusal(HTTPStatus.MISDIRECTED_REQUEST, "this page is shown on this machine alone, as localhost")

    def enter(self, shown: str) -> tuple[str, Visit] | None:
        """The cookie and the visit of whoever shows the token; None for any other."""
        if not hmac.compare_digest(shown.strip().encode("utf-8", "replace"), self._token):
            return None
        cookie, place = secrets.token_urlsafe(_LEAST), _PLACE + secrets.token_urlsafe(_LEAST)
        visit = Visit(place, secrets.token_urlsafe(_LEAST), monotonic() + _HOURS * 3600)
        with self._lock:
            self._visits[_kept(cookie)] = visit
            while len(self._visits) > _VISITS:
                del self._visits[next(iter(self._visits))]
        return cookie, visit

    def visit(self, request: Request) -> Visit | None:
        """Whose request this is; None where nobody of this browser has shown the token, or the path is not its own."""
        with self._lock:
            found = self._visits.get(_kept(request.cookies.get(COOKIE, "")))
        if found is None or monotonic() >= found.ends:
            return None
        return found if hmac.compare_digest(_kept(_place_of(request.path)), _kept(found.place)) else None

    def leave(self, request: Request) -> None:
        """The visit is over."""
        with self._lock:
            self._visits.pop(_kept(request.cookies.get(COOKIE, "")), None)

    def check_form(self, request: Request, visit: Visit | None) -> None:
        """Raise `Refusal` for a form that is none of this page's own. visit: None: of a browser that comes in."""
        origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site")
        foreign = origin is not None and origin.lower().removeprefix("http://") not in self._hosts
        if foreign or site not in {None, "same-origin"}:
            raise Refusal(HTTPStatus.FORBIDDEN, "another site sent this form")
        if visit is not None:
            shown = request.form.get(FORM_TOKEN, "").encode("utf-8", "replace")
            if not hmac.compare_digest(shown, visit.form_token.encode()):
                raise Refusal(HTTPStatus.FORBIDDEN, "this form is none of the page's own: load the page anew")


def page_within(path: str) -> str:
    """Which page a path is of, whosever visit it is: "/peers"."""
    return path.removeprefix(_place_of(path)) or "/"


def _place_of(path: str) -> str:
    """The place of a visit that a path begins with; "" for none."""
    own, slash, _ = path.removeprefix(_PLACE).partition("/")
    return _PLACE + own if slash and path.startswith(_PLACE) else ""


def _kept(cookie: str) -> bytes:
    return hashlib.sha256(cookie.encode("utf-8", "replace")).digest()
