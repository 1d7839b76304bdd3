"""Orders, questions and programs that an asker writes by hand, to the worker of a peer alone: no honest worker of the
asker's own organisation stands in the way of a lie.
"""

from __future__ import annotations

import hashlib
from types import SimpleNamespace

import pytest
from msgspec.structs import replace

import icm_ray as icm
from icm_ray.config import EngineConfig
from icm_ray.errors import FaultError
from icm_ray.instance.answers import Answers
from icm_ray.instance.doorkeeper import INSTANCE
from icm_ray.instance.offer import offer
from icm_ray.names import DRIVER
from icm_ray.ops.linear import Input, Reveal
from icm_ray.policy import OPERATIONS
from icm_ray.program.program import Node, encode_program
from icm_ray.program.stamped import RunSettings
from icm_ray.query.expressions.tree import apply, literal
from icm_ray.query.lane_build import Members
from icm_ray.query.lower import lowering
from icm_ray.query.owner_rows import OwnerRows, OwnerTable
from icm_ray.query.question import Asked, Question, SharedColumn, Sharing, encode_asked
from icm_ray.query.row_set import RowSet
from icm_ray.query.selection import Selection
from icm_ray.query.sharing import secret_rows
from icm_ray.query.statistics.mean import Mean
from icm_ray.query.statistics.minmax import MinMax
from icm_ray.query.tasks import HeldSource
from icm_ray.runtime.orders import messages as say
from icm_ray.runtime.orders.house import Allowed, IsLedger, IsOwn
from icm_ray.runtime.orders.jobs import Job
from icm_ray.runtime.orders.origins import FromQuestion
from icm_ray.transport import Endpoint, Identity, TcpStation
from tests.instance.conftest import rows
from tests.instance.lying import asked, tell

WEAK = icm.Policy(name="bob.unasked", min_rows=3, operations=OPERATIONS)


@pytest.fixture(scope="module")
def unasked(organisations, alice, tmp_path_factory):
    """A dataset of bob's that nothing was asked about: no ledger refuses what a lie leaves out."""
    catalogue, path = organisations["bob"][1].catalogue, tmp_path_factory.mktemp("by-hand") / "unasked.parquet"
    rows(1).to_parquet(path)
    offer(catalogue, "unasked", [str(path)], icm.Policy(min_rows=5), ("alice",))
    yield alice.peer("bob")["unasked"]
    catalogue.remove("unasked")


@pytest.fixture
def dataset(unasked):
    """In lanes of alice's; after every refusal the session goes on."""
    visits = unasked
    yield visits.meant.dataset
    assert visits["cost"].sum().reveal() == rows(1)["cost"].sum()


def prepared(engine, what, *, program=None, tasks=None, stage=0, settings=None):
    """Have bob's worker alone prepare a run of a question; others, and what it is to bring, as they are stated."""
    part = lowering(what, Members(engine.parties)).stage(stage)
    job = Job(
        next(engine._jobs),
        part.partition,
        encode_program(program or part.program),
        settings or engine.settings,
        {"bob": dict((part.tasks if tasks is None else tasks).get("bob", {}))},
        origin=FromQuestion(encode_asked(what), stage),
    )
    lane = engine._lanes[0]
    with lane.using():
        call = lane.next_call()
        try:
            return lane.ask({"bob": say.Run(call, job)}, call, "a lie")
        finally:
            lane.tell({"bob": say.Rollback(call)})


def mean_of_the_old(dataset, facts=None, to="alice"):
    facts = facts or dataset.facts
    old = Selection(facts.name, apply("greater_equal", ("age", literal(65))))
    return Asked(Question((Mean(old.name, "cost"),), to, (old,)), (facts,))


# --- how many rows there are --------------------------------------------------------------------------------------

COUNTS = {
    "more": ((4000,), (0,)),
    "fewer": ((3,), (0,)),
    "more partitions": ((400, 10**6), (0, 0)),
    "more in a lane that is none": ((400, 10**6), (0, 7)),
    "none of them here": ((400,), (7,)),
}


