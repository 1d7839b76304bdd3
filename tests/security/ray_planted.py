"""What is planted in a watched session, and who may hold it."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from icm_ray.ring.fixed import encode
from tests.security.ray_scan import Needles

__all__ = ["CONTROLS", "PARTIES", "Planted"]

PARTIES = ("alice", "bob")
CONTROLS = ("argument", "closure", "constructor", "environment", "kv", "log", "output", "result", "spill", "store")
_ROWS = 256
_WATCHED = 12  # rows of a column that are looked for
_WEIGHTS = {"0.weight": (2, 1, 3, 3), "0.bias": (2,), "3.weight": (3, 72), "3.bias": (3,)}


class Planted:
    """Values that nobody else would have, in files of `folder` and in `needles`.

    holders: by name, whose memory they may be in: "driver", "alice", "bob", "dealer".
    kept: by process, the names of the shares that it kept when it noted them.
    """

    def __init__(self, folder: Path) -> None:
        self.needles = Needles()
        self.holders: defaultdict[str, set[str]] = defaultdict(set)
        self.kept: defaultdict[str, set[str]] = defaultdict(set)
        self._folder, self._rng = folder, np.random.default_rng()
        self._brought: dict[str, Any] = {}
        for owner in PARTIES:
            for name, values in self._frame(f"pushed {owner}", {"driver", owner}).items():
                self._brought[f"pushed {owner} {name}"] = values
            pd.DataFrame(self._frame(f"file {owner}", {owner})).to_parquet(folder / f"{owner}.parquet")
        self._model()
        self._refused()
        for name in CONTROLS:
            values = self._integers(8)
            self._brought[f"control {name}"] = values
            if name != "result":
                self.needles.integers(f"control {name}", values)
        self.needles.integers("control result", self._brought["control argument"] + 1)
        np.savez(folder / "brought.npz", **self._brought)

    def made(self) -> None:
        """Take up what the session made of it."""
        made = np.load(self._folder / "made.npz")
        for name, words in made.items():
            if "answers" in name:
                self._name(name, {"driver", *PARTIES})  # a maximum is one owner's own row
                (self.needles.floats if name == "answers" else self.needles.integers)(name, words)
            elif name == "logits":
                self._name(name, {"driver", "bob"})
                self.needles.runs(name, words, 3, "<f8")
            else:  # ring elements of images or weights
                self._name(name, {"driver", "bob" if "images" in name else "alice"})
                self.needles.runs(name, words.reshape(-1)[:96], 3, "<u8")

    def noted(self, processes: dict[int, str]) -> dict[str, set[str]]:
        """Take up the secrets that the processes noted; returns their kinds, by process."""
        kinds: defaultdict[str, set[str]] = defaultdict(set)
        names: dict[str, str] = {}
        for path in self._folder.glob("*.secrets"):
            process = processes.get(int(path.stem), "other")
            for line in path.read_text().splitlines():
                kind, secret = line.split()
                kind, _, peer = kind.partition("-")
                kinds[process].add(kind)
                # both ends of a link know what it carries and derive keys, a party the shares that it made for others
                members = {"dealer", *PARTIES}
                also = {
                    "sent": {peer},
                    "nonce": members,
                    "link": {"driver", *members},
                    "kept": set(PARTIES),
                }.get(kind, set())
                name = names.setdefault(secret, f"{kind} {secret[:12]} of {process}")
                self.needles.raw(self._name(name, {process} | also), bytes.fromhex(secret))
                if kind == "kept":
                    self.kept[process].add(name)
        return kinds

    def _name(self, name: str, holders: set[str]) -> str:
        self.holders[name] |= holders
        return name

    def _integers(self, count: int) -> np.ndarray:
        """48 bits each: as unlikely to be anywhere by chance as fits a shared column."""
        return self._rng.integers(2**47, 2**48, count)

    def _frame(self, name: str, holders: set[str]) -> dict[str, np.ndarray]:
        """Integers, floats of 48 bits with 16 of them behind the point, texts."""
        whole, part = self._integers(_ROWS), self._integers(_ROWS) / 2**16
        text = np.array([f"ward-{self._rng.bytes(8).hex()}" for _ in range(_ROWS)])
        rows = np.argsort(whole)[100 : 100 + _WATCHED]  # no extreme one: a maximum is revealed
        self.needles.integers(self._name(f"{name} whole", holders), whole[rows])
        rows = np.argsort(part)[100 : 100 + _WATCHED]
        self.needles.floats(self._name(f"{name} part", holders), part[rows])
        words = encode(part[rows], 16, 32).tolist()
        self.needles.integers(self._name(f"{name} part in fixed point", holders), words)
        for row in rows:
            self.needles.raw(self._name(f"{name} text", holders), text[row].encode())
        owner = name.split()[1]  # an owner adds up its own rows, and shows nobody the sum
        self.needles.integers(self._name(f"{name} sum", {owner}), [int(whole.sum())])
        return {"whole": whole, "part": part, "text": text}

    def _model(self) -> None:
        """Weights above 0: were all activations 0, the logits would be the bias, and the recipient would have it."""
        images = self._rng.uniform(0.0, 1.0, (4, 1, 8, 8))
        weights = {f"model {key}": abs(self._rng.normal(0.0, 0.2, shape)) for key, shape in _WEIGHTS.items()}
        for key, values in {"images": images, **weights}.items():
            self._brought[key] = values
            few = values.reshape(-1)[:_WATCHED]
            self.needles.floats(self._name(key, {"driver", "bob" if key == "images" else "alice"}), few)
            for form in ("<f4", ">f4"):
                self.needles.runs(key, few, 2, form)

    def _refused(self) -> None:
        """CSV files that cannot be read, with cells that an error of Arrow's would quote."""
        words = [f"cell-{self._rng.bytes(8).hex()}" for _ in range(2)]
        (self._folder / "ragged.csv").write_text(f"x,y\n1,2\n3,{words[0]},5\n")
        (self._folder / "words.csv").write_text("x\n" + "1\n" * 600_000 + f"{words[1]}\n")
        for word in words:
            self.needles.raw(self._name("cell of a bad file", set(PARTIES)), word.encode())
