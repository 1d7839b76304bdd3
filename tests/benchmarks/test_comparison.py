"""The scripts of the comparison where they only calculate: what is merged, the bounds, the page, the chart."""

import importlib
import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CRYPTEN = {"bytes": 70_000_000, "sent": [25_000_000, 25_000_000, 20_000_000], "rounds": 10, "requests": 5}


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks" / "peers"))
    return importlib.import_module


def report(**slow):
    record = {"rounds": 4, "bytes_all": 50_000_000, "bytes_per_party": 10_000_000, "dealer_bytes": 30_000_000}
    entry = {
        "record": {**record, "max_abs_error": 1e-5},
        "seconds": {"icm-ray": 0.1, "SPU": 1.25, "CrypTen": 0.05, "TLS": 0.2},
        "runs": 6,
        "counts": {"SPU": {"bytes": 40_000_000, "rounds": 8}, "CrypTen": CRYPTEN},
    }
    machine = {
        "date": "a day",
        "commit": "abc",
        "processor": "p",
        "cores": 2,
        "memory_gib": 8,
        "kernel": "k",
        "tcp": "t",
    }
    network = {"rtt_ms": 40, "mbit": 100, **slow}
    return {**machine, "versions": {"SPU": "1"}, "workloads": {"relu_1m": entry}, "slow": network}


def test_a_peers_bound_in_the_slow_network(script):
    """20 waits of 20 ms; 25 MB each way and 20 MB of the third party at 12.5 MB/s. SPU has no third party."""
    slow = script("slow")
    assert slow.at_least(CRYPTEN) == pytest.approx(20 * 0.02 + 45 / 12.5)
    assert slow.at_least({"bytes": 50_000_000, "rounds": 10}) == pytest.approx(10 * 0.02 + 25 / 12.5)


def test_an_engine_that_missed_a_turn_is_left_out(script):
    least = script("compare").least
    assert least(None, {"SPU": 2.0, "TLS": 1.0}) == {"SPU": 2.0, "TLS": 1.0}
    assert least({"SPU": 2.0, "TLS": 1.0}, {"SPU": 1.5, "TLS": 3.0}) == {"SPU": 1.5, "TLS": 1.0}
    assert least({"TLS": 1.0}, {"SPU": 1.5, "TLS": 3.0}) == {"TLS": 1.0}


def test_named_workloads_are_measured_anew_and_bear_their_commit(script):
    compare, found = script("compare"), report(workloads={"relu_1m": {"engine": 2.0}})
    found["workloads"]["mul_1m"] = {"turns": 2, "commit": "new", "date": "later"}
    before = dict(found["workloads"]["relu_1m"])
    compare.anew(found, ["mul_1m"], ["loopback", "slow"], "new")
    assert found["workloads"] == {"relu_1m": before, "mul_1m": {"turns": 2, "commit": "new", "date": "later"}}
    compare.anew(found, ["relu_1m", "mul_1m"], ["loopback"], "new")
    assert found["workloads"] == {"relu_1m": {}, "mul_1m": {"turns": 2, "commit": "new", "date": "later"}}
    assert found["slow"]["workloads"] == {"relu_1m": {"engine": 2.0}}
    compare.dated(found, found["workloads"]["relu_1m"], "new")
    assert found["workloads"]["relu_1m"]["commit"] == "new"
    assert (found["date"], found["commit"]) == ("a day", "abc")
    compare.dated(found, found["workloads"]["mul_1m"], "abc")
    assert found["date"] != "a day"
    assert found["workloads"]["mul_1m"]["date"] == "later"


def test_a_report_of_another_commit_is_for_merging_alone(script, tmp_path, monkeypatch):
    compare, out = script("compare"), tmp_path / "out.json"
    monkeypatch.setattr(compare, "commit", lambda: "new")
    out.write_text(json.dumps({**compare.machine(), "commit": "abc", "workloads": {}}))
    with pytest.raises(SystemExit, match="another commit"):
        compare.started(out, merge=False)
    assert compare.started(out, merge=True)["commit"] == "abc"
    out.write_text(json.dumps({**compare.machine(), "commit": "abc", "cores": 0}))
    with pytest.raises(SystemExit, match="another cores"):
        compare.started(out, merge=True)


def test_the_page_says_what_was_measured_later_and_how_far_networks_are_off(script):
    found = report(workloads={})
    entry = found["workloads"]["relu_1m"]
    counts = {"SPU": {**entry["counts"]["SPU"], "error": 0.002}, "CrypTen": {**CRYPTEN, "error": 0.004}}
    found["workloads"]["resnet20_b16"] = {**entry, "counts": counts, "commit": "def", "date": "another day"}
    text = script("page").page(found, found["workloads"])
    assert "Measured on a day at commit abc" in text
    assert "\nMeasured on another day at commit def: `resnet20_b16`.\n" in text
    assert "  `resnet20_b16`: icm-ray 1.0e-05, SPU 2.0e-03, CrypTen 4.0e-03.\n" in text


def test_a_peer_whose_result_is_wrong_gives_no_figure(script):
    engines = script("engines")
    assert engines.right({"seconds": [1.0]}, ["peer"]) == {"seconds": [1.0]}
    assert engines.right({"error": 0.01}, ["peer"]) == {"error": 0.01}
    for error in (1.0, float("nan")):
        with pytest.raises(engines.Failed, match="peer: the result is off"):
            engines.right({"error": error}, ["peer"])


def test_the_page_says_where_a_peer_is_ahead(script):
    found = report(workloads={"relu_1m": {"engine": 2.0, "seconds": {"icm-ray": 2.5, "SPU": 2.4, "CrypTen": 9.0}}})
    text = script("page").page(found, found["workloads"])
    assert "- `relu_1m`: CrypTen 0.0500 s, icm-ray 0.10 s" in text
    assert "- `relu_1m`: SPU 40.0 MB, icm-ray 50.0 MB" in text
    assert "- `relu_1m`: SPU 2.40 s, icm-ray 2.50 s" in text
    assert "| relu_1m | 4 | 8 | 10 + 5 | 50.0 | 40.0 | 70.0 | 0.80 |" in text
    assert "| relu_1m | 0.10 | 1.25 | 0.0500 | 0.50 | 0.20 | 1.0e-05 | 0.71 |" in text


def test_the_page_says_that_a_slow_network_was_not_to_be_had(script):
    found = report(why="no root", workloads={"relu_1m": {"engine": 2.0, "rounds": 31}})
    text = script("page").page(found, found["workloads"])
    assert "The peers were not measured here (no root)" in text
    assert "| relu_1m | 31 | 2.00 | 1.76 | 4.00 |" in text


def test_bars_of_the_chart_end_at_their_ratio(script):
    chart = script("chart")
    root = ET.fromstring(chart.chart({"slower": {"SPU": 10.0}, "faster": {"CrypTen": 0.1}}))
    bars = [node for node in root.findall(".//{*}rect") if node.get("rx") == "1.5"]
    middle = chart.LEFT + chart.WIDTH / 2  # 1, on an axis from 1/10 to 10
    ends = [(float(bar.get("x")), float(bar.get("x")) + float(bar.get("width"))) for bar in bars]
    assert ends == [(middle, chart.LEFT + chart.WIDTH), (chart.LEFT, middle)]
