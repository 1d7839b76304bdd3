"""Nodes that hold different files under one path: found when the table is opened, by lanes of real workers."""

import shutil

import pytest

import analytics as an
from icm_ray.config import EngineConfig
from icm_ray.errors import SourceError
from icm_ray.query.tasks import CsvSource
from icm_ray.runtime.carriers.processes import ProcessHandle
from icm_ray.runtime.driver.lane_engine import LaneEngine

MEMBERS = 3  # of a lane: alice, bob, dealer


@pytest.fixture(scope="module")
def homes(tmp_path_factory):
    """Each lane's workers have a home of their own, as on nodes of their own."""
    return [tmp_path_factory.mktemp(f"node{lane}") for lane in (0, 1)]


@pytest.fixture(scope="module")
def lanes(homes):
    started = []

    def start(name):
        home = homes[len(started) // MEMBERS]
        started.append(name)
        return ProcessHandle(name, config, launcher=("env", f"HOME={home}"))

    config = EngineConfig(partition_bytes=100)
    engine = LaneEngine(("alice", "bob"), (), 2, config, start)
    yield engine
    engine.close()


def write(home, rows, name="visits.csv"):
    path = home / name
    path.write_text("age\n" + "".join(f"{row}\n" for row in range(rows)), encoding="utf-8")
    return path


@pytest.mark.slow
def test_the_same_files_on_all_nodes(lanes, homes):
    shutil.copy2(write(homes[0], 40), homes[1])
    frame = an.read_csv(lanes, {"alice": "~/visits.csv"})
    assert frame["age"].sum().reveal() == 780


def test_other_rows_on_another_node(lanes, homes):
    for home, rows in zip(homes, (40, 360), strict=True):
        write(home, rows)
    words = (
        r"alice: ~/visits.csv: 40 rows on lane 0 \(127.0.0.1\), 360 rows on lane 1 \(127.0.0.1\); rows would be mixed"
    )
    for _ in range(2):
        with pytest.raises(SourceError, match=words) as caught:
            lanes.open_table("alice", CsvSource(("~/visits.csv",)))
        assert caught.value.where["owner"] == "alice"
    shutil.copy2(homes[0] / "visits.csv", homes[1])
    assert an.read_csv(lanes, {"bob": "~/visits.csv"})["age"].count().reveal() == 40


def test_a_file_that_one_node_lacks(lanes, homes):
    write(homes[0], 4, "here.csv")
    with pytest.raises(SourceError, match=r"here.csv: no such file .* \(on lane 1 \(127.0.0.1\)\)"):
        lanes.open_table("bob", CsvSource(("~/here.csv",)))
    write(homes[0], 4, "some-1.csv")
    shutil.copy2(homes[0] / "some-1.csv", homes[1])
    write(homes[1], 4, "some-2.csv")
    with pytest.raises(SourceError, match=r"~/some-2.csv: there on lane 1 .*, not on lane 0"):
        lanes.open_table("bob", CsvSource(("~/some-*.csv",)))


@pytest.mark.slow
def test_settings_travel_to_the_workers(lanes, homes):
    (homes[0] / "odd.csv").write_text("zip;cost\n01234;1.000,5\n99999;-1\n#\n00001;2,5\n", encoding="utf-8")
    shutil.copy2(homes[0] / "odd.csv", homes[1])
    settings = {"sep": ";", "decimal": ",", "thousands": ".", "comment": "#", "dtype": {"zip": str}}
    frame = an.read_csv(lanes, {"bob": "~/odd.csv"}, **settings)
    assert frame.dtypes == {"zip": "string", "cost": "float"}
    assert frame["cost"].sum().reveal() == 1002.0
    assert an.read_csv(lanes, {"bob": "~/odd.csv"}, na_values=-1, **settings)["cost"].sum().reveal() == 1003.0
