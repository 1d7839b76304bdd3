"""Three organisations, each with an instance of its own: Alice's network labels Bob's pictures, for Bob alone.

Each instance is a process with a folder of its own, as it would be on a machine of its own; the commands are those that
people type there. Carol deals randomness, and sees nothing of anybody's. Bob sits behind a firewall: he dials.
Usage: python examples/organisations/story.py
"""

import os
import socket
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from time import monotonic, sleep

import numpy as np
import pandas as pd
import torch
from PIL import Image, ImageDraw
from torch import nn

HERE = Path(__file__).parent
POLICY = "min_rows = 10\n"
PATIENCE = 60.0


class SkinNet(nn.Module):
    """Alice's. Its weights are random here: what it says means nothing, but is computed all the same."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.AvgPool2d(4), nn.Conv2d(8, 16, 3, padding=1), nn.ReLU()
        )
        self.linear = nn.Linear(16, 7)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(self.features(x).mean((2, 3)))


def drawn(number: int) -> Image.Image:
    """One of Bob's pictures: a spot on skin."""
    random = np.random.default_rng(number)
    picture = Image.new("RGB", (28, 28), (224, 172, 150))
    x, y, size = (int(part) for part in random.integers(6, 14, 3))
    ImageDraw.Draw(picture).ellipse(
        (x, y, x + size, y + size), tuple(int(part) for part in random.integers(40, 140, 3))
    )
    return picture


def visits(seed: int) -> pd.DataFrame:
    """A table that both have."""
    random = np.random.default_rng(seed)
    return pd.DataFrame({"age": random.integers(18, 95, 300), "cost": random.gamma(2.0, 150.0, 300).round(2)})


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def icm(home: Path, command: str, *words: str) -> str:
    """A command at an organisation, whose folder is `home`; it is shown as it is typed."""
    print(f"{home.name}$ icm {command} {' '.join(words)}"[:110], flush=True)
    line = (sys.executable, "-m", "cluster.cli.main", command, "--home", str(home), *words)
    return subprocess.run(line, check=True, stdout=subprocess.PIPE, text=True, timeout=PATIENCE).stdout  # noqa: S603 - these words alone


def serve(home: Path, ending: ExitStack) -> subprocess.Popen[bytes]:
    """Start an instance, which ends with the story."""
    print(f"{home.name}$ icm serve &", flush=True)
    line = (sys.executable, "-m", "cluster.cli.main", "serve", "--home", str(home))
    process = subprocess.Popen(line, stdout=subprocess.DEVNULL)  # noqa: S603
    ending.callback(ended, process)
    return process


def ended(process: subprocess.Popen[bytes]) -> None:
    """Tell an instance to end; it is killed where it does not."""
    process.terminate()
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()


def awaited(home: Path, process: subprocess.Popen[bytes]) -> None:
    """Until it serves."""
    began = monotonic()
    while not (home / "serving.json").exists():
        if process.poll() is not None or monotonic() - began > PATIENCE:
            raise SystemExit(f"{home.name}'s instance does not serve")
        sleep(0.05)


def meet(inviter: Path, guest: Path) -> None:
    """By a ticket. Both would compare six words by telephone; --yes says that they did."""
    icm(guest, "join", icm(inviter, "invite", guest.name).strip(), "--yes")
    icm(inviter, "peers", "--approve", guest.name)


def main() -> None:
    with ExitStack() as ending:
        root = Path(ending.enter_context(tempfile.TemporaryDirectory()))
        alice, bob, carol = (root / name for name in ("alice", "bob", "carol"))

        icm(alice, "init", "alice", "--listen", f"127.0.0.1:{free_port()}")
        icm(bob, "init", "bob", "--listen", f"127.0.0.1:{free_port()}", "--dial-only")
        icm(carol, "init", "carol", "--listen", f"127.0.0.1:{free_port()}", "--dealer")
        serving = {home: serve(home, ending) for home in (alice, bob, carol)}
        for home, process in serving.items():
            awaited(home, process)
        meet(alice, bob)
        meet(carol, alice)
        meet(carol, bob)

        # what each has: a network that was exported, pictures, a table at both
        torch.manual_seed(0)
        exported = torch.export.export(SkinNet().eval(), (torch.zeros(2, 3, 28, 28),))
        torch.export.save(exported, root / "model.pt2")
        (root / "images").mkdir()
        for number in range(8):
            drawn(number).save(root / "images" / f"lesion{number}.png")
        (root / "visits.toml").write_text(POLICY)
        for number, home in enumerate((alice, bob)):
            visits(number).to_parquet(root / f"{home.name}.parquet")

        # what each offers: Bob may ask Alice's network about 100 of his pictures in all, and about her visits
        pixels = ("--scale", str(1 / 255), "--normalize", "0.5,0.25")
        icm(alice, "model", "skin", str(root / "model.pt2"), "--quota", "bob=100", "--standing", "bob", *pixels)
        rules = ("--policy", str(root / "visits.toml"))
        icm(alice, "data", "visits", str(root / "alice.parquet"), *rules, "--standing", "bob")
        icm(bob, "data", "visits", str(root / "bob.parquet"), *rules)
        icm(bob, "data", "lesions", str(root / "images" / "*.png"))

        # Bob asks, in a process of his own
        print("bob$ python ask.py", flush=True)
        environment = {**os.environ, "ICM_HOME": str(bob)}
        subprocess.run((sys.executable, str(HERE / "ask.py")), check=True, env=environment, timeout=PATIENCE)  # noqa: S603
        print(icm(alice, "model"))
        print(icm(alice, "audit")[-1200:])


if __name__ == "__main__":
    main()
