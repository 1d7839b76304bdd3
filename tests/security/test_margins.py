"""The totals that a table of several keys has over some of them are held against others, as if asked for."""

import pytest

import analytics as an
from icm_ray.config import EngineConfig
from icm_ray.errors import PolicyError
from icm_ray.runtime.carriers.threads import ThreadEngine
from tests.security.test_attacks_on_policies import NEAR, framed

pytestmark = pytest.mark.usefixtures("derived_once")

DOMAIN = {"ward": ["a", "b", "c"]}


@pytest.fixture(scope="module")
def engine():
    with ThreadEngine(("alice", "bob"), ("carol",), config=EngineConfig(partition_bytes=9000)) as made:
        yield made


def nested(frame, age, other="ward"):
    """Groups within groups: of each ward those below an age."""
    frame = frame.assign(young=frame["age"] < age, odd=frame["id"] % 2, half=frame["id"] // 45)
    domain = {**DOMAIN, "odd": [0, 1], "half": [0, 1]}
    return frame.groupby([other, "young"], domain={other: domain[other], "young": [False, True]})["cost"].agg("sum")


def private(frame):
    frame = frame.assign(key=(frame["age"] < 78).astype("int"), odd=frame["id"] % 2)
    return frame.groupby(["key", "odd"])["cost"].agg("sum")


EDGES = {
    "bins": (lambda frame: nested(frame, 78), lambda frame: frame["age"].histogram([0, 77, 100])),
    "groups": (lambda frame: nested(frame, 78), lambda frame: nested(frame, 77, "odd")),
    "a filter": (lambda frame: nested(frame, 78), lambda frame: frame[frame["age"] < 77]["cost"].sum()),
    "bins in two directions": (
        lambda frame: an.histogram2d(frame["age"], frame["id"], bins=[[0, 78, 100], [0, 30, 60, 89]]),
        lambda frame: nested(frame, 77),
    ),
    "private groups": (private, lambda frame: nested(frame, 77)),
}


@pytest.mark.parametrize("name", EDGES)
@pytest.mark.few(2)
def test_edges_77_and_78_within_groups(engine, name):
    """Whichever is asked first: added up over the wards, one row would be the difference."""
    for first in (0, 1):
        frame = framed(engine)
        EDGES[name][first](frame).reveal()
        with pytest.raises(PolicyError, match=NEAR):
            EDGES[name][1 - first](frame).reveal()


@pytest.mark.slow
def test_tables_that_have_a_key_in_common_are_answered(engine):
    frame = framed(engine)
    found = [nested(frame, age, key).reveal().count() for age, key in ((40, "ward"), (40, "odd"), (60, "odd"))]
    assert found == [6, 4, 4]
    assert frame["age"].histogram([0, 20, 40, 60, 100]).reveal()[0].tolist() == [20, 20, 20, 30]
