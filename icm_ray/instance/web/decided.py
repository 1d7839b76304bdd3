"""Of the data officer's page: requests of peers, what each would open, and the forms that decide; own jobs; models."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path
from time import time
from typing import Any, Final

from icm_ray.errors import IcmError, InputError
from icm_ray.instance.asked_before import asked_before
from icm_ray.instance.canonical import in_words
from icm_ray.instance.decisions import Decisions
from icm_ray.instance.jobs import Jobs
from icm_ray.instance.models import ModelShelf
from icm_ray.instance.parameters import parameters
from icm_ray.instance.pictures import PictureShelf
from icm_ray.instance.request import Request as Asked
from icm_ray.instance.requests import Requests
from icm_ray.instance.results import Results
from icm_ray.instance.rule_check import offered, state
from icm_ray.instance.web.request import Refusal, Request

__all__ = ["Decided"]

_DIGITS: Final = 9
_OPEN: Final = "open."
"""Fields of what is left open begin with that, the parameter's name follows."""
_MOST_OPEN: Final = 16


class Decided:
    """Of the organisation `name`, whose instance's folder this is: the facts of pages, and what forms do."""

    def __init__(self, name: str, folder: Path) -> None:
        self._name, self._folder = name, folder
        self._requests, self._jobs = Requests(folder), Jobs(folder)
        self._results = Results(folder)
        self._models, self._pictures = ModelShelf(folder), PictureShelf(folder)
        self._decisions = Decisions(name, folder, by="page")

    # --- pages ----------------------------------------------------------------------------------------------------

    def requests(self) -> dict[str, Any]:
        """All of them, those that wait for a decision first, the newest of each on top."""
        now = time()
        found = sorted(self._requests.all, key=lambda one: (one.state != "waiting", -one.number))
        waiting = sum(one.state == "waiting" and not self._requests.sleeps(one) for one in found)
        return {"requests": [(one, self._requests.condition(one, now)) for one in found], "waiting": waiting}

    def request(self, number: str) -> dict[str, Any]:
        """One, in words that are derived from the question. Raises `Refusal` where there is none of that number."""
        one = self._found(number)
        try:
            question = one.canonical
            opens, fault = in_words(question), ""
            asked: Any = [(item.name, item.literal.value) for item in parameters(question)]
            parties = question.parties
        except IcmError as error:
            opens, fault, asked, parties = "", f"{error.message} [{error.code}]", [], ()
        facts = {"opens": opens, "fault": fault, "parties": parties, "condition": self._requests.condition(one, time())}
        facts["before"] = asked_before(self._folder, self._name, one, self._requests.all).lines
        return {"one": one, **facts, "parameters": asked if len(asked) <= _MOST_OPEN else []}

    def rules(self) -> dict[str, Any]:
        """Rules that approve requests by themselves, as the file has them now."""
        kept = self._requests.rules
        here = offered(self._folder) if kept.all else None
        found = [(one, state(one, here, kept), kept.used(one.name)) for one in kept.all] if here else []
        return {"rules": found, "file": str(kept.path)}

    def jobs(self) -> dict[str, Any]:
        """What this organisation requested of others, the newest first."""
        return {"jobs": self._jobs.all[::-1], "now": time()}

    def results(self) -> dict[str, Any]:
        """What peers' questions answered for this organisation, the newest first: what each is, and no value of it."""
        return {"results": self._results.all[::-1]}

    def models(self) -> dict[str, Any]:
        """Models with what was used of their quotas, and pictures."""
        models, pictures = self._models, self._pictures
        found = [
            (held, " x ".join(map(str, held.public.model.graph.input_shape)), self._uses(held.public.name, held.quotas))
            for held in models.models.values()
        ]
        asleep = {"model_asleep": models.asleep, "picture_asleep": pictures.asleep}
        return {"models": found, "pictures": list(pictures.pictures.values()), **asleep}

    def _uses(self, model: str, quotas: dict[str, int]) -> list[tuple[str, int, int | None]]:
        """Whose images, how many, of how many; None: of any number."""
        used = self._models.used(model)
        return [(name, used.get(name, 0), quotas.get(name)) for name in sorted({*quotas, *used})]

    # --- forms ----------------------------------------------------------------------------------------------------

    def approve(self, request: Request) -> str:
        """Where to go on. Errors: `InputError`, `InstanceError`."""
        one, form = self._found(request.form.get("number", "")), request.form
        times = form.get("times", "").strip()
        if not _is_number(times):
            raise InputError(f"{times!r} is no number of times")
        opened = {name.removeprefix(_OPEN): text for name, text in form.items() if name.startswith(_OPEN)}
        params = [f"{name}={text.strip()}" for name, text in opened.items() if text.strip()]
        until, rule = form.get("until", "").strip(), form.get("rule", "").strip()
        self._decisions.approve(one.number, int(times), until, params, rule)
        return f"/request?number={one.number}"

    def deny(self, request: Request) -> str:
        """Where to go on. Errors: `InputError`, `InstanceError`."""
        one = self._found(request.form.get("number", ""))
        self._decisions.deny(one.number, request.form.get("reason", "").strip())
        return f"/request?number={one.number}"

    def _found(self, number: str) -> Asked:
        one = self._requests.find(int(number)) if _is_number(number) else None
        if one is None:
            raise Refusal(HTTPStatus.NOT_FOUND, "there is no such request")
        return one


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _DIGITS
