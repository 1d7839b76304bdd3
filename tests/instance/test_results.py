"""Results that are for another organisation than who asks: in its instance, as pandas has them, and nowhere else."""

from __future__ import annotations

import io
import json
import struct
from dataclasses import replace as replaced
from decimal import Decimal

import msgspec
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

import icm_ray as icm
from analytics.arrived import arrived
from analytics.receipt import Receipt
from cluster.cli.main import app
from icm_ray.instance.answers import _stands
from icm_ray.instance.found import found
from icm_ray.instance.instance import Instance
from icm_ray.instance.jobs import Jobs
from icm_ray.instance.offer import offer
from icm_ray.instance.results import Results
from icm_ray.instance.roster import Peer
from icm_ray.instance.settings import Settings
from icm_ray.names import DRIVER
from icm_ray.owner.result_parquet import parquet_of
from icm_ray.policy import OPERATIONS
from icm_ray.query.question import decode_asked, encode_asked
from icm_ray.query.result_table import ResultColumn, ResultTable
from icm_ray.runtime.driver import run
from icm_ray.runtime.orders import messages as say
from icm_ray.runtime.orders.house import Allowed, ExpectResult, MayRun, TakeResult
from icm_ray.runtime.orders.origins import FromQuestion
from tests.instance.conftest import rows

WARDS = {"ward": ["A", "B", "C"]}


@pytest.fixture(scope="module")
def both(organisations, alice):
    """Rows of alice and of bob, of which bob lets alice ask at once."""
    return alice.frame({"alice": "visits", "bob": "visits"})


@pytest.fixture(scope="module")
def joined():
    return pd.concat([rows(0), rows(1)])


def of_bob(organisations, receipt):
    """What bob has."""
    assert isinstance(receipt, Receipt)
    assert receipt.recipient == "bob"
    (found,) = [one for one in arrived(organisations["bob"][0]) if one.number == receipt.number]
    assert found.asker == "alice"
    return found


def invoked(home, *words):
    result = CliRunner().invoke(app, [words[0], "--home", str(home), *words[1:]])
    assert result.exit_code == 0, (result.output, result.exception)
    return result.output


# --- what comes ------------------------------------------------------------------------------------------------


def test_a_number_is_the_recipients_alone(both, joined, organisations, monkeypatch):
    """Neither what the driver hears, nor any file or log but the result's own has it."""
    heard = []
    decode = say.decode_answer
    monkeypatch.setattr(say, "decode_answer", lambda payload, name: heard.append(payload) or decode(payload, name))
    wanted = joined["cost"].sum()
    found = of_bob(organisations, both["cost"].sum().reveal(to="bob"))
    assert found.value() == wanted
    assert found.title == "sum of cost, of 400 rows of alice and 400 rows of bob"
    assert heard
    marks = [str(wanted).encode(), struct.pack("<d", wanted), struct.pack("<q", int(wanted * 64))]
    answers = [decode(payload, "bob") for payload in heard]
    assert not any(isinstance(answer, say.ResultMessage) for answer in answers)
    for payload in heard:
        assert not any(mark in payload for mark in marks)
    root = organisations["alice"][0].parent
    files = [path for path in root.rglob("*") if path.is_file() and path.suffix != ".parquet"]
    assert len(files) > 10
    for path in files:
        assert not any(mark in path.read_bytes() for mark in marks), path
    kept = organisations["bob"][0] / "results"
    assert {path.stat().st_mode & 0o777 for path in kept.iterdir()} == {0o600}
    assert not list(organisations["alice"][0].glob("results/*.parquet"))
    assert organisations["bob"][1].audit.entries()[-1].what == "delivered"


def test_groups_are_rows_under_their_keys(both, joined, organisations):
    query = both[both["age"] >= 40].groupby("ward", domain=WARDS)["cost"].agg(["count", "mean", "sum"])
    found = of_bob(organisations, query.reveal(to="bob"))
    chosen = joined[joined["age"] >= 40].groupby("ward")["cost"]
    table = found.to_pandas()
    assert list(table.index) == ["A", "B", "C"]
    assert (found.rows, table.index.name) == (3, "ward")
    assert table["count of cost"].tolist() == chosen.count().tolist()
    assert table["mean of cost"].tolist() == pytest.approx(chosen.mean().tolist(), rel=1e-12)
    assert table["sum of cost"].tolist() == chosen.sum().tolist()
    assert "by ward where age >= 40" in found.title


