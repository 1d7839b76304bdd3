"""Results plot themselves: histograms with their own method, what pandas gives with pandas'."""

import pickle
import sys

import numpy as np
import pandas as pd
import pytest

import analytics as an
import icm_ray as icm
from icm_ray.errors import UnsupportedError
from tests.conftest import IN_CI

PLAIN = pd.DataFrame({"x": np.arange(40.0), "y": np.arange(40) % 7, "ward": [*"aab"] * 13 + ["b"]})
WARDS = {"ward": ["a", "b"]}


class Axes:
    """In place of matplotlib's: what is drawn, by the name of what draws it."""

    def __init__(self):
        self.drawn, self.figure = [], self

    def __getattr__(self, name):
        return lambda *values, **options: self.drawn.append((name, values, options)) or name

    def of(self, name):
        return [(values, options) for drawn, values, options in self.drawn if drawn == name]


@pytest.fixture
def frame(fresh):
    return an.from_pandas(fresh, {"alice": PLAIN[:15], "carol": PLAIN[15:]})


@pytest.fixture
def pyplot():
    """matplotlib without a screen; in CI it has to be there."""
    if not IN_CI:
        pytest.importorskip("matplotlib")
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    yield plt
    plt.close("all")


def test_a_histogram_is_the_tuple_of_numpy(frame):
    found = frame["x"].histogram(4, range=(0, 40)).reveal()
    counts, edges = found
    plain, plain_edges = np.histogram(PLAIN["x"], 4, (0, 40))
    np.testing.assert_array_equal(counts, plain)
    np.testing.assert_array_equal(edges, plain_edges)
    assert counts is found.counts
    assert edges is found.edges
    assert isinstance(found, tuple)
    again = pickle.loads(pickle.dumps(found))
    assert (again.column, again.what, again.counts.tolist()) == ("x", "count", plain.tolist())


def test_edges_of_one_result_are_not_those_of_the_next(frame):
    for query in (
        frame["x"].histogram([0, 20, 40]),
        frame["x"].histogram([0, 20, 40], density=True),
        an.histogram2d(frame["x"], frame["y"], bins=[0, 20, 40]),
    ):
        query.reveal()[1][:] = 7
        assert query.reveal()[1].tolist() == [0, 20, 40]


def test_bins_are_drawn_as_steps(frame):
    for query, label in (
        (frame["x"].histogram([0, 10, 40]), "count"),
        (frame["x"].histogram([0, 10, 40], density=True), "density"),
        (frame["x"].histogram([0, 10, 40], weights=frame["y"]), "sum of y"),
    ):
        found, axes = query.reveal(), Axes()
        assert found.plot(axes, color="red") is axes
        ((counts, edges), options) = axes.of("stairs")[0]
        assert counts.tolist() == found.counts.tolist()
        assert edges.tolist() == [0, 10, 40]
        assert options == {"fill": True, "color": "red"}
        assert axes.of("set_xlabel") == [(("x",), {})]
        assert axes.of("set_ylabel") == [((label,), {})]
        assert not axes.of("axvspan")


def test_what_is_withheld_is_hatched(fresh):
    frame = an.from_pandas(fresh, {"alice": PLAIN}, policy=icm.Policy(min_rows=10, rows_per_bin=1))
    found, axes = frame["x"].histogram([0, 20, 25, 40]).reveal(), Axes()
    assert np.ma.getmaskarray(found.counts).tolist() == [False, True, True]
    assert set(found.withheld) == {1, 2}
    found.plot(axes)
    ((counts, _), _) = axes.of("stairs")[0]
    np.testing.assert_array_equal(counts, [20, np.nan, np.nan])
    assert [values for values, _ in axes.of("axvspan")] == [(20, 25), (25, 40)]
    assert len(axes.of("legend")) == 1


def test_two_columns_are_drawn_as_cells(frame):
    found, axes = an.histogram2d(frame["x"], frame["y"], bins=([0, 20, 40], [0, 3, 5, 7])).reveal(), Axes()
    assert found.plot(axes, cmap="Greys") is axes
    ((x_edges, y_edges, cells), options) = axes.of("pcolormesh")[0]
    assert (x_edges.tolist(), y_edges.tolist()) == ([0, 20, 40], [0, 3, 5, 7])
    assert cells.shape == (3, 2)
    assert options == {"cmap": "Greys"}
    assert axes.of("colorbar") == [(("pcolormesh",), {"ax": axes, "label": "count"})]
    assert axes.of("set_ylabel") == [(("y",), {})]
    assert pickle.loads(pickle.dumps(found)).columns == ("x", "y")


def test_without_matplotlib_it_is_said_what_is_missing(frame, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    found = frame["x"].histogram([0, 40]).reveal()
    with pytest.raises(UnsupportedError, match=r"icm-ray\[plot\]"):
        found.plot()
    assert found.plot(Axes()).of("stairs"), "axes of one's own need none"


@pytest.mark.slow
def test_every_result_is_drawn_by_matplotlib(frame, fresh, pyplot, tmp_path):
    few = an.from_pandas(fresh, {"alice": PLAIN}, policy=icm.Policy(min_rows=10, rows_per_bin=1))
    results = icm.reveal(
        frame["x"].histogram(8, range=(0, 40)),
        few["x"].histogram([0, 20, 25, 40]),
        an.histogram2d(frame["x"], frame["y"], bins=([0, 20, 40], [0, 3, 5, 7])),
        an.crosstab(frame["ward"], frame["y"] > 3, domain=WARDS),
        frame["ward"].value_counts(domain=WARDS["ward"]),
        frame.groupby("ward", domain=WARDS)["x"].agg(["mean", "std"]),
        frame["x"].quantile([0.25, 0.5, 0.75]),
        frame[["x", "y"]].corr(),
        frame.describe(),
    )
    for number, result in enumerate(results):
        axes = result.plot()
        assert axes.has_data()
        axes.figure.savefig(tmp_path / f"{number}.png")
        assert (tmp_path / f"{number}.png").stat().st_size > 1000
