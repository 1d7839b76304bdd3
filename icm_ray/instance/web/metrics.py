"""`/healthz` and `/metrics` (Prometheus' text format): counts and names of organisations, nothing of anybody's rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any, Final

from icm_ray.errors import IcmError
from icm_ray.instance.settings import Limits
from icm_ray.instance.status import PeerStatus, Status
from icm_ray.instance.web.request import Response, Start

__all__ = ["answer_metrics", "metrics_application"]

_TEXT: Final = "text/plain; charset=utf-8"
_KIND: Final = "text/plain; version=0.0.4; charset=utf-8"
Rows = list[tuple[dict[str, str], float]]


def metrics_application(status: Callable[[], Status]) -> Callable[[dict[str, Any], Start], list[bytes]]:
    """WSGI, of these two alone: for a port of its own that the organisation's monitoring reaches."""

    def answered(environ: dict[str, Any], start: Start) -> list[bytes]:
        method, path = environ["REQUEST_METHOD"], environ.get("PATH_INFO", "/")
        found = answer_metrics(path, status) if method in {"GET", "HEAD"} else None
        if found is None:
            found = Response("/healthz and /metrics are here\n", HTTPStatus.NOT_FOUND, _TEXT)
        return found.send(start, method == "HEAD")

    return answered


def answer_metrics(path: str, status: Callable[[], Status]) -> Response | None:
    """What is at a path; None where nothing is. status: asked now; what it raises is "not healthy"."""
    if path not in {"/healthz", "/metrics"}:
        return None
    try:
        found = status()
    except IcmError:
        return Response("the instance's own files are at fault: icm doctor\n", HTTPStatus.SERVICE_UNAVAILABLE, _TEXT)
    if path == "/healthz":
        return Response("ok\n", kind=_TEXT)
    return Response("".join(_lines(found)), kind=_KIND)


def _lines(found: Status) -> Iterator[str]:
    states = Counter(peer.state for peer in found.peers)
    approved = [peer for peer in found.peers if peer.state == "approved"]
    workers = Counter(lane.asker for lane in found.lanes)
    about = {"name": found.name, "kind": found.kind, "release": found.release}
    yield from _metric("icm_info", "Whose instance this is.", [(about, 1)])
    yield from _metric("icm_start_time_seconds", "When it began to serve, since 1970.", [({}, found.since)])
    rows: Rows = [({"state": state}, states[state]) for state in ("approved", "joined", "revoked")]
    yield from _metric("icm_peers", "Peers of the roster, by state.", rows)
    linked: Rows = [({"peer": peer.name}, peer.linked) for peer in approved]
    yield from _metric("icm_peer_linked", "Whether a link to a peer is open.", linked)
    running: Rows = [({"asker": name}, count) for name, count in sorted(workers.items())]
    yield from _metric("icm_workers", "Workers that run, by the organisation that asked.", running)
    yield from _metric("icm_workers_limit", "Workers that may run for one peer.", [({}, found.limits.workers)])
    yield from _limits(approved, found.limits)
    yield from _metric("icm_datasets", "Datasets of the catalogue.", [({}, len(found.datasets))])
    yield from _metric("icm_audit_entries_total", "Entries of the audit log.", [({}, found.entries)], "counter")


def _limits(peers: list[PeerStatus], limits: Limits) -> Iterator[str]:
    """What each peer takes, and of how much."""
    measures: list[tuple[str, str, Callable[[PeerStatus], float], float | None]] = [
        ("worker_hours", "Hours of workers for a peer today.", lambda peer: peer.hours, limits.worker_hours),
        ("calls_per_second", "Calls of a peer in the last second.", lambda peer: peer.taken.calls, limits.calls),
        ("calls_open", "Calls of a peer that are not answered yet.", lambda peer: peer.taken.working, None),
        ("questions", "Questions of a peer in an hour.", lambda peer: peer.taken.questions, limits.questions),
        ("refusals", "Refusals of a peer by rows today.", lambda peer: peer.taken.refusals, limits.refusals),
        (
            "log_entries",
            "Entries of the log for a peer today.",
            lambda peer: peer.taken.log_entries,
            limits.log_entries,
        ),
        ("requests_waiting", "Requests of a peer that nobody has decided on.", lambda peer: peer.waiting, None),
        ("results", "Results of a peer's questions that are kept here.", lambda peer: peer.results, limits.results),
        ("result_rows", "Rows of these results.", lambda peer: peer.result_rows, None),
    ]
    for name, says, value, most in measures:
        rows: Rows = [({"peer": peer.name}, value(peer)) for peer in peers]
        yield from _metric(f"icm_{name}", says, rows)
        if most is not None:
            yield from _metric(f"icm_{name}_limit", f"{says.removesuffix('.')}, at most.", [({}, most)])
    came: Rows = [({"peer": peer.name}, peer.last_result) for peer in peers if peer.last_result]
    yield from _metric("icm_last_result_time_seconds", "When a peer's last result came, since 1970.", came)
    quotas = [({"peer": peer.name, "model": one.model}, one) for peer in peers for one in peer.quotas]
    yield from _metric("icm_predictions", "Images of a peer predicted on.", [(of, one.used) for of, one in quotas])
    yield from _metric("icm_predictions_limit", "... at most.", [(of, one.quota) for of, one in quotas])


def _metric(name: str, says: str, rows: Rows, kind: str = "gauge") -> Iterator[str]:
    yield f"# HELP {name} {says}\n# TYPE {name} {kind}\n"
    for labels, value in rows:
        said = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
        yield f"{name}{{{said}}} {_number(float(value))}\n" if said else f"{name} {float(value):.17g}\n"


def _number(value: float) -> str:
    """Short, where that is the same number."""
    short = f"{value:g}"
    return short if float(short) == value else repr(value)


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
