"""Mock rows: the same for whoever knows what is public, asked in one's own process, and never taken for real ones."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

import analytics as an
import icm_ray as icm
from analytics.mock_results import of_mock
from cluster.cli.main import app
from icm_ray.instance.catalogue import Catalogue, HeldDataset, PublicDataset
from icm_ray.instance.found import found
from icm_ray.instance.offer import offer
from icm_ray.instance.roster import Peer, Roster
from icm_ray.instance.settings import Settings
from icm_ray.owner.mock_rows import MOST_MOCK_ROWS, MockColumn, MockRows, check_mock, mock_table
from icm_ray.query.tasks import ColumnInfo
from tests.instance.conftest import rows

MOCK = MockRows(500, (MockColumn("ward", ("A", "B", "C")), MockColumn("age", between=("0", "99"))))

KEYED = MockRows(200, (MockColumn("age", between=("-50", "")), MockColumn("ward", ("A", "B"))))


@pytest.fixture(scope="module")
def offered(organisations):
    """Bob's dataset that alice may request questions of, and one of her own, both with mock rows."""
    bob, alice = organisations["bob"][1], organisations["alice"][1]
    path = organisations["bob"][0].parent / "tried.parquet"
    rows(5).to_parquet(path)
    offer(bob.catalogue, "tried", [str(path)], icm.Policy(min_rows=5), (), ("alice",), MOCK)
    offer(alice.catalogue, "tried", [str(path)], icm.Policy(min_rows=7), (), (), MOCK)
    merges = icm.Policy(min_rows=5, operations=("merge", "count"))
    for one in (alice, bob):
        offer(one.catalogue, "keyed", [str(path)], merges, (), ("alice",), KEYED)
    yield bob
    for one in (alice, bob):
        one.catalogue.remove("tried")
        one.catalogue.remove("keyed")


@pytest.fixture(scope="module")
def real(alice, offered):
    return alice.peer("bob")["tried"]


@pytest.mark.parametrize("absence", ["no dealer", "no worker of bob's", "bob's instance"])
def test_mock_rows_need_no_lanes(offered, organisations, monkeypatch, absence):
    with icm.connect(organisations["alice"][0]) as session:
        visits = session.peer("bob")["tried"]
        if absence == "no dealer":
            monkeypatch.setattr(session._own, "dealer", "")
        elif absence == "no worker of bob's":
            monkeypatch.setattr(session, "_engine", gone)
        else:
            monkeypatch.setattr(session._own, "catalogue", gone)
            visits = session.peer("bob")["tried"]  # as it was when bob was there
        assert visits.columns == ("age", "cost", "ward")
        assert visits.mock()["age"].sum().reveal() == drawn()["age"].sum()
        wanted = drawn()
        old = visits[visits["cost"] >= 50].assign(old=visits["age"] + 1)[["old"]]
        assert visits[["age"]].mock()["age"].sum().reveal() == wanted["age"].sum()
        assert old.mock()["old"].sum().reveal() == (wanted[wanted["cost"] >= 50]["age"] + 1).sum()
        assert old.owners == {"bob": 400}
        shared = visits[visits["cost"] >= 50][["age"]].share()  # for one question at a time: none is asked yet
        assert "shares of the parties (bob: 400)" in repr(shared[shared["age"] >= 50])
        both = session.frame({"alice": "tried", "bob": "tried"}).mock() if absence == "no dealer" else None
        assert both is None or both["age"].sum().reveal() == drawn()["age"].sum() + drawn("alice")["age"].sum()
        assert session._engines == {}
        if absence != "bob's instance":
            with pytest.raises(icm.IcmError, match=r"knows no dealer|is gone"):
                visits["age"].sum().reveal()
    with pytest.raises(icm.SessionClosed):
        visits.mock()


def gone(*_):
    raise icm.FaultError("bob's instance is gone", party="bob")


def drawn(owner="bob", dataset="tried", mock=MOCK):
    columns = (
        ColumnInfo("age", "int", nullable=False),
        ColumnInfo("cost", "float"),
        ColumnInfo("ward", "string", nullable=False),
    )
    return mock_table(columns, mock, owner, dataset).to_pandas()


