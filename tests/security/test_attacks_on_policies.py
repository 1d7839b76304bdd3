"""Whoever wants a single row's value out of answers that policies allow is refused, each way by a typed error."""

import json
from contextlib import contextmanager

import msgspec
import numpy as np
import pandas as pd
import pytest

import analytics as an
import icm_ray as icm
from icm_ray.config import EngineConfig
from icm_ray.errors import PolicyError, ProgramError, SessionError
from icm_ray.ops.compare import CheckFlag
from icm_ray.ops.linear import Reveal
from icm_ray.policy import Policy
from icm_ray.query.withheld import Withheld
from icm_ray.runtime.carriers.threads import ThreadEngine
from icm_ray.runtime.worker.answer_ledger import read_entries
from tests.twins import twin

pytestmark = [pytest.mark.usefixtures("derived_once"), pytest.mark.few(1)]

change = msgspec.structs.replace
N = 90
AGES = np.concatenate([np.arange(76).repeat(1), [77], np.full(13, 80)])
TABLE = pd.DataFrame({"id": np.arange(N), "age": AGES, "cost": np.arange(N) * 1.5, "ward": ["a", "b", "c"] * 30})
NEAR = "fewer than 10 rows are the difference"


@pytest.fixture(scope="module", params=[1, 2], ids=["one lane", "two lanes"])
def engine(request):
    with ThreadEngine(
        ("alice", "bob"), ("carol",), lanes=request.param, config=EngineConfig(partition_bytes=600)
    ) as made:
        yield made


@pytest.fixture
def frame(engine):
    return framed(engine)


def framed(engine, policy=None):
    return an.from_pandas(engine, {"alice": TABLE[:40], "carol": TABLE[40:]}, policy=policy or Policy())


@contextmanager
def lying(engine, monkeypatch, lie):
    execute = engine.execute
    with monkeypatch.context() as patch:
        patch.setattr(engine, "execute", lambda jobs: execute([lie(job) for job in jobs]))
        yield


def altered(job, **changes):
    return type(job)(**({name: getattr(job, name) for name in type(job).__slots__} | changes))


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "ledger"


def session(folder, lanes=1):
    return ThreadEngine(
        ("alice", "bob"), ("carol",), lanes=lanes, config=EngineConfig(ledger=str(folder), partition_bytes=600)
    )


# --- by subtraction -------------------------------------------------------------------------------------------------


def test_two_filters_are_not_subtracted(frame):
    old = frame[frame["age"] >= 40]
    assert old["cost"].sum().reveal() == TABLE[AGES >= 40]["cost"].sum()
    without_one = frame[(frame["age"] >= 40) & (frame["id"] != 50)]
    for query in (without_one["cost"].sum(), without_one["cost"].count(), without_one["cost"].std()):
        with pytest.raises(PolicyError, match=NEAR):
            query.reveal()
    assert old["cost"].mean().reveal() == TABLE[AGES >= 40]["cost"].mean(), "what was asked first goes on"
    with pytest.raises(PolicyError, match=NEAR):
        without_one["cost"].sum().reveal()
    far = frame[frame["age"] >= 20]
    assert far["cost"].sum().reveal() == TABLE[AGES >= 20]["cost"].sum()


def test_nor_are_two_of_one_question(frame):
    one, other = frame[frame["age"] < 30], frame[(frame["age"] < 30) & (frame["id"] != 3)]
    with pytest.raises(PolicyError, match=NEAR):
        icm.reveal(one["cost"].sum(), other["cost"].sum())


def test_nor_a_filter_and_the_complement_of_another(frame):
    assert frame[frame["age"] < 30]["cost"].sum().reveal() == TABLE[AGES < 30]["cost"].sum()
    with pytest.raises(PolicyError, match=NEAR):
        frame[(frame["age"] >= 30) & (frame["id"] != 50)]["cost"].sum().reveal()


LACKING = TABLE.assign(
    lab=[None if row % 4 == 0 else float(row % 7) for row in range(N)],
    other=[None if row % 4 == 1 or row == 0 else 1.0 for row in range(N)],
)
CLOSE = {
    "those that have a value": lambda frame: frame[frame["lab"].notna() & (frame["id"] != 7)].count_rows(),
    "those that lack one": lambda frame: frame[frame["lab"].isna() & (frame["id"] != 8)].count_rows(),
    "a condition on values": lambda frame: frame[(frame["lab"] >= 0) & (frame["id"] != 7)]["cost"].sum(),
    "a column of conditions": lambda frame: (frame["lab"].notna() & (frame["id"] != 7)).sum(),
    "groups": lambda frame: frame.groupby(frame["lab"].notna() & (frame["id"] != 7))["cost"].sum(),
}


