"""read_csv and read_parquet: files of the owners, read by the owners."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import analytics as an
from icm_ray.errors import BoundError, ColumnError, InputError, OwnerError, SourceError

ROWS = pd.DataFrame(
    {"age": np.arange(10), "cost": np.arange(10) / 4, "ok": np.arange(10) % 2 == 0, "who": list("abcdefghij")}
)


def write(frame, path):
    if path.suffix == ".csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_parquet(path, index=False)
    return str(path)


@pytest.fixture(params=["csv", "parquet"])
def kind(request):
    return request.param


@pytest.fixture
def read(kind):
    return {"csv": an.read_csv, "parquet": an.read_parquet}[kind]


@pytest.fixture
def files(tmp_path, kind):
    paths = {owner: tmp_path / f"{owner}.{kind}" for owner in ("alice", "bob", "carol")}
    parts = {"alice": ROWS.iloc[:5], "bob": ROWS.iloc[5:8], "carol": ROWS.iloc[8:]}
    return {owner: write(parts[owner], path) for owner, path in paths.items()}


def test_rows_of_all_owners(fresh, read, files):
    frame = read(fresh, files)
    assert frame.columns == ("age", "cost", "ok", "who")
    assert frame.owners == {"alice": 5, "bob": 3, "carol": 2}
    assert frame["age"].sum().reveal() == 45
    assert frame["cost"].mean().reveal() == ROWS.cost.mean()
    assert frame["ok"].sum().reveal() == 5
    assert frame[["age", "cost"]].share()["age"].max().reveal("carol") == 9


def test_wildcards_and_lists(fresh, read, files, tmp_path, kind):
    assert len(read(fresh, {"bob": str(tmp_path / f"*.{kind}")})) == 10
    assert len(read(fresh, {"bob": [files["alice"], tmp_path / f"carol.{kind}"]})) == 7


def test_columns_are_picked_when_reading(fresh, read, files):
    assert read(fresh, files, columns=["cost"]).columns == ("cost",)
    with pytest.raises(ColumnError, match="'cots'"):
        read(fresh, files, columns=["cots"])
    with pytest.raises(InputError, match="list of names"):
        read(fresh, files, columns="cost")


def test_relative_paths_on_a_local_cluster_only(fresh, read, files, tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)
    seen = []
    opens = fresh.open_table

    def watch(owner, source, batches=()):
        seen.extend(source.paths)
        return opens(owner, source, batches)

    monkeypatch.setattr(fresh, "open_table", watch)
    assert len(read(fresh, {"bob": f"alice.{kind}"})) == 5
    assert seen == [files["alice"]]
    monkeypatch.setattr(fresh, "local", False, raising=False)
    with pytest.raises(SourceError, match=r"'bob': 'alice.* is relative"):
        read(fresh, {"bob": f"alice.{kind}"})
    assert len(read(fresh, {"bob": files["alice"]})) == 5


def test_a_missing_file_is_named(fresh, read, tmp_path):
    with pytest.raises(SourceError, match="nowhere"):
        read(fresh, {"bob": str(tmp_path / "nowhere.csv")})
    with pytest.raises(SourceError, match="'bob' brings no file"):
        read(fresh, {"bob": []})
    with pytest.raises(SourceError, match="'bob': a path is needed, not 3"):
        read(fresh, {"bob": [3]})
    with pytest.raises(SourceError, match="'bob': a path is needed, not 3"):
        read(fresh, {"bob": 3})


def test_unknown_owner(fresh, read, files):
    with pytest.raises(OwnerError, match=r"'mallory'.*alice, bob, carol"):
        read(fresh, {"mallory": files["bob"]})


def test_unequal_columns_and_kinds_matter_when_used(fresh, read, files, tmp_path, kind):
    other = write(ROWS.assign(age=[f"x{age}" for age in ROWS.age]), tmp_path / f"text.{kind}")
    frame = read(fresh, {"alice": files["alice"], "bob": other})
    assert frame.dtypes["age"] == "unequal"
    with pytest.raises(
        ColumnError, match=r"'age' is int with alice \(.*alice.*\) and string with bob \(.*text.*\); make"
    ):
        frame["age"]
    assert frame["cost"].count().reveal() == 15
    fewer = write(ROWS[["age"]], tmp_path / f"fewer.{kind}")
    frame = read(fresh, {"alice": files["alice"], "bob": fewer})
    assert frame.columns == ("age",)
    with pytest.raises(ColumnError, match="bob has no column 'cost', which alice has"):
        frame["cost"]
    halves = write(ROWS.assign(age=ROWS.age / 2), tmp_path / f"halves.{kind}")
    frame = read(fresh, {"alice": files["alice"], "bob": halves})
    assert frame["age"].sum().reveal() == 10 + 22.5


def test_schemes_are_no_local_paths(fresh, read, files, tmp_path, kind):
    with pytest.raises(SourceError, match="'bob': s3:// is not read; paths are files on the owner's own node"):
        read(fresh, {"bob": f"s3://bucket/a.{kind}"})
    with pytest.raises(SourceError, match="file:// is not read"):
        read(fresh, {"bob": f"file://elsewhere/a.{kind}"})
    odd = tmp_path / f"with blank.{kind}"
    odd.write_bytes(Path(files["bob"]).read_bytes())
    for path in (odd.as_uri(), f"file://localhost{files['bob']}"):
        assert len(read(fresh, {"bob": path})) == 3
    with pytest.raises(SourceError, match="a path is needed, not b"):
        read(fresh, {"bob": [b"a.csv"]})
    with pytest.raises(InputError, match="columns must be a list of names, not 3"):
        read(fresh, files, columns=3)


@pytest.mark.parametrize("bound", [0, float("nan")])
def test_bounds(fresh, read, files, bound):
    with pytest.raises(BoundError, match="'age'"):
        read(fresh, files, bounds={"age": bound})


def test_nulls_are_skipped_also_on_shares(fresh, read, tmp_path, kind):
    path = write(ROWS.assign(cost=[1.0, None] * 5), tmp_path / f"nulls.{kind}")
    frame = read(fresh, {"carol": path}, columns=["age", "cost"])
    assert frame["cost"].sum().reveal() == 5.0
    shared = frame.share()
    assert (shared["cost"].sum().reveal(), shared["cost"].count().reveal()) == (5.0, 5)
    assert frame["age"].sum().reveal() == shared["age"].sum().reveal() == 45
