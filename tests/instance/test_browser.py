"""The data officer's page in a real browser."""

from __future__ import annotations

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
from tests.instance.chromium import Chromium


@pytest.fixture
def instance(tmp_path):
    folder = tmp_path / "alice"
    found(folder, Settings("alice", listen="127.0.0.1:0", web="127.0.0.1:0"))
    with Instance(folder) as serving:
        serving.roster.add(Peer("bob", Identity.create("bob").certificate))
        public = PublicDataset("<b id=mark>visits</b>", (), 123, icm.Policy(name="visits", min_rows=17))
        serving.catalogue.put(HeldDataset(public, ParquetSource(("/rows.parquet",))))
        yield serving


def test_an_officer_approves_a_peer(instance, tmp_path):
    place = f"http://localhost:{instance.pages[0]}"
    with Chromium(tmp_path / "profile") as browser:
        browser.open(place)
        assert "web.token" in browser.text
        assert "visits" not in browser.text
        token = page_token(tmp_path / "alice")
        browser.submit(f"document.querySelector('[name=token]').value = '{token}'; document.forms[0].submit()")
        assert browser.run("location.pathname") == "/datasets"
        assert "<b id=mark>visits</b>" in browser.text, "as it stands, and no markup"
        assert browser.run("document.getElementById('mark')") is None
        assert browser.run("document.cookie") == ""
        assert browser.run("getComputedStyle(document.querySelector('nav')).display") == "flex", "its style is there"
        browser.screenshot(tmp_path / "datasets.png")
        browser.open(f"{place}/peers")
        browser.screenshot(tmp_path / "peers.png")
        browser.submit("document.querySelector('form[action=\"/peers/approve\"] button').click()")
        assert instance.roster.peers["bob"].state == "approved"
        assert browser.run("location.pathname") == "/peers"
        assert "approved" in browser.text
        browser.open(f"{place}/audit")
        assert "the chain holds" in browser.text
        assert "by page" in browser.text
        browser.screenshot(tmp_path / "audit.png")
        assert [text for text in browser.complaints if "401" not in text] == []
        other = place.replace("localhost", "127.0.0.1")
        browser.open(other)  # another origin: no cookie goes there
        assert "web.token" in browser.text
        form = f"<form method=post action={place}/peers/revoke><input name=peer value=bob></form>"
        browser.open(f"data:text/html,{form}")
        browser.submit("document.forms[0].submit()")
        assert instance.roster.peers["bob"].state == "approved", "another site's form does nothing"
