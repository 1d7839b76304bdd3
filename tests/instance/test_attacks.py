"""An asker that lies to a peer's instance and to the workers that it started: each lie is refused and tells nothing."""

from __future__ import annotations

from dataclasses import replace as replaced

import msgspec
import numpy as np
import pytest

import icm_ray as icm
from analytics.meant import Meant
from icm_ray.instance.messages import Forward, JoinLane, Started, StartWorker, VouchForDriver
from icm_ray.instance.roster import Peer
from icm_ray.names import DRIVER
from icm_ray.ops.linear import Input, Reveal
from icm_ray.ops.values import ValueType
from icm_ray.policy import OPERATIONS
from icm_ray.program.build import Builder
from icm_ray.query.tasks import CsvSource, Given, HeldSource, ParquetSource, PushedSource
from icm_ray.runtime.driver.engine import LaneJob
from icm_ray.runtime.orders import messages as say
from icm_ray.runtime.orders.jobs import Open
from icm_ray.runtime.orders.lane_plan import LanePlan
from icm_ray.transport import Hello, Identity
from icm_ray.transport.hello import Direction
from tests.instance.conftest import rows
from tests.instance.lying import tell

WEAK = icm.Policy(name="visits", min_rows=3, operations=OPERATIONS)


@pytest.fixture
def visits(alice):
    """After every refusal the session goes on."""
    frame = alice.peer("bob")["visits"]
    yield frame
    assert frame["cost"].sum().reveal() == rows(1)["cost"].sum()


@pytest.fixture
def engine(visits):
    return visits.meant.dataset.engine


@pytest.mark.parametrize(
    "source",
    [ParquetSource(("/etc/passwd",)), CsvSource(("/etc/passwd",)), CsvSource(("/etc/*",)), PushedSource(0)],
    ids=["parquet", "csv", "wildcard", "pushed"],
)
def test_no_path_of_the_owners_disk_is_opened(engine, source):
    with pytest.raises(icm.PolicyError, match="by their name in the catalogue") as refused:
        tell(engine, "bob", lambda call: say.OpenTable(call, Open("lie", source)))
    assert "root" not in str(refused.value)
    assert "passwd" not in str(refused.value)


def test_what_is_not_offered_is_as_what_is_not_there(engine):
    said = []
    for name in ("secrets", "nothing"):
        with pytest.raises(icm.PolicyError, match="offers alice no dataset") as refused:
            tell(engine, "bob", lambda call, name=name: say.OpenTable(call, Open("lie", HeldSource(name))))
        said.append(str(refused.value).replace(name, ""))
    assert said[0] == said[1]


def test_facts_of_a_table_name_no_file(engine):
    done = tell(engine, "bob", lambda call: say.OpenTable(call, Open("again", HeldSource("visits"))))["bob"]
    assert sum(done.info.rows) == 400
    assert "parquet" not in repr(done.info)
    engine.forget(["again"])


def test_no_other_policy_takes_the_place_of_the_catalogues(engine, visits):
    facts = visits.meant.dataset.facts
    tables = tuple(table.name for table in facts.tables)
    for name in (facts.name, "other"):
        with pytest.raises((icm.PolicyError, icm.ProgramError)):
            tell(engine, "bob", lambda call, name=name: say.SetPolicy(call, name, WEAK, tables))


@pytest.mark.parametrize("policy", [None, WEAK], ids=["none", "weak"])
def test_rows_are_not_read_under_another_policy(visits, policy):
    facts = msgspec.structs.replace(visits.meant.dataset.facts, policy=policy)
    lying = replaced(visits.meant.dataset, facts=facts)
    frame = type(visits)(Meant(lying))
    with pytest.raises((icm.PolicyError, icm.ProgramError)):
        frame["age"].max().reveal()


def test_results_go_to_no_driver(visits):
    with pytest.raises(icm.PolicyError, match="results go to whoever asks"):
        visits["cost"].mean().reveal(to=DRIVER)


def test_a_program_follows_from_a_question(engine):
    builder = Builder(("alice", "bob"))
    x = builder.add(Input("bob", "x", ValueType(shape=(4,), width=20)))
    builder.add(Reveal("alice", "x"), x)
    job = LaneJob(0, builder.build(), tasks={"bob": {"x": Given()}}, given={"bob": {"x": np.zeros(4, np.uint64)}})
    with pytest.raises(icm.PolicyError):
        engine.execute([job])


def test_what_a_peer_hears_of_damaged_files_names_none(alice, organisations):
    path = organisations["bob"][0] / "catalogue.json"
    there = path.read_bytes()
    path.write_bytes(b"{")
    try:
        with pytest.raises(icm.InstanceError, match="its own files are at fault") as refused:
            list(alice.peer("bob"))
    finally:
        path.write_bytes(there)
    assert "catalogue" not in str(refused.value) + str(refused.value.where)