@pytest.mark.parametrize("name", COUNTS)
def test_a_peers_worker_counts_its_rows_itself(dataset, name):
    facts = dataset.facts
    table = OwnerTable(facts.tables[0].name, "bob", *COUNTS[name])
    with pytest.raises(icm.IcmError, match=r"^bob refuses|cannot be"):
        prepared(dataset.engine, mean_of_the_old(dataset, replace(facts, tables=(table,))))


def altered(nodes, kind, change):
    """The same operations, those of one kind changed."""
    return tuple(Node(change(node.op), node.inputs) if isinstance(node.op, kind) else node for node in nodes)


def more_rows(op):
    labels = tuple(replace(one, parts=tuple((part, 10**6) for part, _ in one.parts)) for one in op.labels)
    return replace(op, labels=labels)


PROGRAMS = {
    "of more rows": lambda nodes: altered(nodes, Input, more_rows),
    "of nobody's rows": lambda nodes: altered(nodes, Input, lambda op: replace(op, labels=())),
    "of another width": lambda nodes: altered(nodes, Input, lambda op: replace(op, type=replace(op.type, width=9))),
    "for another": lambda nodes: altered(nodes, Reveal, lambda op: replace(op, to=DRIVER)),
    "that opens what is brought": lambda nodes: (
        *nodes,
        *(Node(Reveal("alice", f"{n}"), (n,)) for n, node in enumerate(nodes) if isinstance(node.op, Input)),
    ),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_peers_worker_derives_the_program_itself(dataset, name):
    what = mean_of_the_old(dataset)
    honest = lowering(what, Members(dataset.engine.parties)).stage(0).program
    nodes = PROGRAMS[name](honest.nodes)
    assert nodes != honest.nodes
    with pytest.raises((icm.ProgramError, icm.PolicyError), match=r"bob|label|width"):
        prepared(dataset.engine, what, program=replace(honest, nodes=nodes))


def test_what_it_brings_follows_from_the_question(dataset):
    what = mean_of_the_old(dataset)
    tasks = lowering(what, Members(dataset.engine.parties)).stage(0).tasks["bob"]
    for lie in ({name: replace(task, where=None) for name, task in tasks.items() if hasattr(task, "where")}, {}):
        with pytest.raises(icm.ProgramError, match="does not imply what is asked of this owner"):
            prepared(dataset.engine, what, tasks={"bob": {**tasks, **lie} if lie else {}})


@pytest.mark.parametrize(
    "settings", [RunSettings(-1), RunSettings(0, 0), RunSettings(0, 1 << 20), RunSettings(1 << 63)], ids=str
)
def test_settings_that_no_worker_has(dataset, settings):
    with pytest.raises(icm.ProgramError, match="a worker"):
        prepared(dataset.engine, mean_of_the_old(dataset), settings=settings)


# --- flags and widths ---------------------------------------------------------------------------------------------


def test_shares_are_what_they_were_when_they_were_made(dataset):
    """A width that is stated anew would have a comparison tell whether a value lies within it."""
    sharing = Sharing(dataset.facts.name, "costs", (SharedColumn("cost", "cost"),), 16, 20)
    asked(dataset.engine, Asked(sharing, (dataset.facts,)))
    made = secret_rows(sharing, dataset.facts)
    (encoding,) = made.encodings
    try:
        for lie in (
            replace(made, encodings=(replace(encoding, bound=3),)),
            replace(made, encodings=(replace(encoding, f=0),)),
            replace(made, columns=(replace(made.columns[0], nullable=False, kind="int"),)),
            replace(made, source="other"),
            replace(made, policy=None),
            replace(made, policy=WEAK),
            replace(made, composed=("cost",)),
            replace(made, partitions=(replace(made.partitions[0], rows=4000),)),
            replace(made, partitions=(replace(made.partitions[0], owner="alice"),)),
        ):
            for statistic in (Mean("costs", "cost"), MinMax("costs", "cost")):
                with pytest.raises((icm.ProgramError, icm.PolicyError), match=r"bob (refuses|keeps)|does not allow"):
                    prepared(dataset.engine, Asked(Question((statistic,), "alice"), (lie,)))
    finally:
        dataset.engine.forget(made.kept)


# --- policies -----------------------------------------------------------------------------------------------------


def test_a_policy_is_not_weaker_the_second_time(dataset):
    """... nor once the rows were forgotten and are opened again."""
    facts = dataset.facts
    (table,) = facts.tables
    for tables in ((), (table.name,)):
        with pytest.raises(icm.PolicyError, match="bob refuses"):
            tell(dataset.engine, "bob", lambda call, tables=tables: say.SetPolicy(call, facts.name, WEAK, tables))
    with pytest.raises((icm.PolicyError, icm.ProgramError), match="bob refuses"):
        tell(dataset.engine, "bob", lambda call: say.SetPolicy(call, "other", facts.policy, (table.name,)))
    for stated in (None, WEAK):
        with pytest.raises(icm.PolicyError, match="bob refuses"):
            prepared(dataset.engine, mean_of_the_old(dataset, replace(facts, policy=stated)))


def test_rows_that_are_opened_once_more_have_no_other_policy(dataset):
    engine, facts = dataset.engine, dataset.facts
    rows_again = engine.open_table("bob", HeldSource("unasked"))
    table = OwnerTable(rows_again.name, "bob", rows_again.info.rows, rows_again.lanes)
    again = OwnerRows(rows_again.name, facts.columns, (table,), policy=facts.policy)
    try:
        for policy in (None, WEAK, facts.policy):  # nothing was stated of these rows yet
            with pytest.raises(icm.PolicyError, match="bob refuses: its rows are guarded by a policy"):
                prepared(engine, mean_of_the_old(dataset, replace(again, policy=policy)))
        with pytest.raises(icm.PolicyError, match="bob refuses: the policy that is stated is another"):
            tell(engine, "bob", lambda call: say.SetPolicy(call, again.name, WEAK, (rows_again.name,)))
        weak = replace(WEAK, name="alice.own")
        tell(engine, "bob", lambda call: say.SetPolicy(call, again.name, weak, ()))  # of rows of others
        with pytest.raises(icm.PolicyError, match="bob refuses"):
            prepared(engine, mean_of_the_old(dataset, replace(again, policy=weak)))
        with pytest.raises(icm.PolicyError, match="it keeps another policy"):  # what is refused leaves nothing
            tell(engine, "bob", lambda call: say.SetPolicy(call, again.name, facts.policy, (rows_again.name,)))
        with pytest.raises(icm.PolicyError, match="bob refuses: its rows are guarded by a policy"):
            prepared(engine, mean_of_the_old(dataset, replace(again, policy=weak)))
        sets = (RowSet(apply("greater_equal", ("age", literal(1)))),)
        with pytest.raises(icm.PolicyError, match="has the name of one that guards its rows"):  # and their ledger
            tell(engine, "bob", lambda call: say.SetPolicy(call, engine.new_name("other"), facts.policy, (), sets))
    finally:
        engine.forget([rows_again.name])


@pytest.mark.parametrize("place", ["bob.unasked", "../escaped"])
def test_no_name_of_a_dataset_is_a_path(unasked, organisations, place):
    """... to what was asked of the catalogue's and their noise is drawn from, or out of the folder of ledgers."""
    assert unasked[unasked["age"] >= 40]["cost"].mean().reveal() > 0
    engine, folder = unasked.meant.dataset.engine, organisations["bob"][0] / "ledger"
    assert (folder / "bob.unasked" / "bob.jsonl").is_file()
    name = f"x/../{place}"
    done = tell(engine, "bob", lambda call: say.SetPolicy(call, name, icm.Policy(min_rows=3)))["bob"]
    assert done.row_sets == ()
    engine.forget([name])
    assert not (folder.parent / "escaped").exists()
    assert all(path.parent == folder for path in folder.rglob("*") if path.is_dir())


# --- where shares go ----------------------------------------------------------------------------------------------


def test_shares_are_moved_to_no_address_of_an_askers_choice(dataset, organisations):
    engine = dataset.engine
    members = {member[0]: member for member in engine._lanes[0].plan.members}
    other = Identity.create("bob").certificate
    for peer in (
        ("bob", "127.0.0.1", organisations["alice"][1].port, other),
        ("bob", *members["alice"][1:]),
        members["alice"],
        members["bob"],  # of this lane, not of that
    ):
        with pytest.raises((icm.InstanceError, icm.ProgramError), match="bob"):
            tell(engine, "bob", lambda call, peer=peer: say.LinkLanes(call, 0, 1, 0, peer))


def test_a_worker_that_works_for_another_asker_is_not_ones_own(dataset, organisations):
    answers, plan = organisations["bob"][1]._answers, dataset.engine._lanes[0].plan
    own = IsOwn(plan.session, plan.lane, next(member for member in plan.members if member[0] == "bob"))
    assert answers.to_worker("alice", own)
    for asker, call in (
        ("dave", own),
        ("bob", own),
        ("alice", replace(own, lane=1)),
        ("alice", replace(own, session="f" * 16)),
        ("alice", replace(own, member=(*own.member[:3], b"other"))),
    ):
        with pytest.raises(icm.InstanceError, match="no such worker"):
            answers.to_worker(asker, call)


def test_the_instance_knows_ledgers_that_digests_name(organisations):
    answers = organisations["bob"][1]._answers
    called = "b" * 98  # "bob." before it would be no file's name
    digest = hashlib.sha256(f"bob.{called}".encode()).hexdigest()
    found = next(iter(answers._catalogue.datasets.values()))
    known = {called: replace(found, public=replace(found.public, name=called, policy=icm.Policy()))}
    asking = Answers.__new__(Answers)
    asking.name, asking._catalogue = "bob", SimpleNamespace(datasets=known)
    assert asking.to_worker("alice", IsLedger(digest)) == Allowed(counted=True)
    assert asking.to_worker("alice", IsLedger("f" * 64)) == Allowed()


# --- links and settings -------------------------------------------------------------------------------------------


def test_there_is_no_link_without_tls(organisations):
    """... for whoever has the key that would let him in over TLS."""
    alice, bob = (organisations[name][1] for name in ("alice", "bob"))
    there = Endpoint("alice", "127.0.0.1", alice.port, alice.key.certificate)
    for tls in (True, False):
        station = TcpStation(bob.key.identity, None, tls, alice._station._listener.config)
        if tls:
            station.open(there, INSTANCE + "f" * 32, True).close()
            continue
        with pytest.raises(FaultError):
            station.open(there, INSTANCE + "e" * 32, True)


@pytest.mark.slow
def test_settings_of_an_asker_are_its_own_process_s_alone(organisations):
    lax = EngineConfig(tls=False, partition_bytes=1, free_programs=True, in_flight=1)
    with icm.connect(organisations["alice"][0], config=lax) as session:
        visits = session.peer("bob")["visits"]
        dataset = visits.meant.dataset
        assert dataset.facts.tables[0].rows == (400,)
        assert visits["cost"].sum().reveal() == rows(1)["cost"].sum()
        few = visits[visits["cost"] >= rows(1)["cost"].nlargest(3).min()]
        assert isinstance(few["cost"].sum().reveal(), icm.Withheld)
        what = mean_of_the_old(dataset)
        part = lowering(what, Members(dataset.engine.parties)).stage(0)
        job = Job(9, 0, encode_program(part.program), dataset.engine.settings, {"bob": dict(part.tasks["bob"])})
        with pytest.raises(icm.PolicyError, match="bob refuses: a program follows from a question"):
            tell(dataset.engine, "bob", lambda call: say.Run(call, job))