def test_every_question_is_answered_of_mock_rows_at_once(real):
    """The same code: nobody approved any of it, and on the real rows each is refused."""

    def study(visits):
        old = visits[visits["age"] >= 65].assign(double=visits["cost"] * 2)
        return [
            old["double"].mean(),
            visits.groupby("ward", domain={"ward": ["A", "B", "C"]})["age"].sum(),
            visits.groupby("ward")["age"].agg(["count", "mean"]),
            an.sql("SELECT AVG(age) AS mean FROM visits WHERE cost < 50", visits=visits),
            visits["cost"].median(),
            visits["age"].histogram(bins=4, range=(0, 100)),
            visits[["age"]].share()["age"].mean() if visits.mock() is visits else visits["age"].mean(),
        ]

    wanted, asked = drawn(), study(real.mock())
    old, by_sum, by_ward, table, median, (counts, _) = icm.reveal(*asked[:-1])
    shared = asked[-1].reveal()
    assert old == pytest.approx(2 * wanted[wanted["age"] >= 65]["cost"].mean())
    assert by_sum.to_dict() == wanted.groupby("ward")["age"].sum().to_dict()
    assert by_ward["mean"].to_dict() == pytest.approx(wanted.groupby("ward")["age"].mean().to_dict())
    assert table["mean"][0] == pytest.approx(wanted[wanted["cost"] < 50]["age"].mean())
    assert median == wanted["cost"].median()
    assert counts.tolist() == np.histogram(wanted["age"], 4, (0, 100))[0].tolist()
    assert shared == pytest.approx(wanted["age"].mean())
    for query in study(real):
        with pytest.raises(icm.PolicyError, match="nobody approved this question"):
            query.reveal()


def test_rows_of_several_owners_filtered_and_merged(alice, offered):
    both = alice.frame({"alice": "tried", "bob": "tried"})
    wanted = pd.concat([drawn("alice"), drawn("bob")])
    old = both[both["age"] >= 65]
    assert old.mock()["cost"].count().reveal() == wanted[wanted["age"] >= 65]["cost"].count()
    assert both.mock().owners == {"alice": 500, "bob": 500}
    own, bobs = alice.peer("alice")["keyed"], alice.peer("bob")["keyed"]
    merged = an.merge(own.mock(), bobs.mock(), on="age")
    wanted = pd.merge(drawn("alice", "keyed", KEYED), drawn("bob", "keyed", KEYED), on="age")
    found = merged.groupby("ward_x", domain=["A", "B"])["ward_y"].count().reveal()
    assert found.to_dict() == wanted.groupby("ward_x")["ward_y"].count().to_dict()
    with pytest.raises(icm.UnsupportedError, match="mock"):
        merged.mock()
    with pytest.raises(icm.InputError, match="session"):
        an.merge(own.mock(), bobs, on="age").count_rows().reveal()


def test_no_peer_is_asked_and_nothing_is_written(real, organisations, monkeypatch, tmp_path):
    monkeypatch.setenv("ICM_LEDGER", str(tmp_path))
    folders = [folder for folder, _ in organisations.values()]

    def written():
        return {path: path.stat().st_mtime_ns for folder in folders for path in folder.rglob("*") if path.is_file()}

    before, link = written(), real.meant.dataset.engine.link
    monkeypatch.setattr(type(link), "call", lambda *_: pytest.fail("somebody was asked"))
    mock = real.mock()
    assert mock["cost"].mean().reveal() == pytest.approx(drawn()["cost"].mean())
    assert written() == before
    assert list(tmp_path.iterdir()) == []


def test_policies_hold_as_on_real_rows(real):
    mock = real.mock()
    with pytest.raises(icm.PolicyError, match="max"):
        mock["age"].max().reveal()
    few = mock[mock["age"] >= 99].groupby("ward", domain=["A", "B", "C"])["cost"].count().reveal()
    assert few.isna().any()
    assert "fewer than 5" in " ".join(few.attrs["withheld"])
    with pytest.raises(icm.OwnerError):
        mock["age"].mean().reveal(to="mallory")


@pytest.fixture
def under(alice, offered, organisations):
    """Mock rows of Bob's under a policy, and what they are."""
    path = organisations["bob"][0].parent / "tried.parquet"

    def mock(**rules):
        offer(offered.catalogue, "ruled", [str(path)], icm.Policy(name="ruled", **rules), (), ("alice",), MOCK)
        return alice.peer("bob")["ruled"].mock(), drawn(dataset="ruled")

    yield mock
    offered.catalogue.remove("ruled")


