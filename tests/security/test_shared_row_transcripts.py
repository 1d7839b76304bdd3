"""Filters and groups of shared rows: what is seen and what is opened depends on no value, nor on which rows are meant.

Shown of whole questions, as they are lowered: sizes, count and order of all frames are the same whether no row, every
row or some are meant, of one group, of all, or of none; the bytes are uniform (chi-square over byte values, 255 degrees
of freedom, threshold 378: a false alarm for one tested stream in 10^6, under 10^-3 for the file). Every operation of
theirs that opens something is one of those whose openings are enumerated on a small ring (test_small_ring.py).
"""

import numpy as np
import pytest

from icm_ray.ops import compare, groups, linear, products
from icm_ray.protocols.linear import LINEAR
from icm_ray.protocols.table import TABLE
from icm_ray.query.expressions.tree import Expression, Literal, apply, literal
from icm_ray.query.lane_build import Members
from icm_ray.query.lower import lower
from icm_ray.query.merge import JoinedColumn, Merge
from icm_ray.query.owner_rows import OwnerRows, OwnerTable
from icm_ray.query.private_keys import PrivateKeys
from icm_ray.query.question import Asked, Question, SharedColumn, Sharing
from icm_ray.query.selection import Selection
from icm_ray.query.sharing import secret_rows
from icm_ray.query.statistics.count import Count
from icm_ray.query.statistics.histogram import Histogram
from icm_ray.query.statistics.mean import Mean
from icm_ray.query.statistics.minmax import MinMax
from icm_ray.query.statistics.sum import Sum
from icm_ray.query.statistics.variance import Variance
from icm_ray.query.tasks import ColumnInfo, GroupKey, PrivateKey
from icm_ray.transport import Transcript
from tests.security import test_small_ring
from tests.security.test_transcripts import LIMIT, chi_square, outline, payloads
from tests.thread_lane import ThreadLane

ROWS = (70, 51)
WARDS = ("a", "b", "c")
VISITS = OwnerRows(
    "visits",
    (
        ColumnInfo("age", "int", nullable=False),
        ColumnInfo("cost", "float"),
        ColumnInfo("ward", "string"),
        ColumnInfo("came", "date32[day]"),
    ),
    (OwnerTable("table-1", "alice", ROWS[:1], (0,)), OwnerTable("table-2", "bob", ROWS[1:], (0,))),
    (("age", 7), ("cost", 10)),
)
COLUMNS = (
    SharedColumn("age", "age"),
    SharedColumn("cost", "cost"),
    SharedColumn("ward", "ward", WARDS),
    SharedColumn("came", "came"),
)
SHARING = Sharing("visits", "shares-1", COLUMNS, 16, 20)
SHARES = secret_rows(SHARING, VISITS)
OLD = apply("and", (apply("greater_equal", ("age", literal(65))), apply("not_equal", ("ward", literal("b")))))
SELECTIONS = {
    "a filter": Selection(SHARES.name, OLD),
    "groups": Selection(SHARES.name, by=(GroupKey("ward", WARDS),)),
    "dates and parts of them": Selection(
        SHARES.name,
        apply("greater", ("came", Expression((Literal("2001-03-01", "date32[day]"),)))),
        (GroupKey(apply("part", ("came",), ("month",)), (1, 2, 3)),),
    ),
    "a filter and groups": Selection(SHARES.name, OLD, (GroupKey("ward", ("a", "c")), GroupKey("age", (64, 65, 80)))),
}


AGES = PrivateKeys((PrivateKey("age", "int", 7),), most=128)
DOCTORS = OwnerRows(
    "doctors",
    (ColumnInfo("patient", "int", nullable=False), ColumnInfo("pay", "float")),
    (OwnerTable("table-3", "bob", (9,), (0,)),),
    (("patient", 7), ("pay", 10)),
)
PAID = SharedColumn("patient", "patient"), SharedColumn("pay", "pay")
OTHER_SHARING = Sharing("doctors", "shares-2", PAID, 16, 20)
OTHERS = secret_rows(OTHER_SHARING, DOCTORS)
PATIENTS = PrivateKeys((PrivateKey("patient", "int", 7),), most=128)
MERGES = {
    "merged": Merge(
        Selection(SHARES.name, OLD, private=AGES),
        Selection(OTHERS.name, private=PATIENTS),
        "inner",
        (JoinedColumn("cost", "cost"), JoinedColumn("pay", "pay", right=True)),
    ),
    "groups of a left merge": Merge(
        Selection(SHARES.name, private=AGES),
        Selection(OTHERS.name, apply("greater", ("pay", literal(10))), private=PATIENTS),
        "left",
        (JoinedColumn("cost", "cost"), JoinedColumn("ward", "ward"), JoinedColumn("pay", "pay", right=True)),
        by=(GroupKey("ward", WARDS),),
    ),
}


def merged(merge):
    """What is asked of merged rows."""
    asked = tuple(made(merge.name, of) for made in (Count, Sum, Mean) for of in ("cost", "pay"))
    return Asked(Question(asked, "bob", merges=(merge,)), (SHARES, OTHERS))