@pytest.mark.parametrize("name", CLOSE)
@pytest.mark.few(3)
def test_how_many_values_a_column_has_is_a_row_set(engine, name):
    """... that nothing is subtracted from, whichever is asked first; columns are not held against one another."""
    ask = CLOSE[name]
    for first in (True, False):
        frame = an.from_pandas(engine, {"alice": LACKING[:40], "carol": LACKING[40:]}, policy=Policy(row_sets=3))
        queries = [frame["lab"].mean(), ask(frame)]
        queries[not first].reveal()
        with pytest.raises(PolicyError, match=NEAR):
            queries[first].reveal()
        assert icm.reveal(frame["other"].count(), frame[frame["lab"] > 3]["cost"].count()) == (66, 28)


def test_nor_groups_of_a_filter_that_leaves_one_out(frame):
    domain = {"ward": ["a", "b", "c"]}
    assert len(frame.groupby("ward", domain=domain)["cost"].agg("sum").reveal()) == 3
    assert frame[frame["ward"] == "a"]["cost"].sum().reveal() == TABLE[TABLE["ward"] == "a"]["cost"].sum()
    chosen = frame[frame["id"] != 50]
    with pytest.raises(PolicyError, match=NEAR):
        chosen.groupby("ward", domain=domain)["cost"].agg("sum").reveal()
    with pytest.raises(PolicyError, match=NEAR):
        frame[(frame["ward"] == "a") & (frame["id"] != 51)]["cost"].sum().reveal()


def test_nor_a_table_that_leaves_few_out_and_all_rows(engine, frame):
    """Each group leaves many out, all together leave one: with the total it would be told."""
    assert frame["cost"].sum().reveal() == TABLE["cost"].sum()
    domain = {"ward": ["a", "b", "c"]}
    found = frame[frame["id"] != 50].groupby("ward", domain=domain)["cost"].agg(["sum", "count"]).reveal()
    assert found["sum"].isna().tolist() == found["count"].isna().tolist() == [False, False, True], "50 is in c"
    rare = TABLE.assign(ward=["d"] * 3 + list(TABLE["ward"][3:]))
    for stated in (domain, None):
        frame = an.from_pandas(engine, {"alice": rare[:40], "carol": rare[40:]}, policy=Policy())
        found = frame.groupby("ward", domain=stated)["cost"].agg("sum").reveal()
        assert found.count() == 2, "3 rows are in no group that is stated, or in one that is too small"
    counts, _ = frame["id"].histogram([5, 40, 89]).reveal()
    assert counts.mask.tolist() == [True, False], "5 rows are in no bin"
    assert framed(engine)["id"].histogram([10, 40, 89]).reveal()[0].tolist() == [30, 50]


def test_private_groups_of_almost_the_same_rows(engine, frame):
    assert len(frame.groupby("ward")["cost"].agg("sum").reveal()) == 3
    with pytest.raises(PolicyError, match="the same private groups of other rows were asked for; state domain="):
        frame[frame["id"] != 50].groupby("ward")["cost"].agg("sum").reveal()
    computed = frame.assign(ward=frame["ward"].where(frame["id"] != 51, "z"))
    for other in (computed.groupby("ward"), frame.groupby("id")):
        with pytest.raises(PolicyError, match="other private groups were asked for; state domain="):
            other["cost"].agg("sum").reveal()
    frame = framed(engine)
    half = frame[frame["age"] < 40]
    assert half["cost"].sum().reveal() == TABLE[AGES < 40]["cost"].sum()
    with pytest.raises(PolicyError, match=NEAR):
        frame[(frame["age"] < 40) & (frame["id"] != 3)].groupby("id")["cost"].agg("sum").reveal()


@pytest.mark.parametrize("share", [True, False])  # the first is quick
@pytest.mark.few(1)
def test_edges_77_and_78(frame, share):
    rows = frame[["age"]].share() if share else frame
    counts, _ = rows["age"].histogram([0, 40, 77, 100]).reveal()
    assert counts.tolist() == [40, 36, 14]
    assert rows["age"].histogram([0, 20, 40, 60, 77, 100]).reveal()[0].tolist() == [20, 20, 20, 16, 14]
    with pytest.raises(PolicyError, match=NEAR):
        rows["age"].histogram([0, 40, 78, 100]).reveal()
    with pytest.raises(PolicyError, match=NEAR):
        frame["age"].histogram([0, 78, 100]).reveal()
    with pytest.raises(PolicyError, match=NEAR):
        frame[frame["age"] < 78]["cost"].sum().reveal()


