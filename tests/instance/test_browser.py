"""The data officer's page in a real browser."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

import icm_ray as icm
from icm_ray.instance.catalogue import HeldDataset, PublicDataset
from icm_ray.instance.found import found
from icm_ray.instance.instance import Instance
from icm_ray.instance.roster import Peer
from icm_ray.instance.settings import Settings
from icm_ray.instance.web.gate import page_token
from icm_ray.query.tasks import ParquetSource
from icm_ray.transport import Identity
from tests.instance.asked import requested
from tests.instance.chromium import Chromium


@pytest.fixture
def instance(tmp_path):
    folder = tmp_path / "alice"
    found(folder, Settings("alice", listen="127.0.0.1:0", web="127.0.0.1:0", spare_workers=0))
    with Instance(folder) as serving:
        serving.roster.add(Peer("bob", Identity.create("bob").certificate))
        public = PublicDataset("<b id=mark>visits</b>", (), 123, icm.Policy(name="visits", min_rows=17))
        serving.catalogue.put(HeldDataset(public, ParquetSource(("/rows.parquet",))))
        yield serving


@pytest.mark.slow
def test_an_officer_approves_a_peer(instance, tmp_path):
    place = f"http://localhost:{instance.pages[0]}"
    with Chromium(tmp_path / "profile") as browser:
        browser.open(place)
        assert "web.token" in browser.text
        assert "visits" not in browser.text
        token = page_token(tmp_path / "alice")
        browser.submit(f"document.querySelector('[name=token]').value = '{token}'; document.forms[0].submit()")
        own = place + browser.run("location.pathname").removesuffix("/requests")
        assert "/visit/" in own
        browser.open(f"{own}/datasets")
        assert "<b id=mark>visits</b>" in browser.text, "as it stands, and no markup"
        assert browser.run("document.getElementById('mark')") is None
        assert browser.run("document.cookie") == ""
        assert browser.run("getComputedStyle(document.querySelector('nav')).display") == "flex", "its style is there"
        browser.screenshot(tmp_path / "datasets.png")
        browser.open(f"{own}/peers")
        browser.screenshot(tmp_path / "peers.png")
        browser.submit("document.querySelector('form[action$=\"/peers/approve\"] button').click()")
        assert instance.roster.peers["bob"].state == "approved"
        assert place + browser.run("location.pathname") == f"{own}/peers"
        assert "approved" in browser.text
        browser.open(f"{own}/audit")
        assert "the chain holds" in browser.text
        assert "by page" in browser.text
        browser.screenshot(tmp_path / "audit.png")
        assert [text for text in browser.complaints if "401" not in text] == []
        other = place.replace("localhost", "127.0.0.1")
        browser.open(own.replace(place, other))  # another origin: no cookie goes there
        assert "web.token" in browser.text
        form = f"<form method=post action={own}/peers/revoke><input name=peer value=bob></form>"
        browser.open(f"data:text/html,{form}")
        browser.submit("document.forms[0].submit()")
        assert instance.roster.peers["bob"].state == "approved", "another site's form does nothing"


def test_an_officer_reads_a_request_and_decides(instance, tmp_path):
    """On a wide window and on a narrow, dark one: nothing is cut off, whatever the asker wrote."""
    reason = "Costs of the old, by <img src=x id=mark onerror=alert(1)> " + "w" * 300
    number = requested(tmp_path / "alice", 1, reason).number
    other = requested(tmp_path / "alice", 2, "", age=80).number
    instance.requests.approve_by_rule("costs " + "w" * 50, other, 9, 4e9, ["age=60..80"])
    place = f"http://localhost:{instance.pages[0]}"
    with Chromium(tmp_path / "profile") as browser:
        browser.open(place)
        token = page_token(tmp_path / "alice")
        browser.submit(f"document.querySelector('[name=token]').value = '{token}'; document.forms[0].submit()")
        own = place + browser.run("location.pathname").removesuffix("/requests")
        paths = (
            "/requests",
            f"/request?number={number}",
            "/datasets",
            "/models",
            "/peers",
            "/jobs",
            "/rules",
            "/audit",
        )
        for width, scheme in ((1280, "light"), (390, "dark")):
            browser.look(width, scheme)
            for path in paths:
                browser.open(own + path)
                assert browser.run("document.documentElement.scrollWidth") <= width, (path, width)
                browser.screenshot(tmp_path / f"{path[1:].partition('?')[0]}-{width}-{scheme}.png")
        browser.open(f"{own}/requests")
        browser.submit(f"document.querySelector('a[href$=\"/request?number={number}\"]').click()")
        for words in ("mean of cost", "age >= 65", "at least 17 rows", "to: bob alone", reason):
            assert words in browser.text
        assert browser.run("document.getElementById('mark')") is None
        fill = "document.querySelector('[name={}]').value = '{}';"
        sent = "document.querySelector('form[action$=\"/requests/{}\"] button').click()"
        browser.submit(fill.format("times", 10) + fill.format("until", "2090-01-01") + sent.format("approve"))
        found = instance.requests.of(number)
        assert (found.state, found.times, found.left_open) == ("approved", 10, "")
        assert "0 of 10, until 2090-01-01" in browser.text
        browser.submit(fill.format("reason", "ages are not studied") + sent.format("deny"))
        assert instance.requests.of(number).said == "ages are not studied"
        assert "ages are not studied" in browser.text
        assert [text for text in browser.complaints if "401" not in text] == []


def test_another_server_of_the_machine_is_sent_no_cookie(instance, tmp_path):
    """Cookies ignore ports: what one port sets, another one of the same name would see."""
    heard = []

    class Other(BaseHTTPRequestHandler):
        def do_GET(self):
            heard.append((self.path, self.headers["Cookie"], self.headers["Referer"]))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format, *args):
            pass

    place = f"http://localhost:{instance.pages[0]}"
    with ThreadingHTTPServer(("127.0.0.1", 0), Other) as server, Chromium(tmp_path / "profile") as browser:
        Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        browser.open(place)
        token = page_token(tmp_path / "alice")
        browser.submit(f"document.querySelector('[name=token]').value = '{token}'; document.forms[0].submit()")
        own = browser.run("location.href")
        other = f"http://localhost:{server.server_port}"
        for path in ("/", "/requests", "/visit/", "/visit/guessed/requests"):
            browser.submit(f"location = '{other}{path}'")
            browser.open(own)
            assert "for a decision" in browser.text, "the visit goes on"
        server.shutdown()
    asked = [one for one in heard if one[0] != "/favicon.ico"]
    assert len(asked) == 4
    assert {cookie for _, cookie, _ in heard} == {None}
    assert {referrer for _, _, referrer in asked} == {None}  # that of an icon is the other server's own page
