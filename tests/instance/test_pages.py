"""The data officer's page and the metrics, by a plain HTTP client."""

from __future__ import annotations

import re
from html import unescape
from http.client import HTTPConnection
from urllib.parse import urlencode

import pytest

import icm_ray as icm
from icm_ray.instance.asked_before import asked_before
from icm_ray.instance.audit import AuditLog
from icm_ray.instance.canonical import in_words
from icm_ray.instance.catalogue import HeldDataset, PublicDataset
from icm_ray.instance.found import found
from icm_ray.instance.instance import Instance
from icm_ray.instance.jobs import Job, Jobs
from icm_ray.instance.pictures import HeldPictures, OfferedPictures, PictureShelf
from icm_ray.instance.prediction_form import AskedPrediction, form_of
from icm_ray.instance.results import Results
from icm_ray.instance.roster import Peer
from icm_ray.instance.settings import Settings, read_settings
from icm_ray.instance.web.gate import COOKIE, TOKEN_FILE, page_token
from icm_ray.owner.mock_rows import MockRows
from icm_ray.query.tasks import ParquetSource
from icm_ray.runtime.orders.house import TakeResult
from icm_ray.transport import Identity
from tests.instance.asked import requested

OPEN_TO_ALL = ("/enter", "/style.css", "/healthz", "/metrics")
MARKUP = "<script>alert('x')</script>&\""


class Browser:
    """port: of the page. It keeps its cookie, and where it was led to, and shows what a browser would."""

    def __init__(self, port):
        self.port, self.cookie, self.page, self.place = port, "", "", ""

    def ask(self, path, form=None, *, method=None, host=None, cookie=None, **headers):
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        said = {
            "Host": host or f"localhost:{self.port}",
            "Cookie": self.cookie if cookie is None else cookie,
            **headers,
        }
        body = None if form is None else urlencode(form)
        if body is not None:
            said.setdefault("Content-Type", "application/x-www-form-urlencoded")
        if path not in OPEN_TO_ALL:
            path = self.place + path
        connection.request(method or ("GET" if form is None else "POST"), path, body, said)
        answer = connection.getresponse()
        self.page = answer.read().decode()
        connection.close()
        if (kept := answer.getheader("Set-Cookie")) is not None:
            self.cookie = kept.partition(";")[0]
            self.place = answer.getheader("Location").rstrip("/")
        return answer

    def enter(self, token):
        return self.ask("/enter", {"token": token})

    @property
    def form_token(self):
        return re.search(r'name="form_token" value="([^"]+)"', self.page)[1]


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages") / "alice"
    found(folder, Settings("alice", listen="127.0.0.1:0", web="localhost:0", metrics="127.0.0.1:0", spare_workers=0))
    with Instance(folder) as instance:
        instance.roster.add(Peer("bob", Identity.create("bob").certificate, addresses=(("192.0.2.9", 7800),)))
        with pytest.MonkeyPatch.context() as patched:  # as somebody may write it into the file
            patched.setattr("icm_ray.instance.roster.check_name", lambda _: None)
            instance.roster.add(Peer(MARKUP, Identity.create("x").certificate, "dealer", state="approved"))
        public = PublicDataset("visits", (), 1234567, icm.Policy(name="visits", min_rows=17), MockRows(500))
        instance.catalogue.put(HeldDataset(public, ParquetSource((f"/rows/{MARKUP}.parquet",)), ("bob",)))
        instance.audit.add("bob", "question", digest=MARKUP)
        requested(folder, 1, f"cost study {MARKUP}")
        wanted = {"dataset-1": ("bob", "labs")}
        Jobs(folder).add(Job("0" * 16, f"mean of {MARKUP}", b"", wanted, ("alice", "bob"), "", True), "alice")
        files = (f"/pictures/{MARKUP}",)
        shown = HeldPictures(OfferedPictures("lesions", 42), files, standing=("bob",), graphs=("4f",))
        PictureShelf(folder).put(shown)
        yield instance, folder


@pytest.fixture
def browser(served):
    return Browser(served[0].pages[0])