@pytest.mark.slow
def test_several_numbers_are_one_row(both, joined, organisations):
    receipts = icm.reveal(both["age"].sum(), both[both["age"] < 50]["cost"].mean(), both["cost"].std(), to="bob")
    assert len(set(receipts)) == 1
    table = of_bob(organisations, receipts[0]).to_pandas()
    assert table["sum of age"].tolist() == [joined["age"].sum()]
    assert str(table["sum of age"].dtype) == "int64"
    assert table["mean of cost where age < 50"][0] == pytest.approx(
        joined[joined["age"] < 50]["cost"].mean(), rel=1e-12
    )
    assert table["std of cost (ddof=1)"][0] == pytest.approx(joined["cost"].std(), rel=1e-12)


def test_a_histogram_is_a_row_for_each_bin(both, joined, organisations):
    found = of_bob(organisations, both["age"].histogram(bins=4, range=(0, 100)).reveal(to="bob"))
    counts = pd.cut(joined["age"], [0, 25, 50, 75, 100], right=False).value_counts(sort=False)
    table = found.to_pandas()
    assert table["count"].tolist() == counts.tolist()
    assert table["from"].tolist() == [0, 25, 50, 75]


def test_times_durations_and_decimals_are_in_their_units(alice, organisations):
    folder, bob = organisations["bob"]
    path, of = folder.parent / "moments.parquet", rows(4)
    days = pd.to_datetime("2024-02-28") + pd.to_timedelta(of["age"] % 3, unit="D")
    table = pa.table(
        {
            "day": pa.array(days.dt.date, pa.date32()),
            "at": pa.array(days + pd.to_timedelta(of["age"], unit="s"), pa.timestamp("us", "Europe/Vienna")),
            "length": pa.array(of["age"], pa.int64()).cast(pa.duration("ms")),
            "price": pa.array([Decimal(f"{cost:.2f}") for cost in of["cost"]], pa.decimal128(10, 2)),
        }
    )
    pq.write_table(table, path)
    offer(bob.catalogue, "moments", [str(path)], icm.Policy(min_rows=5, operations=OPERATIONS), ("alice",))
    frame = alice.peer("bob")["moments"]
    queries = [
        *(frame[name].max() for name in ("day", "at", "length", "price")),
        *(frame[name].mean() for name in ("day", "at", "length", "price")),
        frame["at"].std(),
        frame["length"].sum(),
        frame["price"].sum(),
    ]
    found = of_bob(organisations, icm.reveal(*queries, to="bob")[0]).to_pandas()
    assert list(found.iloc[0]) == list(icm.reveal(*queries))
    kinds = [str(kind) for kind in pq.read_schema(io.BytesIO(arrived(folder)[-1].parquet())).types]
    assert kinds[:4] == ["date32[day]", "timestamp[us, tz=Europe/Vienna]", "duration[ms]", "decimal256(76, 2)"]
    query = frame.groupby("day", domain={"day": sorted(set(table["day"].to_pylist()))})["length"].sum()
    found, wanted = of_bob(organisations, query.reveal(to="bob")).to_pandas(), query.reveal()
    assert (list(found.index), found["sum of length"].tolist()) == (list(wanted.index), wanted.tolist())
    bob.catalogue.remove("moments")


def test_what_is_withheld_is_told_to_the_recipient_alone(both, organisations):
    receipt = both[both["cost"] > 1e6]["age"].sum().reveal(to="bob")
    found = of_bob(organisations, receipt)
    assert isinstance(found.value(), icm.Withheld)
    assert "fewer than" in found.withheld[0]
    assert "fewer than" not in repr(receipt)


@pytest.mark.slow
def test_private_keys_are_the_recipients(alice, organisations):
    frame = alice.peer("bob")["visits"]
    table = of_bob(organisations, frame.groupby("ward")["age"].sum().reveal(to="bob")).to_pandas()
    wanted = rows(1).groupby("ward")["age"].sum()
    pd.testing.assert_series_equal(table["sum of age"], wanted, check_names=False, check_index_type=False)


def test_the_same_question_is_delivered_once(both, organisations):
    before = len(arrived(organisations["bob"][0]))
    receipts = {both["age"].std().reveal(to="bob") for _ in range(2)}
    assert len(receipts) == 1
    assert len(arrived(organisations["bob"][0])) == before + 1
    assert isinstance(both["age"].std().reveal(), float)  # and for the asker it is another question