# --- who takes part ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def started(alice, organisations):
    """Workers of a lane, before it is joined: their vouchers, by member."""
    session, lane = "0123456789abcdef", 7
    link = alice._own.link
    found = {}
    try:
        for name, organisation in (("alice", "alice"), ("bob", "bob"), ("dealer", "carol")):
            answer = link.call(Forward(organisation, StartWorker(session, lane)))
            assert isinstance(answer, Started)
            found[name] = answer.voucher
        driver = Identity.create(DRIVER)
        answer = link.call(VouchForDriver(session, lane, (DRIVER, "", 0, driver.certificate)))
        found[DRIVER] = answer.voucher
        yield found
    finally:
        for _, instance in organisations.values():
            for asker in ("alice", "bob"):
                instance.halves.end(asker, session, lane)


def joined(session, vouchers, changed=None, parties=("alice", "bob")):
    members = {name: voucher.member for name, voucher in vouchers.items()} | (changed or {})
    plan = LanePlan(
        "0123456789abcdef",
        7,
        parties,
        tuple({"alice", "bob"} - set(parties)),
        tuple(members[name] for name in ("alice", "bob", "dealer")),
        members[DRIVER],
    )
    return session._own.link.call(Forward("bob", JoinLane(plan, tuple(vouchers.values()))))


def test_nobody_takes_the_place_of_a_peers_worker(alice, started):
    other = Identity.create("alice").certificate
    for name in ("alice", "dealer", DRIVER):
        host, port = started[name].member[1:3]
        with pytest.raises(icm.InstanceError, match="is for another worker"):
            joined(alice, started, {name: (name, host, port, other)})
    with pytest.raises(icm.InstanceError, match="own worker is not in the plan"):
        joined(alice, started, {"bob": ("bob", "127.0.0.1", 1, other)})


def test_a_voucher_is_signed_by_its_organisation(alice, started):
    other = Identity.create("alice").certificate
    member = ("alice", "127.0.0.1", 1, other)
    forged = {**started, "alice": msgspec.structs.replace(started["alice"], member=member)}
    with pytest.raises(icm.InstanceError, match="not signed by the key"):
        joined(alice, forged)
    late = {**started, "alice": msgspec.structs.replace(started["alice"], expires=1)}
    with pytest.raises(icm.InstanceError, match="expired"):
        joined(alice, late)
    dealt = {**started, "dealer": msgspec.structs.replace(started["dealer"], organisation="alice")}
    with pytest.raises(icm.InstanceError, match="is no dealer"):
        joined(alice, dealt)
    with pytest.raises(icm.InstanceError, match="nobody vouches"):
        joined(alice, {**started, "alice": started["bob"]}, {"alice": started["alice"].member})


def test_nobody_brings_rows_to_parties_without_being_one(alice, started):
    """... who could put its shares together: they may be each other's friends."""
    with pytest.raises(icm.InstanceError, match="all compute: bob is no party of it"):
        joined(alice, started, parties=("alice",))


def test_nobody_ends_or_joins_what_another_asker_started(organisations, started):
    bob = organisations["bob"][1]
    bob.halves.end("mallory", "0123456789abcdef", 7)
    assert bob.halves.lost("alice", "0123456789abcdef", 7) == ""
    with pytest.raises(icm.InstanceError, match="no such worker"):
        bob.halves.of("mallory", "0123456789abcdef", 7)


def test_a_peer_has_its_limit_of_workers(organisations, alice):
    bob = organisations["bob"][1]
    most = bob.settings.limits.workers
    bob.halves._askers.update({("x" * 16, lane): "alice" for lane in range(most)})
    try:
        with pytest.raises(icm.InstanceError, match="its limit"):
            alice._own.link.call(Forward("bob", StartWorker("y" * 16, 0)))
    finally:
        for lane in range(most):
            del bob.halves._askers["x" * 16, lane]


def test_a_crowd_of_false_guests_is_one_line_of_the_log(organisations):
    instance = organisations["alice"][1]
    before = instance.audit.head().entries
    for _ in range(3):
        with pytest.raises(icm.InstanceError):
            instance._station._listener._door._admit(Peer("mallory", b"certificate"), bytes(32), bytes(32))
    assert instance.audit.head().entries <= before + 1


@pytest.mark.parametrize("link", ["instance/1", "house/0123456789abcdef/0/alice", "house/1/²/alice", "user", "x/y"])
@pytest.mark.few(1)
def test_strangers_are_expected_by_nobody(organisations, link):
    door = organisations["alice"][1]._station._listener._door
    assert door.whom(Hello(link, "mallory", Direction.FORTH, True)) is None
