"""Images per second of private predictions in a session as it comes (Ray actors, sealed links), beside plain PyTorch.

    python benchmarks/predictions.py [--images 256] [--repeats 3] [--batch 64] [--in-flight MB] [--threads] [--profile]

The network is ResNet-20 for CIFAR-10 with random weights: time does not depend on them. Weights are loaded and one
batch is predicted before the clock starts. --threads: on a ThreadEngine in this process; --plain: links without
encryption.
"""

from __future__ import annotations

import argparse
from statistics import median
from time import perf_counter

import numpy as np
import torch
from torch import nn
from torch.nn import functional

import analytics as an
import icm_ray as icm
from icm_ray.config import EngineConfig
from icm_ray.runtime.carriers.threads import ThreadEngine


class Block(nn.Module):
    """Two convolutions with a shortcut; a wider one by padding channels."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.more = (outputs - inputs) // 2

    def forward(self, x):
        y = self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(x)))))
        if self.more:
            x = functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.more, self.more))
        return functional.relu(y + x)


class ResNet20(nn.Module):
    """He et al., Deep Residual Learning for Image Recognition, 2015, section 4.2."""

    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16)
        plan = [(16, 16, 1)] * 3 + [(16, 32, 2)] + [(32, 32, 1)] * 2 + [(32, 64, 2)] + [(64, 64, 1)] * 2
        self.blocks = nn.Sequential(*(Block(*sizes) for sizes in plan))
        self.linear = nn.Linear(64, 10)

    def forward(self, x):
        x = self.blocks(functional.relu(self.bn1(self.conv1(x))))
        return self.linear(functional.adaptive_avg_pool2d(x, 1).flatten(1))


def timed(repeats, call):
    """The median of seconds after one run to warm up."""
    took = []
    for _ in range(repeats + 1):
        began = perf_counter()
        call()
        took.append(perf_counter() - began)
    return median(took[1:])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--batch", type=int)
    parser.add_argument("--in-flight", type=int, default=0)
    parser.add_argument("--fraction-bits", type=int)
    parser.add_argument("--plain", action="store_true")
    parser.add_argument("--threads", action="store_true")
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(2)
    net = ResNet20().eval()
    with torch.no_grad():
        net.train()(torch.randn(64, 3, 32, 32))  # statistics of the normalisations, as after training
    net.eval()
    images = np.random.default_rng(0).normal(size=(options.images, 3, 32, 32)).astype(np.float32).clip(-4, 4)
    config = EngineConfig(in_flight=options.in_flight << 20, tls=not options.plain)
    engine = ThreadEngine(("alice", "bob"), config=config) if options.threads else None
    with engine or icm.Session(in_flight=options.in_flight << 20, tls=not options.plain) as session:
        model = an.SecureModel(
            session,
            net,
            owner="alice",
            example_inputs=(images[:2],),
            bound=64.0,
            batch_size=options.batch,
            fraction_bits=options.fraction_bits,
        )
        prediction = model.predict(images, owner="bob", output="label")
        labels = prediction.reveal(to="bob")
        seconds = timed(options.repeats, lambda: prediction.reveal(to="bob"))
        if options.profile:
            print(prediction.explain())
    with torch.no_grad():
        wanted = net(torch.from_numpy(images)).argmax(1).numpy()
        plain = timed(options.repeats, lambda: net(torch.from_numpy(images)))
    print(f"labels that agree: {np.mean(labels == wanted):.4f}")
    print(f"images/s: {options.images / seconds:.1f} in batches of {model.batch_size}")
    print(f"plain PyTorch: {options.images / plain:.0f}")
    print(f"ratio: 1/{seconds / plain:.1f}")


if __name__ == "__main__":
    main()