@pytest.mark.slow
def test_a_result_that_comes_again_after_a_fault_is_there_once(both, organisations, monkeypatch):
    """The asker's driver has not heard that it came."""
    before, heard = len(arrived(organisations["bob"][0])), []
    delivered = run._delivered

    def lost(job, said):
        heard.append(delivered(job, said))
        raise icm.Desynchronised("the answer was lost", party="bob", step="result")

    query = both[both["age"] >= 71]["cost"].sum()
    with monkeypatch.context() as patched:
        patched.setattr(run, "_delivered", lost)
        with pytest.raises(icm.Desynchronised):
            query.reveal(to="bob")
    assert query.reveal(to="bob") == Receipt("bob", heard[0])
    assert len(arrived(organisations["bob"][0])) == before + 1
    others = {both[both["age"] >= age]["cost"].sum().reveal(to="bob") for age in (61, 51)}
    assert len(others) == 2
    assert len(arrived(organisations["bob"][0])) == before + 3


def test_a_request_names_its_recipient(organisations, alice):
    home, bob = organisations["bob"]
    path = home.parent / "asked.parquet"
    rows(3).to_parquet(path)
    offer(bob.catalogue, "asked", [str(path)], icm.Policy(min_rows=5), (), ("alice",))
    organisations["alice"][1]._answers._outbox._fresh = 0.0
    frame = alice.peer("bob")["asked"]
    handle = frame["cost"].mean().request(reason="bob's own", to="bob")
    number = next(one.number for one in bob.requests.all if one.job == handle.id)
    assert "to: bob alone" in invoked(home, "show", str(number))
    invoked(home, "approve", str(number), "--times", "2", "--until", "2090-01-01")
    with pytest.raises(icm.PolicyError, match="nobody approved"):
        frame["cost"].mean().reveal()
    found = of_bob(organisations, handle.result())
    assert found.value() == pytest.approx(rows(3)["cost"].mean(), rel=1e-12)
    again = alice.job(handle.id).result()
    assert of_bob(organisations, again).value() == found.value()
    bob.catalogue.remove("asked")
    Jobs(organisations["alice"][0])._path(handle.id).unlink()


def test_commands(both, joined, organisations, tmp_path):
    home = organisations["bob"][0]
    receipt = both.groupby("ward", domain=WARDS)["age"].sum().reveal(to="bob")
    number = str(receipt.number)
    (listed,) = [one for one in json.loads(invoked(home, "results", "--json")) if one["number"] == receipt.number]
    assert (listed["from"], listed["rows"]) == ("alice", 3)
    assert listed["what"].startswith("number of rows, sum of age by ward")
    shown = json.loads(invoked(home, "results", number, "--json"))
    sums = joined.groupby("ward")["age"].sum()
    assert {row["ward"]: row["sum of age"] for row in shown["rows"]} == sums.to_dict()
    assert str(sums["A"]) in invoked(home, "results", number)
    out = tmp_path / "result.parquet"
    invoked(home, "results", number, "--out", str(out))
    assert pd.read_parquet(out)["sum of age"].tolist() == sums.tolist()
    assert out.stat().st_mode & 0o777 == 0o600
    invoked(home, "results", number, "--remove")
    for words in ((number,), (number, "--remove"), ("--remove",)):
        assert CliRunner().invoke(app, ["results", "--home", str(home), *words]).exit_code


# --- what does not -----------------------------------------------------------------------------------------------


def test_what_cannot_be_handed_over_is_refused_before_it_costs(both):
    for query in (both["age"].median(), both["age"].sort_values().head(10)):
        with pytest.raises((icm.InputError, icm.PolicyError)):
            query.reveal(to="bob")
    with pytest.raises(icm.InputError, match="several forms"):
        icm.reveal(both["age"].sum(), both["age"].histogram(bins=4, range=(0, 100)), to="bob")
    with pytest.raises(icm.InputError, match="it is public"):
        both["age"].count().reveal(to="bob")


@pytest.mark.parametrize("to", ["carol", "dora", "dealer"])
def test_who_takes_no_part_receives_nothing(both, to):
    with pytest.raises(icm.OwnerError, match="recipient"):
        both["cost"].mean().reveal(to=to)


def told(organisations, call, asker="alice"):
    return organisations["bob"][1]._answers.to_worker(asker, call)


class Liar:
    """Alters what the driver tells the workers of the next run: the question that a job follows from, its program."""

    def __init__(self, frame, monkeypatch):
        self.engine = frame.meant.dataset.engine
        self._monkeypatch = monkeypatch

    def lying(self, change):
        execute = self.engine.execute
        self._monkeypatch.setattr(self.engine, "execute", lambda jobs: execute([change(job) for job in jobs]))


@pytest.fixture
def liar(both, monkeypatch):
    yield Liar(both, monkeypatch)
    monkeypatch.undo()
    assert both["age"].sum().reveal() == rows(0)["age"].sum() + rows(1)["age"].sum()


