"""Networks as users hand them over, a torch.nn.Module each: imported and lowered as `SecureModel` does it.

Weights are the first party's and loaded before the clock starts; what is given to a network is shares. As in the other
engines that are measured on them, activations are promised, not checked, to stay within the bounds that `SecureModel`
would have measured.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from cluster.bench.plain_networks import NETWORKS, Encoder, Residual
from cluster.bench.workloads import F, FixedWeight, Plain, Workload
from icm_ray.network.budget import NetworkBuilder
from icm_ray.network.model import PublicModel, lower
from icm_ray.network.programs import bias_name
from icm_ray.ops.linear import Input
from icm_ray.program.build import Builder, Value

if TYPE_CHECKING:
    from analytics.nn.compile import Compiled

__all__ = ["network_workload", "network_workloads"]

_INPUTS = 3
"""The logarithm of the bound of inputs, SecureModel's own; so is the margin of the others."""
_MARGIN = 4.0
_WHAT = {
    "resnet20_b16": "ResNet-20 for CIFAR-10, batch 16",
    "transformer_b1": "a transformer's encoder of 2 layers, 32 tokens of width 128",
}


def _residual(network: Residual) -> Any:
    import torch
    from torch.nn import functional

    class ResNet(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            weights = network.weights().items()
            self.weights = torch.nn.ParameterDict({name: torch.from_numpy(array) for name, array in weights})

        def layer(self, x: torch.Tensor, name: str, stride: int = 1) -> torch.Tensor:
            return functional.conv2d(x, self.weights[name], self.weights[f"{name}_bias"], stride, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = functional.relu(self.layer(x, "first"))
            for name, inputs, outputs, stride in network.plan():
                y = self.layer(functional.relu(self.layer(x, f"a{name}", stride)), f"b{name}")
                if more := (outputs - inputs) // 2:
                    x = functional.pad(x[:, :, ::stride, ::stride], (0, 0, 0, 0, more, more))
                x = functional.relu(y + x)
            return functional.linear(x.mean((2, 3)), self.weights["last"], self.weights["last_bias"])

    return ResNet()


def _encoder(network: Encoder) -> Any:
    import torch

    layer = torch.nn.TransformerEncoderLayer(
        network.width, network.heads, network.inner, dropout=0.0, activation="gelu", batch_first=True
    )
    net = torch.nn.TransformerEncoder(layer, network.layers, enable_nested_tensor=False)
    net.load_state_dict({name: torch.from_numpy(array) for name, array in network.weights().items()})
    return net


def _compiled(network: Residual | Encoder) -> Compiled:
    """With torch, which takes seconds to load."""
    import torch

    from analytics.nn.calibration import Samples
    from analytics.nn.compile import compile_within, simplified
    from analytics.nn.importer import import_model
    from analytics.nn.intake import Intake

    net = (_residual(network) if isinstance(network, Residual) else _encoder(network)).eval()
    example = torch.zeros(2, *network.inputs().shape[1:])
    graph = simplified(import_model(net, (example,)))
    samples = Samples(None, graph.graph, _INPUTS, Intake())
    return compile_within(graph, F, _INPUTS, "auto", None, samples, _MARGIN)


def _build(model: PublicModel, builder: Builder, values: Mapping[str, Value]) -> Value:
    """The network on x, without what counts values beyond their bounds: nothing reads the counts."""
    scratch = NetworkBuilder(builder.parties)
    owner, x = builder.parties[0], values["x"]
    keys = dict(model.graph.loaders)
    result = lower(scratch, model.graph, model.scheme, owner, keys, scratch.add(Input(owner, "x", x.type)))
    nodes, needed = scratch.build().nodes, {result.result.node}
    for place in range(len(nodes) - 1, -1, -1):
        if place in needed:
            needed.update(nodes[place].inputs)
    made: dict[int, Value] = {}
    for place in sorted(needed):
        op, inputs = nodes[place].op, nodes[place].inputs
        made[place] = x if isinstance(op, Input) else builder.add(op, *(made[other] for other in inputs))
    return made[result.result.node]


def network_workload(name: str, what: str, network: Residual | Encoder) -> Workload:
    """One run of a network on its inputs."""
    compiled = _compiled(network)
    model, words = compiled.model, compiled.weights()
    kinds = model.lowered.weights
    weights = {
        name: FixedWeight(kinds[name], words[name], words.get(bias_name(name))) for name in kinds if name in words
    }
    x: Plain = network.inputs().astype("float64")
    return Workload(
        name,
        what,
        {"x": x},
        {"x": model.images_type(len(x))},
        partial(_build, model),
        lambda inputs: network.plain(inputs["x"]),
        weights,
    )


def network_workloads() -> dict[str, Callable[[], Workload]]:
    """By name; made on demand, which takes torch."""
    return {name: partial(network_workload, name, _WHAT[name], network) for name, network in NETWORKS.items()}
