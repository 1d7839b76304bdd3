"""What parties add to a number nobody can take away again: not by asking twice, in other verbs, or for others."""

import itertools
import math
from fractions import Fraction

import msgspec
import numpy as np
import pandas as pd
import pytest

import analytics as an
import icm_ray as icm
from analytics.execute import check
from icm_ray.config import EngineConfig
from icm_ray.errors import PolicyError, ProgramError
from icm_ray.owner.noise import noise_words
from icm_ray.policy import Noise, Policy
from icm_ray.query.disclosure import check_disclosure
from icm_ray.query.expressions.tree import Expression, Literal, apply
from icm_ray.query.lane_build import Members
from icm_ray.query.lower import lower
from icm_ray.query.noise import _draw, _name
from icm_ray.query.owner_rows import OwnerTable
from icm_ray.query.question import Asked, Question
from icm_ray.query.row_set import RowSet
from icm_ray.query.statistics.count import Count
from icm_ray.query.statistics.sum import Sum
from icm_ray.query.tasks import NoiseDraw
from icm_ray.query.withheld import Withheld
from icm_ray.ring.wide import to_signed
from icm_ray.runtime.carriers.threads import ThreadEngine
from tests.query.facts import MEMBERS, ONE_LANE
from tests.security.test_attacks_on_policies import altered, lying

pytestmark = pytest.mark.usefixtures("derived_once")