@pytest.fixture
def officer(served, browser):
    """A browser that has shown the token."""
    assert browser.enter(page_token(served[1])).status == 303
    return browser


# --- who is let in ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["/", "/requests", "/request?number=1", "/datasets", "/peers", "/results", "/audit", "/nowhere"]
)
def test_without_the_token_nothing_is_shown(browser, path):
    answer = browser.ask(path)
    assert answer.status == 401
    assert "visits" not in browser.page
    assert "bob" not in browser.page
    for form in ("/requests/approve", "/requests/deny"):
        assert browser.ask(form, {"number": "1", "times": "1"}).status == 401
    assert browser.ask("/peers/revoke", {"peer": "bob"}).status == 401
    assert browser.ask("/datasets", cookie=f"{COOKIE}=guessed").status == 401


def test_a_wrong_token_is_refused(served, browser):
    token = page_token(served[1])
    for wrong in ("", token[:-1], token + "x", token.swapcase(), "é"):
        assert browser.enter(wrong).status == 401
        assert browser.cookie == ""
    assert token not in browser.page
    assert oct((served[1] / TOKEN_FILE).stat().st_mode)[-3:] == "600"


@pytest.mark.parametrize("host", ["evil.example", "localhost", "localhost:1", "192.0.2.1:{port}", "x@localhost:{port}"])
def test_another_name_than_this_machines_is_refused(officer, host):
    for path in ("/datasets", "/metrics", "/style.css"):
        assert officer.ask(path, host=host.format(port=officer.port)).status == 421
    assert "visits" not in officer.page
    for name in ("127.0.0.1", "LOCALHOST", "[::1]"):
        assert officer.ask("/datasets", host=f"{name}:{officer.port}").status == 200


def test_a_visit_has_a_place_of_its_own(served, officer):
    """Who has the cookie alone sees nothing, nor who has the place."""
    other = Browser(officer.port)
    other.enter(page_token(served[1]))
    assert other.place != officer.place
    assert len(officer.place) > 40
    assert officer.place[-40:] not in officer.cookie
    own = officer.place
    for place in ("", other.place, own[:-1], "/visit", "/visit/", "/visit//", own.upper(), own + "x"):
        officer.place = place
        assert officer.ask("/datasets").status == 401, place
        assert officer.ask("/peers/revoke", {"peer": "bob"}).status == 401, place
    officer.place = own
    assert officer.ask("/datasets", cookie="").status == 401
    assert officer.ask("/datasets").status == 200
    assert officer.ask("/", method="GET").getheader("Location") == f"{own}/requests"


def test_whoever_leaves_has_to_enter_again(officer):
    officer.ask("/datasets")
    old = officer.cookie
    assert officer.ask("/leave", {"form_token": officer.form_token}).status == 303
    assert officer.ask("/datasets", cookie=old).status == 401


def test_a_visit_ends(officer, monkeypatch):
    from icm_ray.instance.web import gate

    now = gate.monotonic()
    assert officer.ask("/datasets").status == 200
    monkeypatch.setattr(gate, "monotonic", lambda: now + 13 * 3600)
    assert officer.ask("/datasets").status == 401


# --- forms --------------------------------------------------------------------------------------------------------