def altered(job, change):
    asked = change(decode_asked(job.origin.asked))
    return replaced(job, origin=FromQuestion(encode_asked(asked), job.origin.stage))


def to_other(asked, to):
    return msgspec.structs.replace(asked, what=msgspec.structs.replace(asked.what, to=to))


@pytest.mark.parametrize("to", ["alice", "carol", DRIVER])
def test_a_program_with_another_recipient_than_its_question_is_refused(both, liar, organisations, to):
    before = len(arrived(organisations["bob"][0]))
    liar.lying(lambda job: altered(job, lambda asked: to_other(asked, to)))
    with pytest.raises((icm.ProgramError, icm.OwnerError, icm.InputError)):
        both["cost"].mean().reveal(to="bob")
    assert len(arrived(organisations["bob"][0])) == before


def test_a_driver_that_waits_for_the_result_itself_gets_none(both, liar):
    liar.lying(lambda job: replaced(job, elsewhere=""))
    with pytest.raises(icm.Desynchronised, match="did not deliver"):
        both["cost"].var().reveal(to="bob")


def test_names_are_of_the_question_and_no_words_of_the_drivers(both, liar, organisations):
    def told_otherwise(asked):
        return msgspec.structs.replace(asked, what=msgspec.structs.replace(asked.what, texts=("SELECT secrets",)))

    liar.lying(lambda job: altered(job, told_otherwise))
    found = of_bob(organisations, both["cost"].sem().reveal(to="bob"))
    assert "secrets" not in found.title


def test_too_many_and_too_large_ones_are_refused_before_anything_is_opened(both, organisations, monkeypatch):
    bob = organisations["bob"][1]
    before = len(arrived(organisations["bob"][0]))
    with monkeypatch.context() as patched:
        patched.setattr(bob.results, "_most", before)
        with pytest.raises(icm.PolicyError, match="results of alice, which is its limit"):
            both["cost"].skew().reveal(to="bob")
        with pytest.raises(icm.PolicyError, match="its limit"):
            told(organisations, TakeResult("sum of cost", 1, (), b"PAR1"))
    with monkeypatch.context() as patched:
        patched.setattr(bob.results, "_most_bytes", 8)
        with pytest.raises(icm.PolicyError, match="bytes of numbers for it; it takes 8"):
            both["cost"].kurt().reveal(to="bob")
    assert len(arrived(organisations["bob"][0])) == before


def test_only_approved_peers_results_are_taken(organisations):
    for call in (ExpectResult(8), TakeResult("sum of cost", 1, (), b"PAR1")):
        with pytest.raises(icm.InstanceError):
            told(organisations, call, "mallory")
        with pytest.raises(icm.PolicyError, match="hear themselves"):
            told(organisations, call, "bob")


def test_a_third_party_hears_of_rows_that_stand_open_for_it(organisations):
    """A standing approval is for what the asker hears; for others their own has to stand."""
    held = organisations["bob"][1].catalogue.datasets["visits"]
    assert held.standing == ("alice",)
    assert _stands(held, "alice", "", "bob")
    assert _stands(held, "alice", "alice", "bob")
    assert _stands(held, "alice", "bob", "bob")
    assert not _stands(held, "alice", "dora", "bob")
    assert not _stands(held, "dora", "alice", "bob")
    asked = MayRun("question", b"\x90", ("visits",), {"dataset-1": "visits"}, ("alice", "bob", "dora"))
    assert told(organisations, asked) == Allowed()
    with pytest.raises(icm.PolicyError):
        told(organisations, msgspec.structs.replace(asked, to="dora"))


# --- the files alone ---------------------------------------------------------------------------------------------


def test_results_outlast_a_restart_and_numbers_are_never_used_again(tmp_path):
    kept = Results(tmp_path, 2, 64, clock=lambda: 1000.0)
    parquet = io.BytesIO()
    pd.DataFrame({"sum of cost": [1.5]}).to_parquet(parquet)
    call = TakeResult("sum of cost", 1, (), parquet.getvalue())
    assert [kept.add("bob", "alice", call).number for _ in range(2)] == [1, 2]
    with pytest.raises(icm.PolicyError, match="its limit"):
        kept.add("bob", "alice", call)
    assert kept.add("bob", "dora", call).number == 3
    kept.remove(3)
    kept.remove(2)
    again = Results(tmp_path, 2, 64)
    assert [(one.number, one.since) for one in again.all] == [(1, 1000.0)]
    assert again.add("bob", "alice", call).number == 4
    assert again.parquet(1) == parquet.getvalue()
    (path,) = (tmp_path / "results").glob("1.*.parquet")
    path.write_bytes(b"PAR1")
    with pytest.raises(icm.InstanceError, match="not as it came"):
        again.parquet(1)
    with pytest.raises(icm.InstanceError, match="no result 3"):
        again.parquet(3)


