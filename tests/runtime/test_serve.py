"""A gateway as a deployment of Ray Serve, where that is installed; what it answers: `tests/cluster/test_gateway.py`."""

import pytest
import requests
import torch

import analytics as an
from cluster.serve.deployment import application
from icm_ray.runtime.carriers.threads import ThreadEngine
from tests.cluster.test_gateway import IMAGE, array, picture


@pytest.mark.slow
@pytest.mark.ray
def test_a_gateway_serves(ray_cluster):
    """... an image that is posted, and one beside it that cannot be shared."""
    serve = pytest.importorskip("ray.serve")
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(60, 3)).eval()
    expected = int(net(torch.from_numpy(IMAGE[None] / 255).float()).argmax())
    try:
        with ThreadEngine() as session:
            model = an.SecureModel(session, net, "alice", (torch.zeros(1, 3, 4, 5),), scale=1 / 255)
            serve.run(application(model.handle(owner="bob", to="bob", errors="mask")), route_prefix="/")
            said = requests.post("http://127.0.0.1:8000/", data=picture(), timeout=60)
            assert (said.status_code, said.json()) == (200, {"label": expected})
            beyond = requests.post(
                "http://127.0.0.1:8000/",
                data=array(IMAGE * 1e6),
                headers={"content-type": "application/x-npy"},
                timeout=60,
            )
            assert beyond.status_code == 422
            health = requests.get("http://127.0.0.1:8000/health", timeout=60)
            assert (health.status_code, health.json()["predicted"], health.json()["refused"]) == (200, 1, 1)
    finally:
        serve.shutdown()
