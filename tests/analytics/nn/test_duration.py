"""How long a batch takes is estimated: of the right size, and told as an estimate."""

from __future__ import annotations

import math
from time import perf_counter

import numpy as np
import pytest
import torch

from analytics.nn.duration import Pace, duration_of, multiplications
from analytics.nn.importer import import_model
from analytics.nn.model import SecureModel
from icm_ray.runtime.driver.engine import Execution


def test_products_are_counted():
    net = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3, padding=1), torch.nn.Flatten(), torch.nn.Linear(8 * 36, 5)
    ).eval()
    graph = import_model(net, (torch.zeros(1, 3, 6, 6),)).graph
    assert multiplications(graph) == 36 * 8 * 27 + 8 * 36 * 5


def test_a_model_whose_batches_are_slower_takes_longer(small, lanes):
    program, pace = small[1]._one("logits"), Pace()
    known = duration_of(program, lanes.settings, 0, pace)
    assert not known.measured
    assert duration_of(program, lanes.settings, 1e9, pace).seconds == pytest.approx(known.seconds + 3 / 8)
    pace.note(Execution({}))  # of which nothing is known
    for slower in (10, 10, 1000):
        usual = 1000 * 150e-6 + 2e8 / 400e6
        pace.note(Execution({}, rounds=1000, sent_bytes=10**8, dealt_bytes=10**8, seconds=slower * usual))
    measured = duration_of(program, lanes.settings, 1e9, pace)
    assert (measured.measured, measured.seconds) == (True, pytest.approx(10 * known.seconds))
    assert "an estimate" in measured.words(3)
    assert "its last batches" in measured.words(3)


def test_it_is_told_before_anything_is_shared(small):
    found = small[1].preflight()
    assert 0 < found.seconds < 10
    assert any("an estimate" in line for line in found.lines)
    assert "an estimate" in small[1].predict(np.ones((2, 4)), owner="bob").explain()


def test_a_network_that_does_not_import_has_findings_and_no_duration(lanes):
    class Gamma(torch.nn.Module):
        def forward(self, x):
            return torch.lgamma(x)

    found = SecureModel(lanes, Gamma().eval(), "alice", (torch.zeros(1, 4),)).preflight()
    assert [finding.op for finding in found] == ["aten.lgamma.default"]
    assert math.isnan(found.seconds)


@pytest.mark.slow
def test_it_is_right_to_a_factor_of_three(lanes):
    torch.manual_seed(1)
    layers = [torch.nn.Conv2d(3, 16, 3, padding=1), torch.nn.ReLU(), torch.nn.Conv2d(16, 16, 3, padding=1)]
    net = torch.nn.Sequential(*layers, torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(16 * 256, 5)).eval()
    model = SecureModel(lanes, net, "alice", (torch.zeros(1, 3, 16, 16),), batch_size=32)
    x = np.ones((32, 3, 16, 16), np.float32) / 4
    for _ in range(5):
        model.predict(x, owner="bob").reveal()
    estimated, began = model.preflight().seconds, perf_counter()
    for _ in range(5):
        model.predict(x, owner="bob").reveal()
    took = (perf_counter() - began) / 5
    assert took / 3 < estimated < 3 * took