@pytest.mark.parametrize("kind", ["gaussian", "cell_key"])
def test_counts_have_the_noise_that_the_policy_says(under, kind):
    mock, plain = under(noise=icm.Noise(kind=kind, scale=16.0))
    found = {age: mock[mock["age"] < age].count_rows().reveal() for age in (30, 50, 70)}
    off = {age: count - (plain["age"] < age).sum() for age, count in found.items()}
    assert any(off.values())
    assert max(map(abs, off.values())) < 200
    assert mock[mock["age"] < 50].count_rows().reveal() == found[50]


def test_recipients_and_entities_are_those_of_the_policy(under):
    mock, plain = under(min_rows=5, recipients=("alice",), entity="age")
    assert (plain["age"] == 59).sum() > 5  # rows of one entity
    assert isinstance(mock[mock["age"] == 59].count_rows().reveal(), icm.Withheld)
    assert mock[mock["age"] < 50].count_rows().reveal() == (plain["age"] < 50).sum()
    with pytest.raises(icm.PolicyError, match="bob"):
        mock["cost"].mean().reveal(to="bob")


def test_a_question_is_held_against_those_before_it_and_each_mock_begins_anew(real):
    mock, again = real.mock(), real.mock()
    fewer = drawn()["age"]
    assert 0 < (fewer == 57).sum() < 5
    mock[mock["age"] < 50].count_rows().reveal()
    with pytest.raises(icm.PolicyError, match="differ"):
        mock[(mock["age"] < 50) | (mock["age"] == 57)].count_rows().reveal()
    found = again[(again["age"] < 50) | (again["age"] == 57)].count_rows().reveal()
    assert found == ((fewer < 50) | (fewer == 57)).sum()


def test_what_is_of_mock_rows_says_so(real):
    mock = real.mock()
    assert repr(mock).startswith("<SecureFrame: 500 mock rows, held by their owners (bob: 500)")
    assert "mock" not in repr(real)
    assert mock.mock().meant is mock.meant
    query = mock["cost"].mean()
    assert query.explain().startswith("of mock rows: nobody else is asked\n")
    assert "to: alice" in query.explain()
    mean = query.reveal()
    assert mean.mock
    assert str(mean) == repr(mean) == f"{float(mean)!r} (of mock rows)"
    assert f"{mean:.2f}" == f"{float(mean):.2f}"
    table = mock.groupby("ward", domain=["A", "B"])["age"].agg(["sum", "mean"]).reveal()
    assert table.attrs["mock"] is True
    assert repr(table).endswith("\n(of mock rows)")
    assert "of mock rows" in table._repr_html_()
    with pytest.raises(icm.InputError, match="mock rows"):
        query.request(reason="cost study")


@pytest.mark.parametrize(
    "value",
    [1.5, 3, True, "A", Decimal("1.5"), date(2024, 1, 2), np.arange(3), pd.Series([1, 2]), pd.DataFrame({"a": [1]})],
)
def test_each_kind_of_result_says_so_and_is_equal(value):
    marked = of_mock(value)
    assert "of mock rows" in repr(marked)
    assert "of mock rows" in repr(of_mock({"a": [(value,)]}))
    assert np.all(np.asarray(marked == value))
    assert isinstance(marked, type(value)) or value is True


def test_what_is_for_another_organisation_is_not_heard_here_and_not_delivered(real):
    mock = real.mock()
    receipt = mock["cost"].mean().reveal(to="bob")
    assert repr(receipt) == "<it would be delivered to bob (of mock rows)>"
    with pytest.raises(icm.InputError, match="follow from one another"):  # as of real rows
        mock.groupby("ward")["age"].median().reveal(to="bob")


def test_who_offers_none(alice):
    with pytest.raises(icm.OwnerError, match="bob offers no mock rows of 'visits'"):
        alice.peer("bob")["visits"].mock()
    with pytest.raises(icm.OwnerError, match="alice offers no mock rows"):
        alice.frame({"alice": "visits", "bob": "tried"}).mock()
    with pytest.raises(icm.InputError, match="share"):
        alice.peer("bob")["visits"][["age"]].share().mock()


