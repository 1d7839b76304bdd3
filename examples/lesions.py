"""alice has trained a network on skin lesions, bob has pictures of some: he learns what it says of them, she sees none.

Real lesions and a trained network where ICM_TEST_DATA names the folder that has them; otherwise spots that are drawn
here, and a network with random weights, whose answers mean nothing but are computed all the same.
Usage: python examples/lesions.py [SHEET.png]
"""

import os
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw
from rich.console import Console
from rich.table import Table
from torch import nn

import analytics as an
import icm_ray as icm

COUNT, ACROSS, SIZE = 28, 4, 112
NAMES = ("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc")


def block(channels: int, planes: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, planes, 3, padding=1, bias=False), nn.BatchNorm2d(planes), nn.ReLU())


class SkinNet(nn.Module):
    """alice's: six convolutions on pictures of 28 x 28 pixels."""

    def __init__(self) -> None:
        super().__init__()
        first, second = (block(3, 24), block(24, 24), nn.AvgPool2d(2)), (block(24, 48), block(48, 48), nn.AvgPool2d(2))
        self.features = nn.Sequential(*first, *second, block(48, 96), block(96, 96))
        self.linear = nn.Linear(96, len(NAMES))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(self.features(x).mean((2, 3)))


def lesions() -> tuple[nn.Module, np.ndarray, np.ndarray | None]:
    """alice's network, and bob's pictures (n, 28, 28, 3) with what a doctor said of them, if anybody did."""
    torch.manual_seed(0)
    net, folder = SkinNet().eval(), Path(os.environ.get("ICM_TEST_DATA", ""))
    trained, pictures = folder / "ham10000_28_skinnet.safetensors", folder / "ham10000_28_test_1000.npz"
    if trained.is_file() and pictures.is_file():
        from safetensors.torch import load_file

        net.load_state_dict(load_file(trained))
        with np.load(pictures, allow_pickle=False) as file:
            each = COUNT // len(NAMES)
            chosen = np.concatenate([np.flatnonzero(file["labels"] == kind)[:each] for kind in range(len(NAMES))])
            return net, file["images"][chosen], file["labels"][chosen]
    return net, np.stack([drawn(number) for number in range(COUNT)]), None


def drawn(number: int) -> np.ndarray:
    """A spot on skin, somewhere."""
    rng = np.random.default_rng(number)
    picture = Image.new("RGB", (28, 28), (222, 178, 160))
    x, y, radius = rng.integers(8, 20), rng.integers(8, 20), rng.integers(3, 8)
    ImageDraw.Draw(picture).ellipse((x - radius, y - radius, x + radius, y + radius), fill=(110, 60, 50))
    return np.asarray(picture)


def sheet(pictures: np.ndarray, labels: np.ndarray, truth: np.ndarray | None) -> Image.Image:
    """All pictures on one page, each with its label: green where the doctor said so too, else red with what he said."""
    rows = -(-len(pictures) // ACROSS)
    page = Image.new("RGB", (ACROSS * SIZE, rows * (SIZE + 16)), "white")
    pen = ImageDraw.Draw(page)
    for place, (pixels, label) in enumerate(zip(pictures, labels, strict=True)):
        left, top = place % ACROSS * SIZE, place // ACROSS * (SIZE + 16)
        page.paste(Image.fromarray(pixels).resize((SIZE - 4, SIZE - 4), Image.Resampling.BICUBIC), (left + 2, top + 2))
        same = truth is None or truth[place] == label
        said = NAMES[label] if same else f"{NAMES[label]}, doctor: {NAMES[truth[place]]}"
        pen.text((left + 4, top + SIZE), said, fill="black" if truth is None else "green" if same else "red")
    return page


net, pictures, truth = lesions()
pixels = pictures.transpose(0, 3, 1, 2)  # channels first, uint8: they are normalised by bob, as alice's model says

with icm.Session(parties=("alice", "bob")) as session:
    model = an.SecureModel(
        session,
        net,
        owner="alice",
        example_inputs=(torch.zeros(1, 3, 28, 28),),
        scale=1 / 127.5,
        normalize=(1.0, 1.0),
        input_bound=2.0,
        quota={"bob": 100},
    )
    prediction = model.predict(pixels, owner="bob", output="top_k", k=2)
    print(prediction.explain(to="bob"))
    found = prediction.reveal(to="bob")

with torch.no_grad():
    logits = net(torch.from_numpy(pixels / 127.5 - 1).float()).numpy()
table = Table("picture", "the network says", "and then", "plain torch", "the doctor", title="bob's lesions")
for place, (first, second) in enumerate(found):
    said = "" if truth is None else NAMES[truth[place]]
    table.add_row(str(place), NAMES[first], NAMES[second], NAMES[logits[place].argmax()], said)
Console().print(table)
path = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.mkdtemp()) / "lesions.png"
sheet(pictures, found[:, 0], truth).save(path)
took = prediction.spent
print(f"{COUNT / took.seconds:.1f} pictures/s, {took.sent_bytes / COUNT / 1e6:.1f} MB each; the sheet: {path}")

best, named = -np.sort(-logits, axis=1)[:, :2], np.take_along_axis(logits, found, axis=1)
apart, expected = np.abs(best - named).max(), 2 * model.expected_error
print(f"plain PyTorch's logits of them are within {apart:.1e} of its two largest; {expected:.1e} is expected")
assert apart <= expected
assert (found[:, 0] != found[:, 1]).all()