def test_a_form_counts_with_its_token_alone(served, officer):
    roster = served[0].roster
    officer.ask("/peers")
    token, cookie = officer.form_token, officer.cookie
    other = Browser(officer.port)
    other.enter(page_token(served[1]))
    other.ask("/peers")
    assert other.form_token != token
    for wrong in ({}, {"form_token": ""}, {"form_token": other.form_token}, {"form_token": token[:-1]}):
        assert officer.ask("/peers/approve", {"peer": "bob", **wrong}).status == 403
    for foreign in (
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": f"https://localhost:{officer.port}"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ):
        assert officer.ask("/peers/approve", {"peer": "bob", "form_token": token}, **foreign).status == 403
    assert roster.peers["bob"].state == "joined"
    assert officer.ask("/peers/approve?peer=bob", cookie=cookie).status == 404  # by GET nothing changes
    own = {"Origin": f"http://localhost:{officer.port}", "Sec-Fetch-Site": "same-origin"}
    assert officer.ask("/peers/approve", {"peer": "bob", "form_token": token}, **own).status == 303
    assert roster.peers["bob"].state == "approved"
    assert officer.ask("/peers/revoke", {"peer": "bob", "form_token": token}).status == 303
    assert roster.peers["bob"].state == "revoked"
    roster.set_state("bob", "joined")
    assert officer.ask("/peers/revoke", {"peer": "nobody", "form_token": token}).status == 409
    assert "not in the roster [E305]" in officer.page.replace("&#39;", "'")


def posted(officer, path, **form):
    officer.ask("/requests")
    return officer.ask(path, {"form_token": officer.form_token, **form})


def test_an_officer_decides_about_requests(served, officer):
    instance, folder = served
    number = requested(folder, 2, "another", age=80).number
    page = f"/request?number={number}"
    form = {"number": str(number), "times": "3", "until": "2090-01-01"}
    assert officer.ask("/requests/approve", form).status == 403, "without the token of the form"
    assert instance.requests.of(number).state == "waiting"
    answer = posted(officer, "/requests/approve", **form, **{"open.age": "60..90"})
    assert (answer.status, answer.getheader("Location")) == (303, officer.place + page)
    found = instance.requests.of(number)
    assert (found.state, found.times, found.until) == ("approved", 3, 3786912000.0)
    assert officer.ask(page).status == 200
    assert "0 of 3, until 2090-01-01 00:00:00 UTC" in officer.page
    assert found.left_open in unescape(officer.page)
    assert in_words(found.canonical) in unescape(officer.page), "as icm show says it"
    before = asked_before(folder, "alice", found, instance.requests.all)
    assert "\n".join(before.lines) in unescape(officer.page)
    assert before.lines[0] == "visits: no questions before"
    assert posted(officer, "/requests/deny", number=str(number), reason=f"no {MARKUP}").status == 303
    assert instance.requests.of(number).said == f"no {MARKUP}"
    officer.ask(page)
    assert f"no {MARKUP}" in unescape(officer.page)
    assert "<script" not in officer.page
    logged = [(one.what, one.facts["by"]) for one in instance.audit.entries() if one.facts.get("number") == str(number)]
    assert logged == [("approved request", "page"), ("denied request", "page")]


def test_what_cannot_be_decided_changes_nothing(served, officer):
    instance, folder = served
    number = str(requested(folder, 3, "a third", age=90).number)
    approve, good = "/requests/approve", {"number": number, "times": "1"}
    for status, wrong in (
        (404, {"number": "99"}),
        (404, {"number": "../1"}),
        (404, {"number": "1" * 5000}),
        (409, {"times": ""}),
        (409, {"times": "0"}),
        (409, {"times": "-1"}),
        (409, {"times": "9" * 8}),
        (409, {"until": "soon"}),
        (409, {"until": "2001-01-01"}),
        (409, {"open.age": "x"}),
        (409, {"open.cost": "1..2"}),
    ):
        assert posted(officer, approve, **{**good, **wrong}).status == status, wrong
    assert posted(officer, "/requests/deny", number=number, reason="x" * 1001).status == 409
    assert instance.requests.of(int(number)).state == "waiting"
    assert officer.ask("/request?number=99").status == 404
    assert officer.ask("/request").status == 404
    assert posted(officer, approve, **good).status == 303
    assert instance.requests.of(int(number)).left_open == ""


def test_a_request_whose_question_was_damaged_is_said_to_be(served, officer):
    number = requested(served[1], 4, "a fourth", age=95).number
    path = served[1] / "requests" / f"{number}.json"
    path.write_text(re.sub(r'"question": *"[^"]+"', '"question": "kA=="', path.read_text()))
    assert officer.ask(f"/request?number={number}").status == 200
    assert "its file was damaged" in officer.page
    assert re.search(r"<button[^>]* disabled", officer.page)
    path.unlink()


def test_what_is_no_form_is_refused(officer):
    form = {"peer": "x" * 20_000}
    assert officer.ask("/peers/approve", form).status == 413
    assert officer.ask("/peers/approve", {}, **{"Content-Type": "application/json"}).status == 415
    assert officer.ask("/peers/approve", {str(n): "" for n in range(40)}).status == 400
    assert officer.ask("/peers/approve", method="POST", **{"Transfer-Encoding": "chunked"}).status == 411
    assert officer.ask("/datasets", method="DELETE").status == 405


# --- what is shown ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/requests", ("Request 1", "bob", "visits", "waiting", "for a decision", "cost study")),
        ("/request?number=1", ("mean of cost", "at least 17 rows", "bob alone", "1200 of alice", "in its own words")),
        ("/models", ("lesions", "42", "bob", "4f", "There is no model")),
        ("/jobs", ("queued", "bob: queued", "mean of")),
        ("/datasets", ("visits", "1234567 rows", "500 mock rows", "17", "bob", "/rows/")),
        ("/peers", ("bob", "joined", "Approve", "0 of 8")),
        ("/audit", ("question", "the chain holds", "serving")),
    ],
)
def test_pages_show_what_is_there_and_nothing_as_markup(officer, path, words):
    answer = officer.ask(path)
    assert answer.status == 200
    assert all(word in officer.page for word in words)
    assert "<script" not in officer.page
    assert MARKUP in unescape(officer.page)
    assert "script" not in answer.getheader("Content-Security-Policy")
    assert answer.getheader("Cache-Control") == "no-store"
    assert answer.getheader("X-Frame-Options") == "DENY"
    assert officer.ask(path, method="HEAD").status == 200
    assert officer.page == ""


