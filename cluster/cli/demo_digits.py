"""The second half of the demonstration: one party's CNN, another party's images of digits."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from icm_ray.runtime.driver.engine import Totals

__all__ = ["Digits", "Predictions", "digits_table"]

_TRAINING = 1500
_IMAGES = 64
_ROWS = 16


@dataclass(frozen=True)
class Predictions:
    """What bob got, beside what the plain model says, and the truth."""

    explanation: str
    labels: NDArray[np.int64]
    plain: NDArray[np.float64]
    truth: NDArray[np.int64]
    error: float
    took: Totals
    rows: list[dict[str, Any]]
    """Of a ray.data.Dataset of the first images: its ids, and their labels."""

    def check(self) -> None:
        """Raise where a label differs though the plain logits' top two are further apart than the error bound."""
        ordered = np.sort(self.plain, axis=1)
        clear = ordered[:, -1] - ordered[:, -2] > self.error
        if not np.array_equal(self.labels[clear], self.plain.argmax(axis=1)[clear]):
            raise RuntimeError("a secure label differs from the plain model's")
        if any(row["label"] != self.labels[row["image"]] for row in self.rows if clear[row["image"]]):
            raise RuntimeError("a Dataset's label differs")


class Digits:
    """scikit-learn's digits (8 x 8 pixels, 10 classes); the last images are bob's."""

    def __init__(self, images: NDArray[np.float32], labels: NDArray[np.int64]) -> None:
        self._images, self._labels = images, labels
        self._net: Any = None

    @classmethod
    def load(cls) -> Digits:
        """Images scaled to [0, 1], (n, 1, 8, 8)."""
        from sklearn.datasets import load_digits

        digits: Any = load_digits()
        return cls((digits.images[:, None] / 16).astype(np.float32), digits.target.astype(np.int64))

    def train(self) -> None:
        """alice's model, trained on the first images."""
        from cluster.cli.digits_model import train_digits

        self._net = train_digits(self._images[:_TRAINING], self._labels[:_TRAINING])

    def predict(self, session: Any, console: Console) -> Predictions:
        """bob's labels, without anyone seeing weights or images."""
        import analytics as an
        from cluster.cli.training import plain_logits

        images, truth = self._images[-_IMAGES:], self._labels[-_IMAGES:]
        model = an.SecureModel(session, self._net, owner="alice", example_inputs=(self._images[:2],))
        before = session.totals
        with Progress(console=console, transient=True) as bar:
            task = bar.add_task("predicting on shares", total=len(images))
            prediction = model.predict(
                images,
                owner="bob",
                output="label",
                progress=lambda done, of: bar.update(task, completed=done, total=of),
            )
            labels = prediction.reveal(to="bob")
        took = session.totals.since(before)
        with console.status("the same of a ray.data.Dataset ..."):
            rows = self._of_dataset(model, images[:_ROWS])
        plain = plain_logits(self._net, images)
        return Predictions(prediction.explain(to="bob"), labels, plain, truth, prediction.error, took, rows)

    @staticmethod
    def _of_dataset(model: Any, images: NDArray[np.float32]) -> list[dict[str, Any]]:
        """A Dataset in gives a Dataset out: its rows are predicted as they are taken."""
        import ray.data

        ray.data.DataContext.get_current().enable_progress_bars = False
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        dataset = ray.data.from_items([{"image": number, "pixels": image} for number, image in enumerate(images)])
        labels = model.predict(dataset, owner="bob", output="label", id_column="image").reveal(to="bob")
        found: list[dict[str, Any]] = labels.take_all()
        return found


def digits_table(predictions: Predictions) -> Table:
    """The first images' labels, and how many agree."""
    table = Table(title=f"{len(predictions.labels)} images of bob's", caption_justify="left")
    plain, shown = predictions.plain.argmax(axis=1), 16
    table.add_column("")
    table.add_column(f"labels of the first {shown}")
    for name, labels in (("secure", predictions.labels), ("plain", plain), ("truth", predictions.truth)):
        table.add_row(name, "  ".join(str(label) for label in labels[:shown]))
    agree = int((predictions.labels == plain).sum())
    right = int((predictions.labels == predictions.truth).sum())
    took = predictions.took
    table.caption = (
        f"{agree} of {len(plain)} as the plain model, {right} right; {took.rounds} rounds, "
        f"{took.sent_bytes / 1e6:.1f} MB between the parties, "
        f"{took.dealt_bytes / 1e6:.1f} MB from the dealer, {took.seconds:.1f} s\n"
        f"the first {len(predictions.rows)} as rows of a ray.data.Dataset: "
        + ", ".join(f"{row['image']}: {row['label']}" for row in predictions.rows[:6])
        + ", ..."
    )
    return table
