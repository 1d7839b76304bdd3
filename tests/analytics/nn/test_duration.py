"""How long a batch takes is estimated: of the right size, and told as an estimate."""

from __future__ import annotations

import math
from time import perf_counter

import numpy as np
import pytest
import torch

from analytics.nn.duration import duration_of, multiplications
from analytics.nn.importer import import_model
from analytics.nn.model import SecureModel
from icm_ray.runtime.driver.engine import Totals


def test_products_are_counted():
    net = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3, padding=1), torch.nn.Flatten(), torch.nn.Linear(8 * 36, 5)
    ).eval()
    graph = import_model(net, (torch.zeros(1, 3, 6, 6),)).graph
    assert multiplications(graph) == 36 * 8 * 27 + 8 * 36 * 5


def test_a_session_that_is_slower_takes_longer(small, lanes):
    program = small[1]._one("logits")
    known = duration_of(program, lanes.settings, 0, Totals())
    as_fast = Totals(rounds=1000, sent_bytes=10**8, dealt_bytes=10**8, seconds=1000 * 150e-6 + 0.5)
    assert not known.measured
    assert duration_of(program, lanes.settings, 0, as_fast).seconds == pytest.approx(known.seconds)
    slow = Totals(as_fast.rounds, as_fast.sent_bytes, as_fast.dealt_bytes, 10 * as_fast.seconds)
    measured = duration_of(program, lanes.settings, 1e9, slow)
    assert (measured.measured, measured.seconds) == (True, pytest.approx(10 * known.seconds))
    assert duration_of(program, lanes.settings, 1e9, Totals()).seconds == pytest.approx(known.seconds + 3 / 8)
    assert "an estimate" in measured.words(3)
    assert "this session's runs" in measured.words(3)


def test_it_is_told_before_anything_is_shared(small):
    found = small[1].preflight()
    assert 0 < found.seconds < 10
    assert any("an estimate" in line for line in found.lines)
    assert "an estimate" in small[1].predict(np.ones((2, 4)), owner="bob").explain()


def test_a_network_that_does_not_import_has_findings_and_no_duration(lanes):
    class Sorting(torch.nn.Module):
        def forward(self, x):
            return torch.sort(x).values

    found = SecureModel(lanes, Sorting().eval(), "alice", (torch.zeros(1, 4),)).preflight()
    assert [finding.op for finding in found] == ["aten.sort.default"]
    assert math.isnan(found.seconds)


@pytest.mark.slow
def test_it_is_right_to_a_factor_of_three(lanes):
    torch.manual_seed(1)
    warm = torch.nn.Sequential(torch.nn.Linear(50, 200), torch.nn.ReLU(), torch.nn.Linear(200, 5)).eval()
    layers = [torch.nn.Conv2d(3, 16, 3, padding=1), torch.nn.ReLU(), torch.nn.Conv2d(16, 16, 3, padding=1)]
    net = torch.nn.Sequential(*layers, torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(16 * 256, 5)).eval()
    first = SecureModel(lanes, warm, "alice", (torch.zeros(1, 50),), batch_size=32)
    model = SecureModel(lanes, net, "alice", (torch.zeros(1, 3, 16, 16),), batch_size=32)
    x = np.ones((32, 3, 16, 16), np.float32) / 4
    for _ in range(3):
        first.predict(np.ones((32, 50)), owner="bob").reveal()
        model.predict(x, owner="bob").reveal()  # weights are loaded
    estimated, began = model.preflight().seconds, perf_counter()
    for _ in range(3):
        model.predict(x, owner="bob").reveal()
    took = (perf_counter() - began) / 3
    assert took / 3 < estimated < 3 * took