def test_rules_are_in_words(served, officer):
    instance, folder = served
    officer.ask("/rules")
    assert "There is none" in officer.page
    asked = AskedPrediction("alice", "bob", "a" * 32, "label", 5)
    form = form_of("alice", "model", ("mole", "1"), "a" * 32, asked, "bob", ("bob", "alice"))
    labels = instance.requests.add("bob", "d" * 16, form, "").number
    costs = requested(folder, 5, "monthly", age=70).number
    try:
        instance.requests.approve_by_rule("labels", labels, 9, 4e9)
        instance.requests.approve_by_rule("costs", costs, 3, 4e9, ["age=60..80"])
        assert officer.ask("/rules").status == 200
        told = " ".join(unescape(officer.page).split())
        for words in (
            "prediction of label by alice's model mole on images of bob's, 5 at most with each use; to: bob alone",
            "asleep: 'mole' is not offered here",
            "mean of cost where age >= 70, of 1200 rows of alice; to: bob alone",
            "age from 60 to 80",
            "0 of 3",
        ):
            assert words in told
        assert "<script" not in officer.page
    finally:
        for number in (labels, costs):
            (folder / "requests" / f"{number}.json").unlink()
        (folder / "rules.toml").unlink()


def test_a_cookie_is_not_for_scripts_and_no_other_site(served, browser):
    said = browser.enter(page_token(served[1])).getheader("Set-Cookie")
    assert "HttpOnly" in said
    assert "SameSite=Strict" in said
    assert said.endswith(f"Path={browser.place}/")
    assert page_token(served[1]) not in said


def test_a_log_that_was_changed_is_said_to_be(served, officer):
    path = served[1] / "audit.jsonl"
    there = path.read_bytes()
    path.write_bytes(there.replace(b"question", b"answered", 1))
    try:
        assert officer.ask("/audit").status == 200
    finally:
        path.write_bytes(there)
    assert "was changed" in officer.page
    assert "the chain holds" not in officer.page


def test_a_long_log_has_pages(served, officer, monkeypatch):
    from icm_ray.instance.web import officer as pages

    monkeypatch.setattr(pages, "_SHOWN", 1)
    assert len(AuditLog(served[1]).entries()) > 1
    officer.ask("/audit")
    earlier = re.search(r"/audit\?before=\d+", officer.page)[0]
    first = officer.page
    assert officer.ask(earlier).status == 200
    assert officer.page != first