def question(selection, *, every=True):
    """What is asked of the rows that are meant; every: with what is enumerated elsewhere than on the small ring."""
    name, some = selection.name, [Count, Sum, Mean, MinMax]
    asked = [made(name, "cost") for made in some]
    if every:
        asked.append(Variance(name, "cost"))
    if not selection.by:
        asked.append(Histogram(name, "age", edges=(0, 18, 65, 100)))
    return Asked(Question(tuple(asked), "bob", (selection,)), (SHARES,))


def drawn(how, rng):
    """By owner what each shares, by the name of its input: values are 0 where there is none."""
    given = {}
    for owner, rows in zip(("alice", "bob"), ROWS, strict=True):
        some = {
            "none": (np.zeros(rows), np.ones(rows), np.zeros(rows)),
            "one group": (np.full(rows, 66), np.ones(rows), np.full(rows, 1)),
            "nothing there": (np.full(rows, 90), np.zeros(rows), np.zeros(rows)),
            "some": (rng.integers(60, 70, rows), rng.integers(0, 2, rows), rng.integers(0, 4, rows)),
        }[how]
        age, there, ward = (column.astype(np.int64) for column in some)
        costs = rng.integers(-(2**20), 2**20, rows) * there
        words = {"age": age, "cost": costs, "cost is there": there, "ward": ward, "ward is there": np.minimum(ward, 1)}
        words |= {"came": age * (there + 60), "came is there": there}
        given[owner] = {name: column.view(np.uint64) for name, column in words.items()}
    pay, there = rng.integers(-(2**20), 2**20, 9), rng.integers(0, 2, 9)
    more = {"patient": np.arange(62, 71), "pay": pay * there, "pay is there": there}
    given["bob"] |= {name: column.astype(np.int64).view(np.uint64) for name, column in more.items()}
    return given


def ran(asked, how, members, seed):
    """The transcript of sharing rows and asking about them, in one lane."""
    sharings = [Asked(SHARING, (VISITS,))]
    given, transcript = drawn(how, np.random.default_rng(seed)), Transcript()
    if asked.what.merges:
        sharings.append(Asked(OTHER_SHARING, (DOCTORS,)))
    with ThreadLane(members.parties, transcript=transcript) as lane:
        for made in (program for each in (*sharings, asked) for program in lower(each, members).programs):
            wanted = [node.op for node in made.program.nodes if isinstance(node.op, linear.Input)]
            brought = {name: {} for name in members.parties}
            for op in wanted:
                brought[op.owner][op.name] = given[op.owner][op.name]
            lane.run(made.program, brought, made.partition)
    return transcript


@pytest.mark.parametrize("parties", [("alice", "bob"), ("alice", "bob", "carol")], ids=len)
@pytest.mark.parametrize("selection", [*SELECTIONS, *MERGES])
@pytest.mark.few(2)
def test_nothing_that_is_seen_depends_on_which_rows_are_meant(selection, parties):
    """Of merges: on which rows match, where no age is a patient's, all are one, or some are."""
    asked = question(SELECTIONS[selection]) if selection in SELECTIONS else merged(MERGES[selection])
    seen = []
    for seed, how in enumerate(("none", "one group", "nothing there", "some")):
        transcript = ran(asked, how, Members(parties), seed)
        seen.append(outline(transcript, (*parties, "dealer")))
        for receiver in parties:
            for sender in (*parties, "dealer"):
                raw = b"".join(payloads(transcript, receiver, sender)) if sender != receiver else b""
                if len(raw) >= 2560:
                    assert chi_square(raw) < LIMIT, f"{how}: {receiver} from {sender}, {len(raw)} bytes"
    assert all(one == seen[0] for one in seen)
    assert sum(map(len, seen[0].values()))


SILENT = {*LINEAR, linear.Input, linear.Load, linear.Store, linear.Reveal}
"""They open nothing: sums, and values that are shared, kept, or put together by whom they are revealed to."""
ENUMERATED = {item for item in vars(test_small_ring).values() if isinstance(item, type) and item in TABLE}
"""Operations that test_small_ring.py plays."""


@pytest.mark.parametrize("selection", SELECTIONS)
def test_what_is_opened_is_enumerated_on_a_small_ring(selection):
    (program,) = (
        made.program for made in lower(question(SELECTIONS[selection], every=False), Members(("alice", "bob"))).programs
    )
    opening = {type(node.op) for node in program.nodes} - SILENT
    assert opening <= ENUMERATED
    assert {compare.AtLeast, products.Product} & opening
    if SELECTIONS[selection].by:
        assert groups.GroupSum in opening


def test_only_results_are_revealed():
    """Nothing leaves but the statistics that were asked for, each as often as there are groups."""
    for selection in SELECTIONS.values():
        (made,) = lower(question(selection), Members(("alice", "bob"))).programs
        kinds = zip(made.program.nodes, made.program.types(), strict=True)
        revealed = {node.op.name: kind.shape for node, kind in kinds if isinstance(node.op, linear.Reveal)}
        cells = np.prod([len(key.domain) for key in selection.by], dtype=int) if selection.by else 1
        assert set(revealed.values()) <= {(cells,), (3,), (2, cells), (1,)}
