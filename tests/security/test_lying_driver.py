"""A driver that lies in its orders, one after the other: what a worker can check, it does not believe.

Jobs that do not follow from what is asked: `tests/runtime/test_plan_check.py`.
"""

import msgspec
import numpy as np
import pandas as pd
import pytest

import analytics as an
from icm_ray.config import EngineConfig
from icm_ray.errors import Desynchronised, InputError, PolicyError, ProgramError
from icm_ray.ops.linear import Input, Reveal
from icm_ray.ops.values import ValueType
from icm_ray.policy import OPERATIONS, Policy
from icm_ray.program.build import Builder
from icm_ray.program.program import encode_program
from icm_ray.program.stamped import RunSettings
from icm_ray.query.owner_rows import OwnerRows, OwnerTable
from icm_ray.query.question import decode_asked, encode_asked
from icm_ray.query.secret_rows import SecretPartition, SecretRows
from icm_ray.query.tasks import ColumnInfo, PushedSource
from icm_ray.runtime.carriers.threads import ThreadEngine
from icm_ray.runtime.driver.engine import LaneJob
from icm_ray.runtime.driver.gather import compare_ledgers
from icm_ray.runtime.orders import messages as say
from icm_ray.runtime.orders.jobs import Gather, Job, Open
from icm_ray.runtime.orders.value_frames import TABLE
from tests.runtime.programs import arrow
from tests.twins import twin

PARTIES = ("alice", "bob")
FEW, MANY = pd.DataFrame({"x": [1, 2, 3]}), pd.DataFrame({"x": np.arange(40)})
STRICT = Policy(min_rows=50, operations=OPERATIONS)
change = msgspec.structs.replace


@pytest.fixture(scope="module")
def running():
    with ThreadEngine(PARTIES, ("carol",), lanes=2, config=EngineConfig(partition_bytes=200)) as engine:
        yield engine


@pytest.fixture
def engine(running):
    """After every refusal the session goes on."""
    yield running
    assert an.from_pandas(running, {"alice": MANY, "bob": MANY})["x"].sum().reveal() == 2 * MANY["x"].sum()


def tell(engine, lane, names, order):
    """One order to some members of a lane, whatever the engine would have sent. order: by the call's number."""
    with engine._lanes[lane].using():
        call = engine._lanes[lane].next_call()
        return engine._lanes[lane].ask({name: order(call) for name in names}, call, "a lie")


def tell_all(engine, order):
    for lane in range(engine.lanes):
        tell(engine, lane, engine.parties, order)


@pytest.fixture
def strict(engine):
    """Too few rows for any answer."""
    return an.from_pandas(engine, {"alice": FEW, "carol": FEW}, policy=STRICT)


def refuses(frame, error=PolicyError, match="policy"):
    for verb in (frame["x"].sum().reveal, frame["x"].max().reveal):
        with pytest.raises(error, match=match):
            verb()


# --- policies -----------------------------------------------------------------------------------------------------


def test_a_policy_holds_for_rows_that_are_called_otherwise_from_the_first_question_on(engine, strict):
    for rows in (
        twin(strict, name="other", policy=None),
        twin(strict, name="other", policy=Policy(min_rows=3, operations=OPERATIONS)),
    ):
        refuses(rows, ProgramError, "belong to another")
        with pytest.raises(ProgramError, match="belong to another"):
            rows.share()
    refuses(strict)


def test_a_weaker_policy_does_not_take_the_place_of_one(engine, strict):
    name = strict._dataset.facts.name
    for weaker in (change(STRICT, min_rows=3), change(STRICT, min_rows=5)):
        with pytest.raises(PolicyError, match="another policy"):
            tell_all(engine, lambda call, weaker=weaker: say.SetPolicy(call, name, weaker))
        refuses(twin(strict, policy=weaker), match="(alice|bob) refuses")
    refuses(twin(strict, policy=None), match="(alice|bob) refuses")


def test_a_policy_is_not_forgotten_before_its_rows(engine, strict):
    facts = strict._dataset.facts
    tell_all(engine, lambda call: say.Forget(call, (facts.name,)))
    refuses(twin(strict, policy=None), match="(alice|bob) refuses")
    with pytest.raises(PolicyError, match="another policy"):
        tell_all(engine, lambda call: say.SetPolicy(call, facts.name, Policy()))
    tell_all(engine, lambda call: say.Forget(call, (facts.tables[0].name,)))
    with pytest.raises(PolicyError, match="another policy"):
        tell_all(engine, lambda call: say.SetPolicy(call, facts.name, Policy()))


