"""The networks of the bench, small: shares, torch and float64 agree, and bounds are promised, not checked."""

import numpy as np
import pytest
import torch

from cluster.bench import networks
from cluster.bench.plain_networks import NETWORKS, TOLERANCE, Encoder, Residual
from cluster.bench.run import measure, names
from icm_ray.config import EngineConfig
from icm_ray.ops.compare import CountAtLeast
from icm_ray.ops.linear import Load
from icm_ray.program.build import Builder
from icm_ray.runtime.carriers.threads import ThreadEngine

SMALL = {
    "resnet20_b16": Residual(batch=2, size=8, blocks=1, channels=(4, 8, 12)),
    "transformer_b1": Encoder(batch=2, tokens=3, width=8, heads=2, inner=16, layers=1),
}


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.slow
def test_what_is_computed_on_shares(name):
    network = SMALL[name]
    assert type(network) is type(NETWORKS[name])
    assert name in names()
    work = networks.network_workload(name, "small", network)
    x = network.inputs()
    make = networks._residual if isinstance(network, Residual) else networks._encoder
    with torch.no_grad():
        plain = make(network).eval()(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(work.plain(work.inputs), plain, atol=1e-4)
    with ThreadEngine(config=EngineConfig(free_programs=True)) as engine:
        record = measure(engine, work, 1, tls=False)
    assert 0 < record.max_abs_error < TOLERANCE / 10
    builder = Builder(("alice", "bob"))
    work.build(builder, {"x": builder.add(Load("x", work.types["x"]))})
    assert not any(isinstance(node.op, CountAtLeast) for node in builder.build().nodes)