def test_bisection_with_a_flag(frame):
    """Nine known rows, and one of which only [enough] is asked: its value would be found in six questions."""
    known = frame["id"] < 9
    refused = 0
    for bound in (90, 45, 60, 70, 80):
        chosen = frame[known | ((frame["id"] == 76) & (frame["age"] >= bound))]
        try:
            result = chosen["cost"].mean().reveal()
        except PolicyError:
            refused += 1
        else:
            assert isinstance(result, Withheld) or refused == 0
    with pytest.raises(PolicyError, match="withheld"):
        float(frame[known]["cost"].mean().reveal())


def test_a_patient_questioner_runs_out_of_row_sets(engine):
    frame = framed(engine, Policy(row_sets=3))
    answers = [frame[frame["age"] >= bound]["cost"].sum().reveal() for bound in (15, 30, 45)]
    with pytest.raises(PolicyError, match=r"4 different filters, groupings and histograms of .*, the policy allows 3"):
        frame[frame["age"] >= 60]["cost"].sum().reveal()
    with pytest.raises(PolicyError, match="the policy allows 3"):
        frame["age"].histogram([0, 50, 100]).reveal()
    assert frame["cost"].sum().reveal() == TABLE["cost"].sum()
    assert [frame[frame["age"] >= bound]["cost"].sum().reveal() for bound in (15, 30, 45)] == answers


def test_a_list_of_quantiles_is_bounded(engine):
    frame = framed(engine, Policy(row_sets=3))
    for q in (0.3, 0.5, 0.7, 0.5):
        assert frame["cost"].quantile(q).reveal() == pytest.approx(TABLE["cost"].quantile(q))
    for more in (frame["cost"].quantile(0.51), frame["ward"].nunique(domain=["z"])):
        with pytest.raises(PolicyError, match="the policy allows 3"):
            more.reveal()


def test_values_that_nobody_has_are_hidden_in_numbers_of_values(engine):
    with pytest.raises(PolicyError, match="tells which values nobody has, and the policy hides counts of zero"):
        framed(engine, Policy(hide_zeros=True))["ward"].nunique(domain=["z"]).reveal()


@pytest.mark.few(1)
def test_row_by_row(frame):
    for row in (0, 50, 89):
        result = frame[frame["id"] == row]["cost"].sum().reveal()
        assert isinstance(result, Withheld)
        with pytest.raises(PolicyError, match="withheld"):
            result + 1


# --- by a driver that lies ----------------------------------------------------------------------------------------


def test_a_driver_that_forgets_what_was_asked(engine, frame):
    frame[frame["age"] >= 40]["cost"].sum().reveal()
    answered = frame._dataset.answered
    answered.sets = ()
    with pytest.raises(PolicyError, match=r"(alice|bob) refuses: the question says otherwise than this party's ledger"):
        frame[(frame["age"] >= 40) & (frame["id"] != 50)]["cost"].sum().reveal()
    with pytest.raises(PolicyError, match=NEAR):  # the driver asked the parties since
        frame[(frame["age"] >= 40) & (frame["id"] != 50)]["cost"].sum().reveal()


def test_a_driver_that_makes_up_or_reorders_what_was_asked(engine, frame):
    for bound in (20, 40, 60):
        frame[frame["age"] >= bound]["cost"].sum().reveal()
    answered = frame._dataset.answered
    sets = answered.sets
    assert len(sets) == 3
    for lie in (sets[::-1], sets[1:], (*sets, change(sets[0], where=None, by=sets[0].by)), sets + sets):
        answered.sets, answered.stale = lie, False
        with pytest.raises(PolicyError, match="otherwise than this party's ledger"):
            frame[frame["age"] < 40]["cost"].sum().reveal()
    assert frame[frame["age"] >= 20]["cost"].sum().reveal() == TABLE[AGES >= 20]["cost"].sum()


def test_rows_that_are_not_there(frame):
    tables = frame._dataset.facts.tables
    more = (change(tables[0], rows=(tables[0].rows[0] + 1, *tables[0].rows[1:])), *tables[1:])
    with pytest.raises(ProgramError, match="alice refuses: its table has other rows than the question states"):
        twin(frame, tables=more)["cost"].sum().reveal()


@pytest.mark.parametrize("rules", [{"largest": 100, "two_largest": 100}, {"min_rows": 3}, {"hide_zeros": True}])
def test_a_policy_without_one_of_its_rules(frame, rules):
    """... makes another program: whoever keeps the policy refuses the question."""
    weaker = twin(frame, policy=change(Policy(), **rules))
    with pytest.raises(PolicyError, match="refuses: the question states another policy than this party keeps"):
        weaker.groupby("ward", domain={"ward": ["a", "b", "c"]})["cost"].sum().reveal()