def test_a_table_does_not_leave_its_dataset_by_being_opened_again(engine, strict):
    name = strict._dataset.facts.tables[0].name
    part = arrow(x=[1, 2, 3])
    engine._lanes[0].data["alice"].send_message(TABLE + bytes(4) + part)
    with pytest.raises(ProgramError, match="is open"):
        tell(engine, 0, ["alice"], lambda call: say.OpenTable(call, Open(name, PushedSource(1), (0,))))
    for lane in (0, 1):  # one of the name that another owner's has
        tell(
            engine,
            lane,
            PARTIES,
            lambda call: say.OpenTable(call, Open(strict._dataset.facts.tables[1].name, PushedSource(0), ())),
        )
    refuses(twin(strict, name="other", policy=None), ProgramError, "belong to another")


def test_two_datasets_do_not_have_one_policy_between_them(engine, strict):
    """... a table is not taken by a second dataset, nor by a second policy."""
    name = strict._dataset.facts.tables[0].name
    with pytest.raises(ProgramError, match="belong to another"):
        tell_all(engine, lambda call: say.SetPolicy(call, "other", Policy(), (name,)))


# --- facts --------------------------------------------------------------------------------------------------------


@pytest.fixture
def few(engine):
    """Rows of a party and of an owner outside, without a policy."""
    return an.from_pandas(engine, {"alice": FEW, "carol": FEW})


@pytest.fixture
def says_too(running, monkeypatch):
    """What makes every question state some facts more, from now on."""
    execute = running.execute

    def too(*facts):
        def lying(jobs):
            made = []
            for job in jobs:
                asked = decode_asked(job.origin.asked)
                origin = change(job.origin, asked=encode_asked(change(asked, facts=(*asked.facts, *facts))))
                made.append(LaneJob(**({name: getattr(job, name) for name in LaneJob.__slots__} | {"origin": origin})))
            return execute(made)

        monkeypatch.setattr(running, "execute", lying)

    yield too
    monkeypatch.undo()


def test_a_dataset_is_described_once(engine, few, says_too):
    """... in a question: the later of two descriptions would be the one that is known from then on."""
    facts = few._dataset.facts
    says_too(change(facts, log2_bounds=(("x", 3),)))
    refuses(few, ProgramError, "twice")


def test_shares_do_not_take_the_name_of_the_rows_that_they_are_made_of(few, monkeypatch):
    monkeypatch.setattr(few._dataset.engine, "new_name", lambda _: few._dataset.facts.name)
    with pytest.raises(ProgramError, match="described otherwise"):
        few.share()


def test_two_datasets_of_a_question_do_not_share_rows(engine, few, says_too):
    says_too(change(few._dataset.facts, name="other"))
    refuses(few, ProgramError, "belong to another")


COLUMNS = (ColumnInfo("x", "int"),)
CANNOT_BE = {
    "more lanes than partitions": OwnerRows("a", COLUMNS, (OwnerTable("table-a", "alice", (3,), (0, 0)),)),
    "fewer lanes than partitions": OwnerRows("a", COLUMNS, (OwnerTable("table-a", "alice", (3, 3), (0,)),)),
    "a column without an encoding": SecretRows("a", "b", COLUMNS, (), (SecretPartition("alice", "t", 0, 0, 3),)),
}


@pytest.mark.parametrize("name", CANNOT_BE)
def test_facts_that_cannot_be(engine, few, says_too, name):
    says_too(CANNOT_BE[name])
    refuses(few, ProgramError, "cannot be")


def test_a_table_that_nobody_has(engine, few, says_too):
    says_too(OwnerRows("a", COLUMNS, (OwnerTable("table-a", "alice", (3,), (0,)),)))
    refuses(few, ProgramError, "rows are not here")


@pytest.mark.parametrize(("column", "kind"), [("x", "int"), ("x", "bool"), ("name", "int"), ("name", "float")])
def test_a_column_of_another_kind(engine, column, kind):
    """An owner's worker takes its own values as what they are."""
    table = pd.DataFrame({"x": [0.5, 1.5], "name": ["a", "b"], "empty": [None, None]})
    frame = an.from_pandas(engine, {"alice": table, "bob": pd.DataFrame({"x": [1.0], "name": ["c"], "empty": [None]})})
    rows = twin(frame, columns=(ColumnInfo(column, kind),))
    for ask in (rows[column].sum().reveal, rows[column].max().reveal, rows.share):
        with pytest.raises(InputError):
            ask()


def test_a_column_said_to_lack_nothing(engine):
    """A count that is secret would be taken for the number of rows."""
    frame = an.from_pandas(engine, {"alice": pd.DataFrame({"x": [0.5, None]}), "bob": pd.DataFrame({"x": [1.0]})})
    lie = twin(frame, columns=(ColumnInfo("x", "float", nullable=False),))
    for ask in (lie["x"].mean().reveal, lie["x"].sum().reveal):
        with pytest.raises(ProgramError, match="values of 'x' may be missing, which the question denies"):
            ask()
    assert frame["x"].mean().reveal() == 0.75


