"""Real rows: three owners' split of the HAM10000 table of skin lesions, against pandas on all of them."""

import numpy as np
import pandas as pd
import pytest

import analytics as an
from icm_ray.config import EngineConfig
from icm_ray.runtime.carriers.threads import ThreadEngine


@pytest.fixture(scope="module")
def table(shared_data):
    return pd.read_csv(shared_data / "ham10000_metadata.csv")


@pytest.fixture(scope="module", params=[("alice", "bob"), ("alice", "bob", "carol")], ids=["outside", "parties"])
def session(request):
    owners = () if "carol" in request.param else ("carol",)
    with ThreadEngine(request.param, owners, 2, EngineConfig(partition_bytes=150_000)) as running:
        yield running


@pytest.fixture(scope="module")
def frame(session, table, tmp_path_factory):
    folder, whole = tmp_path_factory.mktemp("ham"), table.dropna(subset=["age"])
    paths = {}
    for index, owner in enumerate(("alice", "bob", "carol")):
        paths[owner] = str(folder / f"{owner}.csv")
        whole.iloc[index::3].to_csv(paths[owner], index=False)
    return an.read_csv(session, paths, bounds={"age": 128})


@pytest.mark.parametrize("share", [False, True], ids=["held", "shared"])
def test_age(table, frame, share):
    ages = table["age"].dropna()
    secure = frame[["age"]].share() if share else frame
    assert len(secure) == len(ages) == 9958
    queries = [secure["age"].mean(), secure["age"].std(), secure["age"].histogram(16, range=(0, 96))]
    mean, std, (counts, edges) = an.Query.reveal_together(queries)
    plain, plain_edges = np.histogram(ages, 16, (0, 96))
    assert abs(mean - ages.mean()) <= queries[0].error.at(mean)
    assert abs(std - ages.std()) <= queries[1].error.at(std) + 1e-13 * std, "pandas rounds, too"
    np.testing.assert_array_equal(counts, plain)
    np.testing.assert_array_equal(edges, plain_edges)
    if share:
        secure.forget()


def test_empty_ages_are_skipped(session, shared_data):
    path = shared_data / "ham10000_metadata.csv"
    frame = an.read_csv(session, {"bob": str(path)})
    assert frame.shape == (10015, 7)
    ages = pd.read_csv(path)["age"]
    assert frame["age"].count().reveal() == ages.count() < 10015
    assert frame["age"].mean().reveal() == pytest.approx(ages.mean(), rel=1e-15)