RICH = TABLE.assign(cost=np.where(np.arange(N) == 40, 1e6, TABLE["cost"]))


def without_guard(job):
    """The same program, where what multiplies the sum is a bit that is always set."""
    nodes = list(job.program.nodes)
    bits = [at for at, node in enumerate(nodes) if type(node.op).__name__ == "AtLeast"]
    if not bits:
        return job
    node = nodes[bits[-1]]
    nodes[bits[-1]] = type(node)(change(node.op, threshold=-1), node.inputs)
    return altered(job, program=change(job.program, nodes=tuple(nodes)))


def test_a_program_without_the_rule_for_sums_that_one_value_makes_up(engine, monkeypatch):
    frame = an.from_pandas(engine, {"alice": RICH[:40], "carol": RICH[40:]}, policy=Policy())
    with lying(engine, monkeypatch, without_guard), pytest.raises(ProgramError, match="not the program that follows"):
        frame["cost"].sum().reveal()
    assert isinstance(frame["cost"].sum().reveal(), Withheld)


def test_a_value_that_makes_up_a_sum_is_not_told_by_the_other_groups(engine):
    frame = an.from_pandas(engine, {"alice": RICH[:40], "carol": RICH[40:]}, policy=Policy())
    found = frame.groupby("ward", domain={"ward": ["a", "b", "c"]})["cost"].agg(["sum", "count"]).reveal()
    assert found["sum"].isna().tolist() == [True, True, False], "row 40 is in b; a is the first of equal ones"
    assert found["count"].tolist() == [30, 30, 30]
    assert isinstance(frame["cost"].mean().reveal(), Withheld), "nor by the total"


def test_merges_with_other_lists_of_keys(engine):
    """A list of all keys but one, after a list of all, would tell what that one's row adds."""
    policy = Policy(operations=("count", "sum", "merge"), largest=100, two_largest=100)
    frame = framed(engine, policy)
    lists = [pd.DataFrame({"id": range(most)}) for most in (40, 39)]
    first, second = (an.from_pandas(engine, {"bob": keys}) for keys in lists)
    merged = an.merge(frame, first, on="id")
    assert merged["cost"].sum().reveal() == TABLE["cost"][:40].sum()
    assert merged.count_rows().reveal() == 40, "the same merge goes on"
    with pytest.raises(PolicyError, match="one merge of a frame, and one grouping of it"):
        an.merge(frame, second, on="id")["cost"].sum().reveal()
    with pytest.raises(PolicyError, match="one merge of a frame, and one grouping of it"):
        icm.reveal(merged["cost"].sum(), an.merge(frame, second, on="id")["cost"].sum())
    assert [told.in_words().split(",")[0] for told in frame._dataset.answered.sets] == ["merge on id"]


def opened_too(job, op):
    nodes = job.program.nodes
    return altered(job, program=change(job.program, nodes=(*nodes, type(nodes[0])(op, (0,)))))


@pytest.mark.parametrize("op", [Reveal("driver", "more"), CheckFlag("above")], ids=["a number", "a flag"])
def test_another_program_than_the_question_s(engine, frame, monkeypatch, op):
    with lying(engine, monkeypatch, lambda job: opened_too(job, op)), pytest.raises(ProgramError):
        frame["cost"].sum().reveal()
    assert frame["cost"].sum().reveal() == TABLE["cost"].sum()


# --- read again ---------------------------------------------------------------------------------------------------


def test_rows_that_are_read_twice_have_one_ledger(engine):
    policy = Policy(name=f"twice-{engine.lanes}")
    one, other = framed(engine, policy), framed(engine, policy)
    expected = TABLE[AGES >= 40]["cost"].sum()
    assert one[one["age"] >= 40]["cost"].sum().reveal() == expected
    for again in (other, framed(engine, policy)):
        with pytest.raises(PolicyError, match=NEAR):
            again[(again["age"] >= 40) & (again["id"] != 50)]["cost"].sum().reveal()
        assert again[again["age"] >= 40]["cost"].sum().reveal() == expected
    with pytest.raises(PolicyError, match="two datasets of one name"):
        icm.reveal(one[one["age"] >= 40]["cost"].sum(), other[other["age"] >= 20]["cost"].sum())


def test_two_sessions_have_one_ledger(folder):
    policy = Policy(name="visits")
    with session(folder) as first, session(folder) as second:
        one, other = framed(first, policy), framed(second, policy)
        one[one["age"] >= 40]["cost"].sum().reveal()
        with pytest.raises(PolicyError, match=NEAR):
            other[(other["age"] >= 40) & (other["id"] != 50)]["cost"].sum().reveal()
    for path in (folder / "visits").iterdir():
        assert len({told for entry in read_entries(path)[0] for told in entry.sets}) == 2, "what was refused is in it"