# --- other orders -------------------------------------------------------------------------------------------------


def free_program(parties=PARTIES, owners=()):
    builder = Builder(parties, owners)
    builder.add(Reveal("driver", "x"), builder.add(Input("alice", "x", ValueType(shape=(3,), width=20))))
    return builder.build()


def test_a_program_that_follows_from_nothing_does_not_run_because_it_was_dealt_for(engine):
    program = free_program()
    engine.preprocess(program, 1)
    with pytest.raises(PolicyError, match="free_programs=True"):
        engine.execute([LaneJob(0, program, given={"alice": {"x": np.ones(3, np.uint64)}})])


@pytest.mark.parametrize("members", [(("alice", "bob", "dora"), ()), (("bob", "alice"), ()), (PARTIES, ("dora",))])
def test_a_program_for_other_members_is_not_dealt_for(engine, members):
    payload = encode_program(free_program(*members))
    for name in ("bob", "dealer") if "dora" in str(members) else ("bob",):  # to the dealer their order is all one
        with pytest.raises(ProgramError, match=r"(the|a) lane of"):
            tell(engine, 0, [name], lambda call: say.Preprocess(call, Job(10**6, 0, payload, RunSettings()), 1))


def test_a_party_s_link_between_lanes_leads_to_itself(engine):
    member = engine._lanes[0].plan.members[0]
    with pytest.raises(ProgramError, match="to its own worker"):
        tell(engine, 1, ["bob"], lambda call: say.LinkLanes(call, 1, 0, 0, ("mallory", *member[1:])))
    with pytest.raises(ProgramError, match="to its own worker"):
        tell(engine, 1, ["bob"], lambda call: say.LinkLanes(call, 1, 0, 0, member))


def gathered(engine, lane, sent, taken):
    """Every party's worker is told to send shares of a lane, and to take them, as these."""
    job, sides = next(engine._jobs), ((engine._lanes[lane], sent), (engine._lanes[0], taken))
    with engine._lanes[0].using(), engine._lanes[lane].using():
        calls = [side.next_call() for side, _ in sides]
        for (side, keys), call in zip(sides, calls, strict=True):
            side.tell(dict.fromkeys(engine.parties, say.GatherShares(call, Gather(job, lane, 0, keys))))
        for (side, _), call in zip(reversed(sides), reversed(calls), strict=True):
            side.collect(engine.parties, call, "a lie")


def test_lanes_that_have_no_link(engine):
    with pytest.raises(ProgramError, match="no link from lane 7"):
        tell(engine, 1, PARTIES, lambda call: say.GatherShares(call, Gather(1, 7, 0, ())))


@pytest.mark.parametrize("taken", ["another", "one that is there", "another shape"])
def test_a_share_is_not_moved_to_another_name(taken):
    with ThreadEngine(PARTIES, lanes=2, config=EngineConfig(partition_bytes=200)) as engine:
        table = MANY.assign(y=MANY["x"])
        frame = an.from_pandas(engine, {"alice": table})
        shares = frame.share()
        frame["x"].sum().reveal()  # links between lanes are there
        facts = shares._dataset.facts
        names = {lane: facts.key(next(part for part in facts.partitions if part.lane == lane), "x") for lane in (0, 1)}
        rows = {part.lane: part.rows for part in reversed(facts.partitions)}
        other = {
            "another": (("other", (rows[1],)),),
            "one that is there": ((names[0], (rows[1],)),),
            "another shape": ((names[1], (1 << 39,)),),
        }
        with pytest.raises(Desynchronised, match=r"(alice|bob) (was sent something else|keeps something under)"):
            gathered(engine, 1, ((names[1], (rows[1],)),), other[taken])


def test_a_share_is_not_moved_to_a_lane_where_its_rows_are_guarded_otherwise():
    with ThreadEngine(PARTIES, lanes=2, config=EngineConfig(partition_bytes=200)) as engine:
        shares = an.from_pandas(engine, {"alice": MANY}).share()
        facts = shares._dataset.facts
        part = next(part for part in facts.partitions if part.lane == 1)
        moved = ((facts.key(part, "x"), (part.rows,)),)
        compare_ledgers(engine._lanes[1], engine._lanes[0], PARTIES)
        tell(engine, 1, PARTIES, lambda call: say.SetPolicy(call, facts.source, STRICT))
        with pytest.raises(PolicyError, match=r"(alice|bob) refuses: what guards the rows .* is another in lane 1"):
            gathered(engine, 1, moved, moved)


@pytest.mark.parametrize("partitions", [-1, 1 << 24, 1 << 62])
def test_a_table_of_partitions_without_end(partitions):
    order = say.OpenTable(1, Open("table", PushedSource(partitions)))
    with pytest.raises(Desynchronised, match="something else than an order"):
        say.decode_order(say.encode(order))
