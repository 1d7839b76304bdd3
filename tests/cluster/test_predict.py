"""`icm predict`: a saved network, pictures in a folder, predictions in a file and in a table."""

import numpy as np
import pyarrow.csv
import pyarrow.parquet
import pytest
import torch
from PIL import Image

import icm_ray
from cluster.cli import main as cli
from icm_ray.runtime.carriers.threads import ThreadEngine
from tests.cluster.test_cli import called


class Flat(torch.nn.Module):
    """Names the number of images, which an export for one picture writes down as 1."""

    def forward(self, x):
        return x.reshape(x.size(0), -1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A network on (3, 4, 5) that was exported for one picture, and five pictures, one of which is larger."""
    folder = tmp_path_factory.mktemp("pictures")
    torch.manual_seed(1)
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), Flat(), torch.nn.Linear(24, 3)).eval()
    torch.export.save(torch.export.export(net, (torch.zeros(1, 3, 4, 5),)), folder / "model.pt2")
    rng = np.random.default_rng(2)
    for number in range(5):
        pixels = rng.integers(0, 256, (4, 5, 3), dtype=np.uint8)
        picture = Image.fromarray(pixels)
        (picture.resize((10, 8)) if number == 4 else picture).save(folder / f"{number}.png")
    return folder, net


@pytest.fixture
def session(monkeypatch):
    """Threads in place of a Ray cluster."""
    monkeypatch.setitem(vars(icm_ray), "Session", lambda parties, lanes: ThreadEngine(tuple(parties), lanes=lanes or 1))


def pictures(folder, count=4):
    return np.stack([np.asarray(Image.open(folder / f"{number}.png")) for number in range(count)]).transpose(0, 3, 1, 2)


def test_labels_and_names_of_classes(monkeypatch, capsys, session, folder):
    folder, net = folder
    out = folder / "labels.parquet"
    options = [
        "--data",
        str(folder / "*.png"),
        "--out",
        str(out),
        "--classes",
        "one,two,three",
        "--mean",
        "0.5",
        "--std",
        "0.25",
    ]
    assert called(monkeypatch, "predict", "--model", str(folder / "model.pt2"), *options) == 0
    written = pyarrow.parquet.read_table(out)
    assert written["file"].to_pylist() == [f"{number}.png" for number in range(5)]
    with torch.no_grad():
        expected = net(torch.from_numpy((pictures(folder) / 255 - 0.5) / 0.25).float()).argmax(1).tolist()
    assert written["label"].to_pylist()[:4] == expected
    told = capsys.readouterr().out
    assert "label of 5 pictures of bob's, by alice's model.pt2" in told
    assert ["one", "two", "three"][expected[0]] in told


def test_probabilities_as_columns(monkeypatch, capsys, session, folder):
    folder, net = folder
    out = folder / "probabilities.csv"
    options = ["--data", str(folder), "--out", str(out), "--output", "probabilities", "--owner", "carol"]
    assert called(monkeypatch, "predict", "--model", str(folder / "model.pt2"), *options) == 0
    written = pyarrow.csv.read_csv(out)
    with torch.no_grad():
        expected = torch.softmax(net(torch.from_numpy(pictures(folder) / 255).float()), 1).numpy()
    found = np.stack([written[f"probabilities_{place}"].to_numpy() for place in range(3)], axis=1)
    np.testing.assert_allclose(found[:4], expected, atol=1e-2)
    assert "carol's" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"--model": "none.pt2"}, "there is no file"),
        ({"--model": "0.png"}, "is no file of torch.export.save"),
        ({"--data": "*.jpg"}, "matches no file"),
        ({"--data": "model.pt2"}, "cannot be read as a picture"),
        ({"--out": "labels.txt"}, ".parquet or .csv"),
        ({"--out": "none/labels.csv"}, "no folder"),
        ({"--mean": "a"}, "--mean is one number"),
    ],
)
@pytest.mark.few(4)
def test_what_cannot_be_is_one_line(monkeypatch, capsys, session, folder, changed, says):
    folder, _ = folder
    options = {"--model": "model.pt2", "--data": "0.png", "--out": "other.csv", "--mean": ""} | changed
    paths = [
        part
        for name, value in options.items()
        if value
        for part in (name, value if name == "--mean" else str(folder / value))
    ]
    assert called(monkeypatch, "predict", *paths) == 2
    assert says in capsys.readouterr().err


def test_it_is_a_command(capsys):
    assert "predict" in [command.name for command in cli.app.registered_commands]
