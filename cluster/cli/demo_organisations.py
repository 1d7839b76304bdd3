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

from cluster.local_instances import await_serving, free_port, meet, started

if TYPE_CHECKING:
    from icm_ray.instance.roster import Kind

__all__ = ["Story", "story_table", "told"]

_OWNERS: Final = ("alice", "bob", "dora")
_DEALER: Final = "carol"
_COLUMN: Final = "mean radius"
_PICTURES: Final = 16


@dataclass(frozen=True)
class Story:
    """What Bob heard, beside what a plain model and all rows together say; how long the parts took, in seconds."""

    labels: NDArray[np.int64]
    plain: NDArray[np.float64]
    truth: NDArray[np.int64]
    error: float
    mean: float
    plain_mean: float
    refused: str
    met: float
    predicted: float
    asked: float

    def check(self) -> None:
        """Raise where a label differs though the plain logits' top two are further apart than the error, or the mean
        does, or what Alice does not allow was answered.
        """
        ordered = np.sort(self.plain, axis=1)
        clear = ordered[:, -1] - ordered[:, -2] > 2 * self.error
        if not np.array_equal(self.labels[clear], self.plain.argmax(axis=1)[clear]):
            raise RuntimeError("a label between organisations differs from the plain model's")
        if abs(self.mean - self.plain_mean) > 1e-9 * abs(self.plain_mean):
            raise RuntimeError(
                f"a mean over three organisations is {self.mean} where plaintext gives {self.plain_mean}"
            )
        if not self.refused:
            raise RuntimeError("logits were told where labels alone are allowed")


def told(console: Console, net: Any, images: NDArray[np.float32], truth: NDArray[np.int64], folder: Path) -> Story:
    """Found four instances, let them meet, offer a model, pictures and tables, and ask at Bob's. images: Bob's."""
    import icm_ray as icm
    from cluster.cli.digits_model import plain_logits
    from icm_ray.errors import PolicyError

    images, truth = images[:_PICTURES], truth[:_PICTURES]
    began = perf_counter()
    with _serving(folder) as homes:
        for guest, inviter in (("bob", "alice"), ("dora", "alice"), ("bob", "dora")):
            meet(homes[inviter], homes[guest])
        for owner in _OWNERS:
            meet(homes[_DEALER], homes[owner])
        error = _offer_model(homes["alice"], net, images)
        pooled = _offer_rows(homes, folder)
        _offer_pictures(homes["bob"], images, folder)
        met = perf_counter()
        with console.status("bob asks alice's model ..."), icm.connect(homes["bob"]) as session:
            model, scans = session.model("digits"), session.peer("bob")["scans"]
            labels = model.predict(scans, output="label").reveal()
            predicted = perf_counter()
            try:
                model.predict(scans, output="logits").reveal()
                refused = ""
            except PolicyError as denied:
                refused = denied.message
            together = session.frame(dict.fromkeys(_OWNERS, "patients"))
            mean = float(together[_COLUMN].mean().reveal())
            asked = perf_counter()
    return Story(
        np.asarray(labels),
        plain_logits(net, images),
        truth,
        error,
        mean,
        float(pooled.mean()),
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


def _offer_model(home: Path, net: Any, images: NDArray[np.float32]) -> float:
    """As `icm model digits model.pt2 --quota bob=100 --standing bob`; what a logit's error stays below."""
    from analytics.nn.offering import offered
    from icm_ray.instance.models import ModelShelf

    public, weights = offered("digits", net, input_bound=1.0, example_inputs=(images[:2],))
    ModelShelf(home).offer(public, weights, {"bob": 100}, ("bob",))
    return public.error


def _offer_pictures(home: Path, images: NDArray[np.float32], folder: Path) -> None:
    """As `icm data scans scans.npy`: for the own organisation alone."""
    from icm_ray.instance.pictures import PictureShelf, offer_pictures

    path = folder / "scans.npy"
    np.save(path, images)
    offer_pictures(PictureShelf(home), "scans", [str(path)])


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
    table = Table(title="what bob heard, in his own instance", caption_justify="left")
    table.add_column("")
    table.add_column(f"labels of his {len(story.labels)} pictures")
    for name, labels in (("secure", story.labels), ("plain", story.plain.argmax(axis=1)), ("truth", story.truth)):
        table.add_row(name, "  ".join(str(label) for label in labels))
    table.caption = (
        f"{_COLUMN} of all patients of alice, bob and dora: {story.mean:.6g} (plain {story.plain_mean:.6g})\n"
        f"logits: {story.refused}\n"
        f"instances served and met in {story.met:.1f} s, labels after {story.predicted:.1f} s, the mean after "
        f"{story.asked:.1f} s"
    )
    return table