# --- how they are drawn -----------------------------------------------------------------------------------------


def test_rows_do_not_matter(tmp_path):
    """Of two files with the same schema, mock rows are the same; of another dataset, or owner, others."""
    policy = icm.Policy(name="visits", noise=icm.Noise(scale=2.0, bounds=(("cost", -10.0, 20.0),)))
    found = []
    for seed in (1, 2):
        path = tmp_path / f"{seed}.parquet"
        rows(seed, 50 * seed).to_parquet(path)
        held = offer(Catalogue(tmp_path), "visits", [str(path)], policy, mock=MockRows(300))
        found.append(mock_table(held.public.columns, held.public.mock, "bob", "visits"))
    assert found[0].equals(found[1])
    public = held.public
    assert not mock_table(public.columns, public.mock, "bob", "others").equals(found[0])
    assert not mock_table(public.columns, public.mock, "alice", "visits").equals(found[0])
    cost = found[0]["cost"].drop_null().to_numpy()
    assert -10 <= cost.min() < -8  # as its policy declares
    assert 18 < cost.max() <= 20
    assert found[0]["age"].null_count == 0
    assert 5 < found[0]["cost"].null_count < 40
    assert Catalogue(tmp_path).datasets["visits"].public == public


KINDS = {
    "int": ("-3..3", -3, 3),
    "float": ("0.5..0.75", 0.5, 0.75),
    "date32[day]": ("2024-01-30..2024-02-02", date(2024, 1, 30), date(2024, 2, 2)),
    "timestamp[us]": ("2024-01-01..2024-01-02", pd.Timestamp("2024-01-01"), pd.Timestamp("2024-01-02")),
    "timestamp[s, tz=Europe/Berlin]": (
        "2024-01-01 12:00..2024-01-02",
        pd.Timestamp("2024-01-01 12:00", tz="UTC"),
        pd.Timestamp("2024-01-02", tz="UTC"),
    ),
    "duration[s]": ("5..9", pd.Timedelta(seconds=5), pd.Timedelta(seconds=9)),
    "decimal128(10, 2)": ("-1.50..1.50", Decimal("-1.5"), Decimal("1.5")),
    "decimal256(60, 30)": (f"0..{10**29}", Decimal(0), Decimal(10**29)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_values_lie_within_what_is_stated(kind):
    text, least, most = KINDS[kind]
    info = ColumnInfo("x", kind, nullable=False)
    between = tuple(text.split(".."))
    values = mock_table((info,), MockRows(200, (MockColumn("x", between=between),)), "bob")["x"].to_pylist()
    assert len(set(values)) > 3
    assert least <= min(values) <= max(values) <= most
    one = mock_table((info,), MockRows(20, (MockColumn("x", values=between[:1]),)), "bob")["x"].to_pylist()
    assert set(one) == {least}
    assert len(set(mock_table((info,), MockRows(200), "bob")["x"].to_pylist())) > 50


def test_keys_are_counted():
    columns = (ColumnInfo("id", "int", nullable=False), ColumnInfo("day", "date32[day]", nullable=False))
    mock = MockRows(3, (MockColumn("id", between=("7", "")), MockColumn("day", between=("2024-02-28", ""))))
    found = mock_table(columns, mock, "bob").to_pydict()
    assert found == {"id": [7, 8, 9], "day": [date(2024, 2, 28), date(2024, 2, 29), date(2024, 3, 1)]}


@pytest.mark.parametrize("kind", ["null", "time64[us]", "list<item: int64>", "dictionary of int"])
def test_other_kinds_have_no_values(kind):
    assert mock_table((ColumnInfo("x", kind),), MockRows(20), "bob")["x"].null_count == 20


def test_whole_numbers_of_all_sizes():
    ends = (str(-(1 << 63)), str((1 << 63) - 1))
    found = mock_table((ColumnInfo("x", "int"),), MockRows(500, (MockColumn("x", between=ends),)), "bob")["x"]
    values = found.drop_null().to_numpy()
    assert values.min() < -(1 << 62) < (1 << 62) < values.max()


@pytest.mark.parametrize(
    "stated",
    [
        MockColumn("y", ("1",)),
        MockColumn("x", ("one",)),
        MockColumn("x", between=("5", "4")),
        MockColumn("x", between=("", "4")),
        MockColumn("f", between=("1", "")),
        MockColumn("x", between=(str((1 << 63) - 2), "")),
        MockColumn("d", between=("5881580-07-10", "")),
        MockColumn("x", ("9223372036854775808",)),
        MockColumn("s", between=("a", "b")),
        MockColumn("f", between=("0", "inf")),
        MockColumn("t", ("12:00",)),
        MockColumn("bad", ("1",)),
    ],
)
def test_what_cannot_be_stated(stated):
    columns = (
        ColumnInfo("x", "int"),
        ColumnInfo("s", "string"),
        ColumnInfo("f", "float"),
        ColumnInfo("d", "date32[day]"),
        ColumnInfo("t", "time64[us]"),
        ColumnInfo("bad", "unequal", fault="it cannot be used"),
    )
    with pytest.raises(icm.ColumnError):
        mock_table(columns, MockRows(3, (stated,)), "bob")


@pytest.mark.parametrize("count", [0, -1, MOST_MOCK_ROWS + 1])
def test_no_peer_states_more_rows_than_one_can_draw(count):
    public = PublicDataset("visits", (), 3, icm.Policy(), MockRows(count))
    many = tuple(ColumnInfo(str(number), "int") for number in range(33))
    for draw in (mock_table, check_mock):
        with pytest.raises(icm.ColumnError, match="1016800 can be drawn"):
            draw(many, MockRows(MOST_MOCK_ROWS))
    with pytest.raises(msgspec.ValidationError):
        msgspec.msgpack.decode(msgspec.msgpack.encode(public), type=PublicDataset)


# --- the catalogue, and its command -----------------------------------------------------------------------------


def test_a_catalogue_of_the_version_before_is_read_and_written_as_it_was(tmp_path):
    """Where there are no mock rows, nothing of them stands there."""
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"x": [1, 2, 3]}), path)
    held = offer(Catalogue(tmp_path), "visits", [str(path)], icm.Policy())
    assert held.public.mock is None
    assert b"mock" not in msgspec.msgpack.encode(held.public)
    assert "mock" not in (tmp_path / "catalogue.json").read_text()
    assert msgspec.json.decode(msgspec.json.encode(held), type=HeldDataset) == held


