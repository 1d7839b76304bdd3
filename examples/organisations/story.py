"""Organisations with an instance each: Alice's network labels Bob's pictures, for Bob alone; then he asks for a mean
over the visits that he, Alice and Dora have.

Each instance is a process with a folder of its own, as it would be on a machine of its own; the commands are those that
people type there (README.md in this folder has them with what they are for). Carol deals randomness, and sees nothing
of anybody's. Bob sits behind a firewall: he dials. Pictures of people's skin, and a network that learned from others,
where ICM_TEST_DATA names the folder that has them; otherwise drawn ones, and a network that learns from such.
Usage: python examples/organisations/story.py
"""

import os
import socket
import subprocess
import sys
import tempfile
from contextlib import ExitStack, redirect_stdout
from io import StringIO
from pathlib import Path
from time import monotonic, sleep

import numpy as np
import pandas as pd
import torch
from PIL import Image

from cluster.cli.lesions_model import INPUT_BOUND, NORMALIZE, SCALE, Lesions
from cluster.cli.main import app

HERE = Path(__file__).parent
POLICY = "min_rows = 10\n"
PATIENCE = 60.0


def visits(seed: int) -> pd.DataFrame:
    """A table that each has."""
    random = np.random.default_rng(seed)
    return pd.DataFrame({"age": random.integers(18, 95, 300), "cost": random.gamma(2.0, 150.0, 300).round(2)})


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def icm(home: Path, command: str, *words: str) -> str:
    """What a command prints at an organisation, whose folder is `home`. It is shown as it is typed, and run here, where
    what it needs is loaded already.
    """
    print(f"{home.name}$ icm {command} {' '.join(words)}"[:110], flush=True)
    with redirect_stdout(StringIO()) as said:
        app((command, "--home", str(home), *words), standalone_mode=False)
    return said.getvalue()


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
        alice, bob, carol, dora = (root / name for name in ("alice", "bob", "carol", "dora"))

        icm(alice, "init", "alice", "--listen", f"127.0.0.1:{free_port()}")
        icm(bob, "init", "bob", "--listen", f"127.0.0.1:{free_port()}", "--dial-only")
        icm(carol, "init", "carol", "--listen", f"127.0.0.1:{free_port()}", "--dealer")
        icm(dora, "init", "dora", "--listen", f"127.0.0.1:{free_port()}")
        serving = {home: serve(home, ending) for home in (alice, bob, carol, dora)}
        for home, process in serving.items():
            awaited(home, process)
        for inviter, guest in ((alice, bob), (alice, dora), (dora, bob), (carol, alice), (carol, bob), (carol, dora)):
            meet(inviter, guest)

        # what each has: a network that was exported, pictures, a table of all three
        lesions = Lesions.load(8)
        exported = torch.export.export(lesions.net, tuple(map(torch.from_numpy, lesions.example_inputs)))
        torch.export.save(exported, root / "model.pt2")
        (root / "images").mkdir()
        for number, picture in enumerate(lesions.pictures):
            Image.fromarray(picture.transpose(1, 2, 0)).save(root / "images" / f"lesion{number}.png")
        (root / "visits.toml").write_text(POLICY)
        for number, home in enumerate((alice, bob, dora)):
            visits(number).to_parquet(root / f"{home.name}.parquet")

        # what each offers: Bob may ask Alice's network about 100 of his pictures, and her and Dora about their visits
        mean, deviation = NORMALIZE
        pixels = ("--scale", str(SCALE), "--normalize", f"{mean},{deviation}", "--input-bound", str(INPUT_BOUND))
        icm(alice, "model", "skin", str(root / "model.pt2"), "--quota", "bob=100", "--standing", "bob", *pixels)
        rules = ("--policy", str(root / "visits.toml"))
        for home in (alice, dora):
            icm(home, "data", "visits", str(root / f"{home.name}.parquet"), *rules, "--standing", "bob")
        icm(bob, "data", "visits", str(root / "bob.parquet"), *rules)
        icm(bob, "data", "lesions", str(root / "images" / "*.png"))

        # Bob asks, in a process of his own
        print("bob$ python ask.py", flush=True)
        environment = {**os.environ, "ICM_HOME": str(bob)}
        subprocess.run((sys.executable, str(HERE / "ask.py")), check=True, env=environment, timeout=PATIENCE)  # noqa: S603
        print("where", ", ".join(f"{number} is {kind}" for number, kind in enumerate(lesions.kinds)))
        print("which they are:", lesions.truth.tolist(), "(drawn)" if lesions.made_up else "(HAM10000)")
        print(icm(alice, "model"))
        print(icm(alice, "audit")[-1200:])


if __name__ == "__main__":
    main()