# --- what is kept -------------------------------------------------------------------------------------------------


@pytest.mark.few(2)
def test_the_same_question_gets_the_stored_answer(engine, frame, monkeypatch):
    query = frame[frame["age"] >= 40]["cost"].sum()
    first, edges = query.reveal(), frame["age"].histogram([0, 50, 100]).reveal()
    ran = []
    with lying(engine, monkeypatch, lambda job: ran.append(job) or job):
        assert query.reveal() == first
        counts, _ = frame["age"].histogram([0, 50, 100]).reveal()
        counts[0] = 0
        assert frame["age"].histogram([0, 50, 100]).reveal()[0].tolist() == edges[0].tolist()
        assert not ran
        query.reveal(to="bob")
        assert ran, "another recipient is another question"


@pytest.mark.parametrize("lanes", [1, 2])
@pytest.mark.few(2)
def test_a_ledger_outlives_the_session(folder, lanes):
    policy = Policy(name="visits")
    with session(folder, lanes) as engine:
        frame = framed(engine, policy)
        frame[frame["age"] >= 40]["cost"].sum().reveal(to="bob")
        frame["cost"].mean().reveal()
    with session(folder, lanes) as engine:
        frame = framed(engine, policy)
        with pytest.raises(PolicyError, match=NEAR):
            frame[(frame["age"] >= 40) & (frame["id"] != 50)]["cost"].sum().reveal()
        assert frame[frame["age"] >= 40]["cost"].sum().reveal() == TABLE[AGES >= 40]["cost"].sum()
    files = sorted(path.name for path in (folder / "visits").iterdir())
    assert files == ["alice.jsonl", "bob.jsonl"]
    entries, _ = read_entries(folder / "visits" / "alice.jsonl")
    asked = [entry for entry in entries if entry.question is not None]
    assert [entry.titles[0].split(" ")[0] for entry in asked] == ["sum", "mean", "sum", "sum"]
    assert (asked[0].recipient, asked[0].rows, len(asked[0].sets)) == ("bob", N, 1)
    assert asked[0].sets[0].in_words() == "age >= 40"
    assert (folder / "visits" / "alice.jsonl").stat().st_mode & 0o777 == 0o600


def test_what_was_merged_or_shared_in_another_session(folder):
    """... has the same names there, and may be other rows."""
    policy = Policy(name="visits", operations=("count", "sum", "merge"), largest=100, two_largest=100)

    def merged(engine, most):
        keys = an.from_pandas(engine, {"bob": pd.DataFrame({"id": range(most)})})
        return an.merge(framed(engine, policy), keys, on="id")

    with session(folder) as engine:
        assert merged(engine, 40).count_rows().reveal() == 40
    for _ in range(2):
        with session(folder) as engine, pytest.raises(PolicyError, match="in an earlier session: merge on id"):
            merged(engine, 39).count_rows().reveal()


def test_the_text_of_sql_is_kept(folder):
    text = "SELECT COUNT(*) AS n FROM visits WHERE age >= 40"
    with session(folder) as engine:
        an.sql(text, visits=framed(engine, Policy(name="visits"))).reveal()
    for name in ("alice", "bob"):
        entries, _ = read_entries(folder / "visits" / f"{name}.jsonl")
        assert [entry.question.texts for entry in entries] == [(text,)]


@pytest.mark.parametrize("harm", ["changed", "cut", "swapped", "no entry"])
def test_a_ledger_that_was_touched_is_refused(folder, harm):
    policy = Policy(name="visits")
    with session(folder) as engine:
        frame = framed(engine, policy)
        for bound in (20, 40, 60):
            frame[frame["age"] >= bound]["cost"].sum().reveal()
    path = folder / "visits" / "bob.jsonl"
    lines = path.read_bytes().splitlines()
    entry = json.loads(lines[1])
    assert entry["entry"]["previous"] == json.loads(lines[0])["hash"]
    if harm == "changed":
        lines[1] = lines[1].replace(b'"value":40', b'"value":41')
    elif harm == "cut":
        del lines[1]
    elif harm == "swapped":
        lines[1], lines[2] = lines[2], lines[1]
    else:
        lines[1] = b"{}"
    path.write_bytes(b"\n".join(lines) + b"\n")
    with session(folder) as engine, pytest.raises(SessionError, match=r"bob.jsonl, line 2: the ledger is broken"):
        framed(engine, policy)