N, WARDS = 120, ["a", "b", "c"]
TABLE = pd.DataFrame(
    {
        "age": np.arange(N) % 60,
        "cost": np.arange(N) * 1.5 - 20,
        "ok": np.arange(N) % 3 == 0,
        "ward": np.array(WARDS)[np.arange(N) // 2 % 3],
        "lab": [None if row % 5 == 0 else float(row % 7) for row in range(N)],
    }
)
BOUNDS = (("age", 0, 59), ("cost", 0.0, 100.0), ("lab", 0, 6))
DOMAIN = {"ward": WARDS}


NAMES = map("visits-{}".format, itertools.count())


def policy(kind="gaussian", scale=4.0, **rules):
    """Of a name of its own: datasets of one name have one ledger."""
    return Policy(**({"name": next(NAMES), "noise": Noise(kind=kind, scale=scale, bounds=BOUNDS)} | rules))


@pytest.fixture(scope="module")
def engine():
    """Of two lanes; what is asked in the next session is asked of one, too."""
    with ThreadEngine(("alice", "bob"), ("carol",), lanes=2, config=EngineConfig(partition_bytes=1200)) as made:
        yield made


def framed(engine, rules=None, table=TABLE):
    half = len(table) // 2
    return an.from_pandas(engine, {"alice": table[:half], "carol": table[half:]}, policy=rules or policy())


def ledgers(engine, lane):
    return {name: engine._lanes[lane].handles[name]._worker._role._rows.ledgers for name in engine.parties}


def drawn(engine, query):
    """What each party draws for the only number of a query, from its own secret: ring elements."""
    _, asked = check(query._parts, None)
    last = lower(asked, Members(engine.parties, engine.owners)).last
    found = []
    for name, ledger in ledgers(engine, last.lane).items():
        (task,) = (task for task in last.tasks[name].values() if isinstance(task, NoiseDraw))
        assert task.scale == 4.0, "each party draws the whole of it"
        found.append(noise_words(task, ledger.secret(task.dataset)))
    return found


# --- what is opened -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["gaussian", "laplace"])
def test_what_is_opened_is_the_number_and_what_every_party_drew(engine, kind):
    frame = framed(engine, policy(kind))
    old = frame[frame["age"] >= 30]
    count = old["age"].count()
    noise = [int(words.view(np.int64)[0]) for words in drawn(engine, count)]
    assert count.reveal() == 60 + sum(noise)
    total = old["cost"].sum()
    noise = [Fraction(to_signed(words)[0], 2**1074) for words in drawn(engine, total)]
    assert all(noise), "no party adds nothing"
    exact = Fraction(sum(TABLE["cost"].clip(0, 100)[TABLE["age"] >= 30]))
    assert total.reveal() == float(exact + sum(noise))


def test_numbers_that_are_equal_have_one_draw_however_they_are_written(engine):
    """... for a ledger takes them for one, and does not count them: their noise would average away."""
    frame = framed(engine)
    first = frame["age"].histogram([0, 30, 60]).reveal()[0].tolist()
    assert frame["age"].histogram([0.0, 30.0, 60.0]).reveal()[0].tolist() == first
    asked = frame["age"].histogram([0, 30, 60])._parts[0].statistic
    rows = frame._dataset.facts
    edges = [(0, 30, 60), (-0.0, 30, 60.0), (False, 30.0, 60), (0, 30.5, 60)]
    names = [_draw(msgspec.structs.replace(asked, edges=each), rows, "counts") for each in edges]
    assert len(set(names[:3])) == 1
    assert names[3] != names[0]
    told = [RowSet(apply("less", ("age", Expression((Literal(value, "int"),))))) for value in (1, 1.0, True, 2)]
    assert len(set(told[:3])) == len(set(map(_name, told[:3]))) == 1, "a driver may write them so"
    assert _name(told[3]) != _name(told[0])


def test_without_one_party_s_share_the_rest_is_as_noisy_as_stated(engine):
    """60 numbers: what alice alone does not know is bob's, of the whole scale."""
    frame = framed(engine, policy(row_sets=200, rows_per_bin=1), TABLE)
    query = frame["age"].histogram(60, range=(0, 60))
    alice, bob = (words.view(np.int64) for words in drawn(engine, query))
    assert abs(np.corrcoef(alice, bob)[0, 1]) < 0.65
    for words in (alice, bob):
        assert 2.2 < np.std(words) < 5.8, "the scale is 4; of 60 draws five deviations"


def test_each_statistic_says_how_noisy_it_is(engine):
    frame = framed(engine)
    root = math.sqrt(2)
    old = frame[frame["age"] >= 30]
    assert dict(old["age"].count().error.noise) == pytest.approx({"count": 4 * root})
    assert dict(frame["cost"].sum().error.noise) == pytest.approx({"sum": 400 * root})
    assert dict(old["cost"].mean().error.noise) == pytest.approx({"count": 4 * root, "sum": 400 * root})
    assert dict(frame["age"].histogram([0, 30, 60]).error.noise) == pytest.approx({"count": 4 * root})
    assert frame["age"].count().error.noise == (), "the number of rows is public"
    assert frame["age"].count().reveal() == N
    told = old["cost"].mean().explain()
    assert (
        "noise: gaussian, 2 parties add their own each: standard deviation 5.66 in the count and 566 in the sum" in told
    )
    assert "but for noise" in str(old["cost"].mean().error)
    table = frame.groupby("ward", domain=DOMAIN)["cost"].agg(["sum", "count"]).reveal()
    assert table.attrs["noise"]["sum"] == pytest.approx({"sum": 400 * root})
    assert an.from_pandas(engine, {"alice": TABLE})["cost"].sum().error.noise == ()


@pytest.mark.parametrize("share", [True, False])  # the first is quick
@pytest.mark.few(1)
def test_tables_means_and_conditions_are_noised(engine, share):
    scale = 1e6  # so that no noise is 0 by chance
    frame = framed(engine, policy(scale=scale))
    frame = frame.share(domain=DOMAIN) if share else frame
    table = frame.groupby("ward", domain=DOMAIN).agg(n=("age", "count"), total=("age", "sum"), mean=("age", "mean"))
    found = table.reveal()
    exact = TABLE.groupby("ward")["age"].agg(["count", "sum"])
    away = found["n"] - exact["count"]
    assert 0 < away.abs().max() < 10 * scale
    assert 0 < (found["total"] - exact["sum"]).abs().max() < 600 * scale
    pd.testing.assert_series_equal(
        found["mean"], (found["total"] / found["n"]).where(found["n"] > 0), check_names=False
    )
    assert 0 < abs((frame["age"] >= 40).sum().reveal() - 40) < 10 * scale
    if not share:
        counts = frame["ward"].value_counts(domain=WARDS).reveal()
        assert counts.sort_index().tolist() == found["n"].tolist(), "the same numbers in another verb"
        cells = an.crosstab(frame["ward"], frame["ok"], domain=DOMAIN).reveal()
        assert cells.shape == (3, 2)
        assert not (cells == pd.crosstab(TABLE["ward"], TABLE["ok"])).all(axis=None)


def test_values_beyond_the_bounds_are_clipped(engine):
    wild = TABLE.assign(cost=TABLE["cost"].where(TABLE.index != 7, 1e6))
    frame = framed(engine, policy(scale=0.01), wild)
    assert frame["cost"].sum().reveal() == pytest.approx(wild["cost"].clip(0, 100).sum(), abs=60)
    assert frame[["cost"]].share()["cost"].sum().reveal() == pytest.approx(wild["cost"].clip(0, 100).sum(), abs=60)


def test_small_cells_are_withheld_as_before_and_empty_ones_are_noised(engine):
    rare = TABLE.assign(ward=["d"] * 4 + list(TABLE["ward"][4:]))
    found = framed(engine, table=rare).groupby("ward", domain={"ward": [*WARDS, "d", "e"]}).size().reveal()
    assert found.index.tolist() == [*WARDS, "d", "e"], "nobody knows which have rows"
    assert found.isna().sum() == 2
    assert found.isna()["d"]
    one = framed(engine, table=rare)
    assert isinstance(one[one["ward"] == "d"]["age"].count().reveal(), Withheld)


# --- averaging ------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_same_number_has_the_same_noise_in_every_question(engine):
    frame = framed(engine)
    old = frame[frame["age"] >= 30]
    count, total = old["age"].count().reveal(), old["age"].sum().reveal()
    for to in ("alice", "bob", "carol"):
        assert old["age"].count().reveal(to=to) == count
    again = icm.reveal(
        old["age"].mean(), old["age"].sum(), old["age"].count(), old["cost"].count(), frame["cost"].sum()
    )
    assert again[:4] == (total / count, total, count, count), "columns that lack nothing have one count"
    spent = an.sql("SELECT SUM(cost) AS s FROM v", v=frame).reveal()["s"]
    assert spent.tolist() == [frame["cost"].sum().reveal()] == [again[4]]
    assert frame[["age"]].share()["age"].sum().reveal() == frame["age"].sum().reveal(), "on shares, too"


def test_counts_and_sums_have_noise_of_their_own(engine):
    """... as have filters and groups: no two of them tell each other's by subtraction."""
    frame = framed(engine, policy(row_sets=200))
    away = [frame[frame["age"] < bound]["age"].count().reveal() - 2 * bound for bound in range(10, 51, 10)]
    assert len(set(away)) > 2
    one = framed(engine)
    assert [one[one["age"] < bound]["age"].count().reveal() - 2 * bound for bound in range(10, 51, 10)] != away


def test_counts_of_columns_that_lack_values_are_as_many_as_row_sets(engine):
    """Ten columns that lack the same rows are ten draws of one number."""
    table = TABLE.assign(**{f"lab{number}": TABLE["lab"] for number in range(4)})
    frame = framed(engine, policy(row_sets=3, noise=Noise(scale=4, bounds=(("lab3", 0, 6),))), table)
    counts = icm.reveal(*(frame[f"lab{number}"].count() for number in range(3)))
    for ask in (frame["lab3"].count, frame["lab3"].mean, frame[frame["lab0"] > 2]["age"].count):
        with pytest.raises(PolicyError, match="4 different filters"):
            ask().reveal()
    assert frame["lab0"].count().reveal() == counts[0]
    assert abs(frame["age"].count().reveal() + frame["lab3"].sum().reveal() - N - TABLE["lab"].sum()) < 400


@pytest.mark.parametrize(
    ("ask", "says"),
    [
        (lambda frame: frame["cost"].std(), "there is none for std: ask for counts, sums, means"),
        (lambda frame: frame["cost"].median(), "there is none for median"),
        (lambda frame: frame["ward"].nunique(domain=WARDS), "there is none for nunique"),
        (lambda frame: (frame["age"] + 1).sum(), r"columns that it bounds \(age, cost, lab\), as they are"),
        (lambda frame: frame["cost"].clip(0, 99).mean(), "as they are, or of conditions"),
        (lambda frame: (frame["lab"] + 1).count(), "once to each count: count plain columns"),
        (lambda frame: frame["ward"].value_counts(), "which private groups do not have: state domain="),
        (lambda frame: frame.groupby("ward")["age"].sum(), "which private groups do not have: state domain="),
    ],
)
def test_what_has_no_noise_or_any_number_of_draws_is_refused(engine, ask, says):
    with pytest.raises(PolicyError, match=says):
        ask(framed(engine)).reveal()


def test_columns_without_bounds_and_merges_are_refused(engine):
    frame = framed(engine, policy(noise=Noise(scale=2)))
    assert abs(frame["ok"].sum().reveal() - 40) < 60
    with pytest.raises(PolicyError, match=r"bounds \(none\)"):
        frame["cost"].sum().reveal()
    rules = policy(operations=("count", "merge"))
    one = framed(engine, rules)
    keys = an.from_pandas(engine, {"bob": pd.DataFrame({"age": range(60)})})
    with pytest.raises(
        PolicyError, match=r"adds noise, which is not done of merged rows|ask of this dataset by itself"
    ):
        an.merge(one, keys, on="age").count_rows().reveal()
    with pytest.raises(PolicyError, match="adds noise or counts entities is not concatenated"):
        an.concat([frame, an.from_pandas(engine, {"alice": TABLE, "bob": TABLE})])["ok"].sum().reveal()


def test_noise_goes_by_a_name():
    with pytest.raises(icm.InputError, match="name is ''; it has to be given beside noise"):
        Policy(noise=Noise(scale=1))


@pytest.mark.parametrize("lanes", [1, 2])
def test_rows_that_are_read_again_have_the_same_noise_and_so_has_the_next_session(tmp_path, lanes):
    found = []
    for _ in range(2):
        config = EngineConfig(ledger=str(tmp_path), partition_bytes=1200)
        with ThreadEngine(("alice", "bob"), ("carol",), lanes=lanes, config=config) as running:
            for _ in range(2):
                frame = framed(running, policy(name="visits"))
                found.append(icm.reveal(frame[frame["age"] < 30]["age"].count(), frame["cost"].sum()))
                frame.forget()
    assert len(set(found)) == 1
    secrets = [tmp_path / "visits" / f"{name}.noise" for name in ("alice", "bob")]
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in secrets)
    assert secrets[0].read_bytes() != secrets[1].read_bytes()
    assert not list((tmp_path / "visits").glob("*.noise.*"))


