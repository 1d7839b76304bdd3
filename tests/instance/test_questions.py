"""Questions between organisations: answered as on one cluster, for the asker alone."""

from __future__ import annotations

import pandas as pd
import pytest

import icm_ray as icm
from tests.instance.conftest import rows


def test_a_peer_offers_what_stands_for_the_asker(alice):
    assert alice.name == "alice"
    assert alice.peers == ("bob",)
    assert [name for name in alice.peer("bob") if name in {"visits", "secrets"}] == ["visits"]
    with pytest.raises(icm.OwnerError, match="offers no dataset 'secrets'"):
        alice.peer("bob")["secrets"]
    with pytest.raises(icm.OwnerError, match="not approved"):
        alice.peer("mallory")


def test_a_mean_of_a_peers_rows(alice):
    visits = alice.peer("bob")["visits"]
    wanted = rows(1)
    assert visits["cost"].mean().reveal() == pytest.approx(wanted["cost"].mean(), rel=1e-12)
    assert visits[visits["age"] >= 65]["cost"].sum().reveal() == wanted[wanted["age"] >= 65]["cost"].sum()
    found = visits.groupby("ward", domain={"ward": ["A", "B", "C"]})["age"].sum().reveal()
    pd.testing.assert_series_equal(found, wanted.groupby("ward")["age"].sum(), check_index_type=False)


def test_rows_of_both(alice):
    both = alice.frame({"alice": "visits", "bob": "visits"})
    wanted = pd.concat([rows(0), rows(1)])
    assert both["cost"].sum().reveal() == wanted["cost"].sum()
    assert both["age"].count().reveal() == 800


def test_a_policy_holds(alice):
    visits = alice.peer("bob")["visits"]
    with pytest.raises(icm.PolicyError):
        visits["age"].max().reveal()
