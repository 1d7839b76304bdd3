"""What each party receives while a network predicts: the same for any weights and any images, but for uniform bytes.

Weights and images differ as far as the bounds allow that are published beforehand.
"""

import numpy as np
import pytest
import torch
from torch import nn

from analytics.nn.model import SecureModel
from icm_ray.ops.products import LoadWeight
from icm_ray.runtime.carriers.threads import ThreadEngine
from icm_ray.transport import Transcript
from tests.security.test_transcripts import LIMIT, chi_square, outline, payloads
from tests.thread_lane import ThreadLane

NAMES = ("alice", "bob", "carol")
FILLS = ("zeros", "largest", "least", "random")


class Recorded(ThreadEngine):
    """Keeps the jobs that it was given."""

    def execute(self, jobs):
        self.__dict__.setdefault("jobs", []).extend(jobs)
        return super().execute(jobs)


def filled(how, shape, top):
    if how == "random":
        return np.random.default_rng(5).uniform(-top, top, shape)
    return np.full(shape, {"zeros": 0.0, "largest": top, "least": -top}[how])


def network(how):
    """Convolution, comparisons, maxima and a linear layer. No value is beyond 4 where images are not beyond 2."""
    net = nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(36, 5)).eval()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(torch.from_numpy(filled(how, parameter.shape, 0.08)))
    return net


def asked(session, weights, images, output):
    """The jobs of a prediction, that which loads the weights among them."""
    before = len(vars(session).get("jobs", ()))
    example = (torch.zeros(1, 2, 8, 8),)
    model = SecureModel(session, network(weights), "alice", example, bound=4.0, weight_gain=8.0, input_bound=2.0)
    model.predict(filled(images, (6, 2, 8, 8), 2.0), "bob", output).reveal(to="bob")
    return session.jobs[before:]


@pytest.mark.parametrize("output", ["label", pytest.param("logits", marks=pytest.mark.slow)])
@pytest.mark.parametrize("parties", [NAMES[:2], pytest.param(NAMES, marks=pytest.mark.slow)])
def test_outline_and_bytes_depend_on_no_weight_and_no_image(parties, output):
    first, programs = None, None
    with Recorded(parties) as session:
        for weights, images in zip(FILLS, (*FILLS[1:], FILLS[0]), strict=True):
            transcript, jobs = Transcript(), asked(session, weights, images, output)
            assert any(isinstance(job.program.nodes[0].op, LoadWeight) for job in jobs)
            with ThreadLane(parties, transcript=transcript) as lane:
                for job in jobs:
                    lane.run(job.program, job.given)
            seen = outline(transcript, (*parties, "dealer"))
            first = first or seen
            assert seen == first, (weights, images)
            programs = programs or [len(job.program.nodes) for job in jobs]
            assert [len(job.program.nodes) for job in jobs] == programs
            for receiver in parties:
                for sender in (*(name for name in parties if name != receiver), "dealer"):
                    raw = b"".join(payloads(transcript, receiver, sender))
                    if len(raw) >= 2560:
                        said = f"weights {weights}, images {images}: {receiver} from {sender}, {len(raw)} bytes"
                        assert chi_square(raw) < LIMIT, said