def test_a_result_of_one_id_is_one(tmp_path):
    """Of an asker: also where no more are taken of it, and after a restart."""
    call, other = (TakeResult("sum of cost", 1, (), b"PAR1", name) for name in ("one", "other"))
    kept = Results(tmp_path, 2, 64)
    assert [kept.add("bob", "alice", one).number for one in (call, call, other, call)] == [1, 1, 2, 1]
    again = Results(tmp_path, 2, 64)
    again.expect("bob", "alice", 8, "one")
    with pytest.raises(icm.PolicyError, match="its limit"):
        again.expect("bob", "alice", 8, "third")
    with pytest.raises(icm.PolicyError, match="its limit"):
        again.expect("bob", "alice", 8)
    with pytest.raises(icm.PolicyError, match="bytes of numbers"):
        again.expect("bob", "alice", 65, "one")
    assert again.add("bob", "alice", call).number == 1
    assert again.add("bob", "dora", call).number == 3
    again.remove(1)
    assert again.add("bob", "alice", call).number == 4


def test_a_disk_that_is_full_leaves_no_half_of_a_result(tmp_path, monkeypatch):
    kept = Results(tmp_path, 2, 64)

    def full(*_):
        raise icm.InstanceError("no space left")

    with monkeypatch.context() as patched:
        patched.setattr("icm_ray.instance.results.write_bytes", full)
        with pytest.raises(icm.InstanceError):
            kept.add("bob", "alice", TakeResult("sum of cost", 1, (), b"PAR1"))
    assert kept.all == []
    assert kept.add("bob", "alice", TakeResult("sum of cost", 1, (), b"PAR1")).number == 2


def test_an_instance_that_is_started_again_has_them(tmp_path):
    found(tmp_path, Settings("bob", "organisation", "127.0.0.1:0", spare_workers=0))
    kept = []
    for _ in range(2):
        with Instance(tmp_path) as bob:
            bob.roster.add(Peer("alice", b"certificate of alice", state="approved"))
            kept.append(bob._answers.to_worker("alice", TakeResult("sum of cost", 1, (), b"PAR1")).number)
            assert [one.number for one in bob.results.all] == kept
    assert kept == [1, 2]


def part(first, labels, run="r" * 16, name="label"):
    columns = (ResultColumn("row", list(range(first, first + len(labels)))), ResultColumn(name, labels))
    return TakeResult("labels", len(labels), (), parquet_of(ResultTable(columns, 1)), run, True, 8 * len(labels))


def test_parts_of_a_run_are_one_result(tmp_path):
    kept = Results(tmp_path, most=2, most_bytes=64)
    assert kept.add("bob", "alice", part(2, [7, 8])).number == 1
    assert kept.add("bob", "alice", part(0, [5, 6])).number == 1  # another lane was slower
    assert kept.add("bob", "alice", part(2, [7, 9])).rows == 4  # once more, after a fault
    (one,) = arrived(tmp_path)
    assert one.to_pandas()["label"].to_dict() == {0: 5, 1: 6, 2: 7, 3: 9}
    with pytest.raises(icm.PolicyError, match="another question"):
        kept.add("bob", "alice", msgspec.structs.replace(part(4, [1]), title="labels of another model"))
    with pytest.raises(icm.ProgramError, match="another table"):
        kept.add("bob", "alice", part(4, [1], name="logits"))
    for more in (part(0, [1], run="s" * 16), part(0, [1], run="")):
        kept._most += 1
        assert kept.add("bob", "alice", more).rows == 1
    assert kept.add("bob", "dora", part(0, [1])).number == 4  # of another asker, whatever it calls it
    kept.expect("bob", "alice", 16, "r" * 16)  # of a result that is there, however many there are
    kept._most = 3
    with pytest.raises(icm.PolicyError, match="which is its limit"):
        kept.expect("bob", "alice", 8, "t" * 16)
    with pytest.raises(icm.PolicyError, match="72 bytes of numbers"):  # rows that came twice count once
        kept.expect("bob", "alice", 40, "r" * 16)
    with pytest.raises(icm.PolicyError, match="72 bytes of numbers"):  # lanes that were all let begin
        kept.add("bob", "alice", part(4, [0] * 5))
    assert [len(list((tmp_path / "results").glob(f"{one.number}.*.parquet"))) for one in kept.all] == [1] * 4