def test_another_dataset_does_not_move_the_noise_to_another_lane():
    facts = msgspec.structs.replace(
        ONE_LANE, name="other", tables=(OwnerTable("table-9", "bob", (100,), (1,)),), policy=policy()
    )
    for beside in ((), (ONE_LANE,)):
        asked = Asked(
            Question((Count("other", "x"), *(Sum(rows.name, "x") for rows in beside)), "bob"), (facts, *beside)
        )
        if not beside:
            check_disclosure(asked, MEMBERS)
            continue
        with pytest.raises(PolicyError, match="ask of this dataset by itself"):
            check_disclosure(asked, MEMBERS)


# --- a driver that lies ---------------------------------------------------------------------------------------------


def test_a_driver_cannot_have_less_noise(engine, monkeypatch):
    frame = framed(engine)

    def quieter(job):
        tasks = {
            name: {
                label: type(task)(**{**{f: getattr(task, f) for f in task.__struct_fields__}, "scale": 0.01})
                if type(task).__name__ == "NoiseDraw"
                else task
                for label, task in some.items()
            }
            for name, some in job.tasks.items()
        }
        return altered(job, tasks=tasks)

    with lying(engine, monkeypatch, quieter), pytest.raises(ProgramError, match="does not imply what is asked"):
        frame["cost"].sum().reveal()