def test_icm_data_states_them(tmp_path):
    home = tmp_path / "bob"
    found(home, Settings("bob", "organisation", "127.0.0.1:0", spare_workers=0))
    Roster(home).add(Peer("alice", b"certificate", state="approved"))
    rows(3).to_parquet(tmp_path / "rows.parquet")

    def data(*words):
        return CliRunner().invoke(app, ["data", "--home", str(home), *words])

    values = ("--mock-values", "ward=A,B,C", "--mock-values", "age=0..120")
    result = data("visits", str(tmp_path / "rows.parquet"), "--request", "alice", "--mock", "1000", *values, "--json")
    assert result.exit_code == 0, result.output
    assert [(one["name"], one["mock"]) for one in json.loads(result.output)] == [("visits", 1000)]
    wanted = MockRows(1000, (MockColumn("ward", ("A", "B", "C")), MockColumn("age", between=("0", "120"))))
    assert Catalogue(home).datasets["visits"].public.mock == wanted
    for wrong in (
        ("--mock-values", "ward=A"),
        ("--mock", "10", "--mock-values", "ward"),
        ("--mock", "10", "--mock-values", "age=0..9", "--mock-values", "age=1"),
        ("--mock", "10", "--mock-values", "height=0..9"),
        ("--mock", str(MOST_MOCK_ROWS + 1)),
        ("--mock", "-1"),
    ):
        result = data("visits", str(tmp_path / "rows.parquet"), *wrong)
        assert result.exit_code, wrong
    assert Catalogue(home).datasets["visits"].public.mock == wanted
    assert "--mock 1000" in " ".join(data("--help").output.split())


def test_rows_that_were_forgotten_are_opened_in_no_other_lanes(alice):
    """... and no worker has to be asked to say so."""
    rows = alice.peer("bob")["visits"].meant.rows
    rows.forget()
    with pytest.raises(icm.InputError, match="were forgotten"):
        rows.among(("bob", "dave"))
