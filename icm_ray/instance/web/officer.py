"""The page of the data officer: requests, what is offered, peers, the log; a form changes what the commands change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, Protocol

from icm_ray.errors import IcmError
from icm_ray.instance.audit import AuditLog
from icm_ray.instance.catalogue import Catalogue
from icm_ray.instance.keys import InstanceKey
from icm_ray.instance.roster import Roster, State
from icm_ray.instance.status import Status
from icm_ray.instance.web.decided import Decided
from icm_ray.instance.web.gate import COOKIE, TOKEN_FILE, Gate, Visit, page_within
from icm_ray.instance.web.metrics import answer_metrics
from icm_ray.instance.web.request import Refusal, Request, Response, Start, read_request, redirect
from icm_ray.instance.web.style import STYLE
from icm_ray.instance.web.templates import Templates
from icm_ray.instance.words import six_words

__all__ = ["House", "OfficerPage"]

_SHOWN: Final = 200
"""Entries of the log on one page."""
_PLACES: Final = (
    ("/requests", "Requests"),
    ("/rules", "Rules"),
    ("/datasets", "Datasets"),
    ("/models", "Models"),
    ("/peers", "Peers"),
    ("/jobs", "Jobs"),
    ("/results", "Results"),
    ("/audit", "Audit log"),
)


class House(Protocol):
    """What the page shows of an instance, and tells it."""

    key: InstanceKey
    roster: Roster
    audit: AuditLog
    catalogue: Catalogue

    def status(self) -> Status:
        """How it is now."""

    def look_again(self) -> None:
        """The roster was changed."""


@dataclass(frozen=True, slots=True)
class _Shown:
    """A page that may be shown: its template, title and facts."""

    template: str
    title: str
    facts: dict[str, Any]


class OfficerPage:
    """WSGI. house: the instance. folder: its own. gate: who may see the page."""

    def __init__(self, house: House, name: str, folder: Path, gate: Gate) -> None:
        self._house, self._name, self._folder, self._gate = house, name, folder, gate
        self._templates, self._decided = Templates(), Decided(name, folder)
        self._pages: dict[str, Callable[[Request], _Shown]] = {
            "/requests": lambda _: _Shown("requests", "Requests", self._decided.requests()),
            "/request": self._request,
            "/rules": lambda _: _Shown("rules", "Rules", self._decided.rules()),
            "/models": lambda _: _Shown("models", "Models and pictures", self._decided.models()),
            "/jobs": lambda _: _Shown("jobs", "Jobs", self._decided.jobs()),
            "/results": lambda _: _Shown("results", "Results", self._decided.results()),
            "/datasets": self._datasets,
            "/peers": self._peers,
            "/audit": self._audit,
        }
        self._forms: dict[str, Callable[[Request], str]] = {
            "/requests/approve": self._decided.approve,
            "/requests/deny": self._decided.deny,
            "/peers/approve": lambda request: self._set_state(request, "approved"),
            "/peers/revoke": lambda request: self._set_state(request, "revoked"),
        }

    def __call__(self, environ: dict[str, Any], start: Start) -> list[bytes]:
        """Answer one request."""
        visit = None
        try:
            request = read_request(environ)
            self._gate.check_host(request)
            visit = self._gate.visit(request)
            found = self._answer(request, visit)
        except Refusal as refused:
            found = self._refused(refused.status, refused.text, visit)
        except IcmError as error:
            found = self._refused(HTTPStatus.CONFLICT, f"{error.message} [{error.code}]", visit)
        return found.send(start, environ["REQUEST_METHOD"] == "HEAD")

    def _answer(self, request: Request, visit: Visit | None) -> Response:
        if request.method == "POST":
            return self._posted(request, visit)
        if request.path == "/style.css":
            return Response(STYLE, kind="text/css; charset=utf-8")
        if (open_to_all := answer_metrics(request.path, self._house.status)) is not None:
            return open_to_all
        if visit is None:
            return self._enter(wrong=False)
        path = page_within(request.path)
        if path == "/":
            return redirect(visit.place + _PLACES[0][0])
        page = self._pages.get(path)
        if page is None:
            raise Refusal(HTTPStatus.NOT_FOUND, "there is no such page")
        found = page(request)
        return Response(self._html(found.template, found.title, path, visit, **found.facts))

    def _posted(self, request: Request, visit: Visit | None) -> Response:
        self._gate.check_form(request, visit)
        if request.path == "/enter":
            entered = self._gate.enter(request.form.get("token", ""))
            if entered is None:
                return self._enter(wrong=True)
            cookie, visit = entered
            kept = f"{COOKIE}={cookie}; HttpOnly; SameSite=Strict; Path={visit.place}/"
            return Response("", HTTPStatus.SEE_OTHER, headers={"Location": f"{visit.place}/", "Set-Cookie": kept})
        if visit is None:
            return self._enter(wrong=False)
        path = page_within(request.path)
        if path == "/leave":
            self._gate.leave(request)
            return redirect("/")
        form = self._forms.get(path)
        if form is None:
            raise Refusal(HTTPStatus.NOT_FOUND, "there is no such form")
        return redirect(visit.place + form(request))

    # --- pages ----------------------------------------------------------------------------------------------------

    def _html(self, template: str, title: str, here: str, visit: Visit | None, **facts: Any) -> str:
        places = _PLACES if visit is not None else ()
        own = {"at": visit.place, "form_token": visit.form_token} if visit is not None else {"at": "", "form_token": ""}
        return self._templates.render(template, name=self._name, title=title, places=places, here=here, **own, **facts)

    def _enter(self, wrong: bool) -> Response:
        html = self._html("enter", "Enter", "/", None, wrong=wrong, file=str(self._folder / TOKEN_FILE))
        return Response(html, HTTPStatus.UNAUTHORIZED)

    def _refused(self, status: HTTPStatus, text: str, visit: Visit | None) -> Response:
        return Response(self._html("refused", status.phrase, "", visit, text=text), status)

    def _request(self, request: Request) -> _Shown:
        facts = self._decided.request(request.query.get("number", ""))
        return _Shown("request", f"Request {facts['one'].number} of {facts['one'].asker}", facts)

    def _datasets(self, request: Request) -> _Shown:
        kept = self._house.catalogue
        return _Shown("datasets", "Datasets", {"datasets": list(kept.datasets.values()), "asleep": kept.asleep})

    def _peers(self, request: Request) -> _Shown:
        status, mine = self._house.status(), self._house.key.certificate
        words = {peer.name: six_words(mine, peer.certificate) for peer in self._house.roster.peers.values()}
        return _Shown("peers", "Peers", {"peers": status.peers, "most": status.limits.workers, "words": words})

    def _audit(self, request: Request) -> _Shown:
        try:
            entries = self._house.audit.entries()
        except IcmError as error:
            return _Shown("audit", "Audit log", {"fault": f"{error.message} [{error.code}]"})
        asked = request.query.get("before", "")
        end = min(int(asked), len(entries)) if asked.isascii() and asked.isdigit() and len(asked) < 10 else len(entries)
        begin = max(0, end - _SHOWN)
        facts = {"fault": "", "total": len(entries), "entries": entries[begin:end][::-1], "before": begin}
        return _Shown("audit", "Audit log", facts)

    # --- forms ----------------------------------------------------------------------------------------------------

    def _set_state(self, request: Request, state: State) -> str:
        name = request.form.get("peer", "")
        self._house.roster.set_state(name, state)
        self._house.audit.add(self._name, state, peer=name, by="page")
        self._house.look_again()
        return "/peers"
