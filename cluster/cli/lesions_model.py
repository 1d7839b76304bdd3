"""Pictures of skin, and a network that names what they show: real ones where they are found, else made up."""

from __future__ import annotations

import os
from collections import OrderedDict
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cluster.cli.training import plain_logits, trained

__all__ = ["INPUT_BOUND", "NORMALIZE", "SCALE", "Lesions"]

SCALE: Final = 1 / 127.5
NORMALIZE: Final = (1.0, 1.0)
INPUT_BOUND: Final = 2.0
"""What becomes of pixels before the network: from -1 to 1."""

_SIZE: Final = 28
_REAL: Final = ("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc")
_DRAWN: Final = ("mole", "melanoma", "angioma")
_TRAINING: Final = 300
_EPOCHS: Final = 4
_BATCH: Final = 30


@dataclass(frozen=True)
class Lesions:
    """net: a torch.nn.Module in eval mode, of normalised pictures (n, 3, 28, 28). pictures: (n, 3, 28, 28), of a byte
    each pixel. truth: what they show, by its place in `kinds`. made_up: whether they are drawn here.
    """

    net: Any
    pictures: NDArray[np.uint8]
    truth: NDArray[np.int64]
    kinds: tuple[str, ...]
    made_up: bool

    @classmethod
    def load(cls, count: int) -> Lesions:
        """So many pictures: of people, and a network that learned from others, where ICM_TEST_DATA names a folder with
        both (HAM10000, 28 x 28 pixels); else drawn ones, and a smaller network that learns from such, in seconds.
        """
        folder = Path(os.environ.get("ICM_TEST_DATA", ""))
        weights, pictures = folder / "ham10000_28_skinnet.safetensors", folder / "ham10000_28_test_1000.npz"
        if weights.is_file() and pictures.is_file() and find_spec("safetensors") is not None:
            return cls._real(weights, pictures, count)
        return cls._made_up(count)

    @classmethod
    def _real(cls, weights: Path, pictures: Path, count: int) -> Lesions:
        from safetensors.torch import load_file

        net = _skin_net((24, 48, 96), len(_REAL))
        net.load_state_dict(load_file(weights))
        with np.load(pictures, allow_pickle=False) as file:
            images, labels = file["images"], file["labels"]
        return cls(net.eval(), images[:count].transpose(0, 3, 1, 2).copy(), labels[:count], _REAL, False)

    @classmethod
    def _made_up(cls, count: int) -> Lesions:
        pictures, truth = _drawn(np.random.default_rng(1), count)
        return cls(_trained(*_drawn(np.random.default_rng(0), _TRAINING)), pictures, truth, _DRAWN, True)

    @property
    def logits(self) -> NDArray[np.float64]:
        """What the network says of pictures that need not be hidden: (n, kinds)."""
        return plain_logits(self.net, _normalised(self.pictures))

    @property
    def example_inputs(self) -> tuple[NDArray[np.float32]]:
        """As the network takes them."""
        return (_normalised(self.pictures[:2]),)


def _normalised(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    mean, std = NORMALIZE
    return ((pictures * SCALE - mean) / std).astype(np.float32)


def _skin_net(widths: tuple[int, int, int], kinds: int) -> Any:
    """Six convolutions, two at each width, the first four of them pooled by two; the mean of each channel; a layer."""
    from torch import nn

    def block(channels: int, planes: int) -> Any:
        return nn.Sequential(nn.Conv2d(channels, planes, 3, padding=1, bias=False), nn.BatchNorm2d(planes), nn.ReLU())

    first, second, third = widths
    features = [block(3, first), block(first, first), nn.AvgPool2d(2)]
    features += [block(first, second), block(second, second), nn.AvgPool2d(2)]
    features += [block(second, third), block(third, third)]
    parts = {
        "features": nn.Sequential(*features),
        "mean": nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()),
        "linear": nn.Linear(third, kinds),
    }
    return nn.Sequential(OrderedDict(parts))


def _trained(pictures: NDArray[np.uint8], truth: NDArray[np.int64]) -> Any:
    """A small one, in eval mode."""
    import torch

    torch.manual_seed(0)
    net = _skin_net((8, 12, 16), len(_DRAWN))
    return trained(net, _normalised(pictures), truth, _EPOCHS, _BATCH, 1e-2)


# --- drawn pictures -------------------------------------------------------------------------------------------------


def _drawn(random: np.random.Generator, count: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Spots on skin, (n, 3, 28, 28), and of which kind each is."""
    truth = random.permutation(np.arange(count) % len(_DRAWN))
    return np.stack([_spot(random, kind) for kind in truth.tolist()]), truth


def _spot(random: np.random.Generator, kind: int) -> NDArray[np.uint8]:
    """A mole is round and brown, a melanoma large, dark and of several parts, an angioma small and red."""
    skin = np.array([222.0, 178.0, 160.0]) + random.normal(0, 8, 3)
    tone = np.array([[126, 78, 58], [62, 42, 40], [178, 48, 62]][kind]) + random.normal(0, 10, 3)
    radius = random.uniform(*((3.5, 6.0), (5.0, 8.0), (2.0, 4.0))[kind])
    y, x = np.mgrid[:_SIZE, :_SIZE]
    centre = random.uniform(10, 18, 2)
    far = np.full((_SIZE, _SIZE), np.inf)
    for _ in range(3 if kind == 1 else 1):
        at = centre + random.normal(0, 2.5 if kind == 1 else 0.3, 2)
        stretch = random.uniform(0.75, 1.3)
        far = np.minimum(far, np.hypot((y - at[0]) * stretch, (x - at[1]) / stretch))
    share = 1 / (1 + np.exp((far - radius) * 1.5))  # of the spot's colour: its edge is soft
    pixels = skin[:, None, None] * (1 - share) + tone[:, None, None] * share
    return np.clip(pixels + random.normal(0, 5, pixels.shape), 0, 255).astype(np.uint8)