def test_results_are_listed_without_their_values(served, officer):
    kept = Results(served[1], most=10, most_bytes=100)
    told = TakeResult(f"sum of {MARKUP}", 3, ("fewer than 17 rows are in SECRET",), b"PAR1 SECRET")
    kept.add("alice", "bob", told)
    served[0].roster.set_state("bob", "approved")
    try:
        for path in ("/results", "/metrics"):
            assert officer.ask(path).status == 200
            assert "SECRET" not in officer.page
        lines = officer.page.splitlines()
        assert {'icm_results{peer="bob"} 1', "icm_results_limit 100", 'icm_result_rows{peer="bob"} 3'} <= set(lines)
        (came,) = [line for line in lines if line.startswith('icm_last_result_time_seconds{peer="bob"} ')]
        assert float(came.rpartition(" ")[2]) == kept.all[0].since
        assert "sum of" not in officer.page
        officer.ask("/results")
        assert MARKUP not in officer.page
        for words in ("Result 1", "bob", f"sum of {MARKUP}", ">3<", "some numbers"):
            assert words in unescape(officer.page)
    finally:
        kept.remove(1)
        served[0].roster.set_state("bob", "joined")
    officer.ask("/results")
    assert 'query.reveal(to="alice")' in unescape(officer.page)


# --- health and metrics -------------------------------------------------------------------------------------------


def test_health_and_metrics(served, browser):
    monitor = Browser(served[0].pages[1])
    for asked in (browser, monitor):
        assert asked.ask("/healthz").status == 200
        assert asked.page == "ok\n"
        answer = asked.ask("/metrics")
        assert answer.getheader("Content-Type").startswith("text/plain; version=0.0.4")
        lines = asked.page.splitlines()
        assert 'icm_peers{state="joined"} 1' in lines
        assert "icm_workers_limit 8" in lines
        assert "icm_questions_limit 1000" in lines
        assert {"icm_refusals_limit 100", "icm_log_entries_limit 100000"} <= set(lines)
        assert any(line.startswith("icm_refusals{peer=") for line in lines)
        assert any(line.startswith("icm_log_entries{peer=") for line in lines)
        assert any(line.startswith("icm_worker_hours{") for line in lines)
        assert f"icm_start_time_seconds {served[0].since:.17g}" in lines
        assert any(line.startswith('icm_peer_linked{peer="<script>') and line.endswith('&\\""} 0') for line in lines)
        values = [line.rpartition(" ")[2] for line in lines if not line.startswith("#")]
        assert all(float(value) >= 0 for value in values)
        assert "visits" not in asked.page
    assert monitor.ask("/datasets").status == 404
    assert monitor.ask("/healthz", {}).status == 404


def test_damaged_files_are_not_healthy(served):
    monitor = Browser(served[0].pages[1])
    path = served[1] / "catalogue.json"
    there = path.read_bytes()
    path.write_bytes(b"{")
    try:
        assert monitor.ask("/healthz").status == 503
    finally:
        path.write_bytes(there)
    assert "{" not in monitor.page


# --- settings -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["0.0.0.0:7801", "192.0.2.7:7801", "example.org:7801", "localhost"])
def test_the_page_is_on_this_machine_alone(tmp_path, place):
    found(tmp_path, Settings("alice"))
    path = tmp_path / "icm.toml"
    path.write_text(path.read_text().replace('web = ""', f'web = "{place}"'))
    with pytest.raises(icm.InstanceError, match="web = "):
        read_settings(tmp_path)


def test_a_token_that_others_may_read_is_refused(tmp_path):
    assert page_token(tmp_path) == page_token(tmp_path)
    (tmp_path / TOKEN_FILE).chmod(0o644)
    with pytest.raises(icm.InstanceError, match="others may read"):
        page_token(tmp_path)
    (tmp_path / TOKEN_FILE).unlink()
    (tmp_path / TOKEN_FILE).touch(0o600)
    with pytest.raises(icm.InstanceError, match="no token"):
        page_token(tmp_path)


def test_a_port_that_is_taken_is_said_to_be(tmp_path, served):
    found(tmp_path / "bob", Settings("bob", listen="127.0.0.1:0", web=f"127.0.0.1:{served[0].pages[0]}"))
    with pytest.raises(icm.InstanceError, match="web cannot listen"):
        Instance(tmp_path / "bob")
