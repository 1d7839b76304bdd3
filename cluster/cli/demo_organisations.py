"""The third part of the demonstration: organisations with an instance each, in processes, that meet and ask."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from cluster.cli.lesions_model import INPUT_BOUND, NORMALIZE, SCALE, Lesions
from cluster.local_instances import await_serving, free_port, meet, started

if TYPE_CHECKING:
    from icm_ray.instance.roster import Kind

__all__ = ["Story", "story_table", "told"]

_OWNERS: Final = ("alice", "bob", "dora")
_DEALER: Final = "carol"
_COLUMN: Final = "mean radius"
_PICTURES: Final = 16
_SHOWN: Final = 8


@dataclass(frozen=True)
class Story:
    """What Bob heard, beside what a plain model and all rows together say; how long the parts took, in seconds.
    statistics: by name, of all rows; plain_statistics: the same.
    """

    lesions: Lesions
    labels: NDArray[np.int64]
    plain: NDArray[np.float64]
    error: float
    statistics: dict[str, float]
    plain_statistics: dict[str, float]
    refused: str
    met: float
    predicted: float
    asked: float

    def check(self) -> None:
        """Raise where a label differs though the plain logits' top two are further apart than the error, or a statistic
        does, or what Alice does not allow was answered.
        """
        ordered = np.sort(self.plain, axis=1)
        clear = ordered[:, -1] - ordered[:, -2] > 2 * self.error
        if not np.array_equal(self.labels[clear], self.plain.argmax(axis=1)[clear]):
            raise RuntimeError("a label between organisations differs from the plain model's")
        for name, plain in self.plain_statistics.items():
            if abs(self.statistics[name] - plain) > 1e-9 * abs(plain):
                raise RuntimeError(
                    f"the {name} over three organisations is {self.statistics[name]} where plaintext gives {plain}"
                )
        if not self.refused:
            raise RuntimeError("logits were told where labels alone are allowed")


def told(console: Console, folder: Path) -> Story:
    """Found four instances, let them meet, offer a model, pictures and tables, and ask at Bob's."""
    import icm_ray as icm
    from icm_ray.errors import PolicyError

    with console.status("alice's network and bob's pictures ..."):
        lesions = Lesions.load(_PICTURES)
    began = perf_counter()
    with _serving(folder) as homes:
        for guest, inviter in (("bob", "alice"), ("dora", "alice"), ("bob", "dora")):
            meet(homes[inviter], homes[guest])
        for owner in _OWNERS:
            meet(homes[_DEALER], homes[owner])
        error = _offer_model(homes["alice"], lesions)
        pooled = _offer_rows(homes, folder)
        _offer_pictures(homes["bob"], lesions, folder)
        met = perf_counter()
        with console.status("bob asks alice's model ..."), icm.connect(homes["bob"]) as session:
            model, pictures = session.model("skin"), session.peer("bob")["lesions"]
            labels = model.predict(pictures, output="label").reveal()
            predicted = perf_counter()
            try:
                model.predict(pictures, output="logits").reveal()
                refused = ""
            except PolicyError as denied:
                refused = denied.message
            values = session.frame(dict.fromkeys(_OWNERS, "patients"))[_COLUMN]
            mean, std = icm.reveal(values.mean(), values.std())
            asked = perf_counter()
    return Story(
        lesions,
        np.asarray(labels),
        lesions.logits,
        error,
        {"mean": float(mean), "standard deviation": float(std)},
        {"mean": float(pooled.mean()), "standard deviation": float(pooled.std(ddof=1))},
        refused,
        met - began,
        predicted - met,
        asked - predicted,
    )


@contextmanager
def _serving(folder: Path) -> Iterator[dict[str, Path]]:
    """The folders of instances that serve, by name."""
    from icm_ray.instance.found import found
    from icm_ray.instance.settings import Settings

    homes = {name: folder / name for name in (*_OWNERS, _DEALER)}
    with ExitStack() as ending:
        for name, home in homes.items():
            kind: Kind = "dealer" if name == _DEALER else "organisation"
            found(home, Settings(name, kind, f"127.0.0.1:{free_port()}", dial_only=name == "bob"))
        processes = [ending.enter_context(started(home)) for home in homes.values()]
        for home, process in zip(homes.values(), processes, strict=True):
            await_serving(home, process)
        yield homes


def _offer_model(home: Path, lesions: Lesions) -> float:
    """As `icm model skin model.pt2 --quota bob=100 --standing bob`; what a logit's error stays below."""
    from analytics.nn.offering import offered
    from icm_ray.instance.models import ModelShelf

    pixels: Any = {"scale": SCALE, "normalize": NORMALIZE, "input_bound": INPUT_BOUND}
    public, weights = offered("skin", lesions.net, example_inputs=lesions.example_inputs, **pixels)
    ModelShelf(home).offer(public, weights, {"bob": 100}, ("bob",))
    return public.error


def _offer_pictures(home: Path, lesions: Lesions, folder: Path) -> None:
    """As `icm data lesions lesions.npy`: for the own organisation alone."""
    from icm_ray.instance.pictures import PictureShelf, offer_pictures

    path = folder / "lesions.npy"
    np.save(path, lesions.pictures)
    offer_pictures(PictureShelf(home), "lesions", [str(path)])


def _offer_rows(homes: dict[str, Path], folder: Path) -> NDArray[np.float64]:
    """As `icm data patients ... --policy ... --standing bob`, a third of a table each; all values of its column."""
    from sklearn.datasets import load_breast_cancer

    from icm_ray.instance.catalogue import Catalogue
    from icm_ray.instance.offer import offer
    from icm_ray.policy import Policy

    frame: Any = load_breast_cancer(as_frame=True).frame[[_COLUMN]]
    for number, owner in enumerate(_OWNERS):
        path = folder / f"{owner}.parquet"
        frame.iloc[number :: len(_OWNERS)].to_parquet(path)
        offer(Catalogue(homes[owner]), "patients", [str(path)], Policy(min_rows=10), ("bob",))
    values: NDArray[np.float64] = frame[_COLUMN].to_numpy()
    return values


def story_table(story: Story) -> Table:
    """What Bob, and nobody else, heard."""
    lesions, plain = story.lesions, story.plain.argmax(axis=1)
    table = Table(title="what bob heard, in his own instance", caption_justify="left")
    table.add_column("")
    table.add_column(f"the first {_SHOWN} of his {len(story.labels)} pictures")
    for name, labels in (("secure", story.labels), ("plain", plain), ("truth", lesions.truth)):
        table.add_row(name, "  ".join(lesions.kinds[label] for label in labels[:_SHOWN]))
    same, right = int((story.labels == plain).sum()), int((story.labels == lesions.truth).sum())
    whose = "drawn by this program, and a small network that learned from such" if lesions.made_up else "HAM10000's"
    joint = ", ".join(
        f"{name} {secure:.6g} (plain {story.plain_statistics[name]:.6g})" for name, secure in story.statistics.items()
    )
    table.caption = (
        f"{same} of {len(plain)} as the plain model, {right} right; pictures: {whose}\n"
        f"logits: {story.refused}\n"
        f"{_COLUMN} of all patients of alice, bob and dora: {joint}\n"
        f"instances served and met in {story.met:.1f} s, labels after {story.predicted:.1f} s, the statistics after "
        f"{story.asked:.1f} s"
    )
    return table
