"""Curves of a run as a picture: loss, learning rate and validation accuracy."""

import csv
import time
from pathlib import Path

import lightning
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from typing_extensions import override

from rsmamba.train.checkpoints import write_whole
from rsmamba.train.run_folder import RunFolder

_SECONDS_BETWEEN = 60.0
# A line of more points shows nothing more; the mean of several stands for them.
_MOST_POINTS = 1000

Columns = dict[str, NDArray[np.float64]]


class Curves(lightning.Callback):
    """Draw the curves at the end of a run, and at ends of epochs at most once a minute.

    Args:
        folder: Folder of the run.
    """

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self._drawn = time.monotonic()

    @override
    def on_train_epoch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Draw, if it was not done a moment ago."""
        if time.monotonic() - self._drawn > _SECONDS_BETWEEN:
            self._draw(trainer)

    @override
    def on_train_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Draw the whole run."""
        self._draw(trainer)

    def _draw(self, trainer: lightning.Trainer) -> None:
        if trainer.is_global_zero:
            draw_curves(self.folder)
        self._drawn = time.monotonic()


def draw_curves(folder: RunFolder) -> None:
    """Draw the step log and the history of a run.

    Args:
        folder: Folder of the run.
    """
    steps, epochs = read_columns(folder.step_log), read_columns(folder.history)
    figure = Figure(figsize=(9, 8), layout="constrained")
    loss, rate, accuracy = figure.subplots(3, 1, sharex=True)
    _draw_loss(loss, steps, epochs)
    rate.plot(*thinned(steps["step"], steps["learning_rate"]), color="#55606e")
    rate.set_ylabel("learning rate")
    _draw_accuracy(accuracy, epochs)
    accuracy.set_xlabel("optimiser step")
    for axes in (loss, rate, accuracy):
        axes.grid(alpha=0.3)
    figure.suptitle(folder.path.resolve().name)
    write_whole(folder.curves, lambda part: figure.savefig(part, format="png", dpi=110))


def _draw_loss(axes: Axes, steps: Columns, epochs: Columns) -> None:
    axes.plot(*thinned(steps["step"], steps["loss"]), color="#9db8d6", label="batches")
    axes.plot(epochs["step"], epochs["loss"], "o-", color="#1f5fa8", markersize=3, label="epochs")
    axes.set_ylabel("training loss")
    axes.legend()


def _draw_accuracy(axes: Axes, epochs: Columns) -> None:
    """Validation scores of the epochs that have them."""
    for name, label, colour in (
        ("mean_iou", "mIoU", "#c0392b"),
        ("overall_accuracy", "OA", "#e0a59e"),
    ):
        known = ~np.isnan(epochs[name])
        axes.plot(
            epochs["step"][known],
            epochs[name][known],
            "o-",
            color=colour,
            markersize=3,
            label=label,
        )
    axes.set_ylabel("validation")
    axes.set_ylim(0, 1)
    axes.legend()


def read_columns(path: Path) -> Columns:
    """Read a table of numbers.

    Args:
        path: CSV file with a heading.

    Returns:
        Values (rows,) by column; NaN where a cell is empty.
    """
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        rows = list(reader)
        names = reader.fieldnames or ()
    return {
        name: np.array([float(row[name]) if row[name] else np.nan for row in rows])
        for name in names
    }


def thinned(
    places: NDArray[np.float64], values: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Replace runs of points by their means, so that at most 1000 are left.

    Args:
        places: Steps (n,).
        values: Values (n,).

    Returns:
        Both, shorter.

    Example:
        >>> steps, values = thinned(np.arange(2500.0), np.ones(2500))
        >>> len(steps), float(steps[0]), float(values[0])
        (833, 1.0, 1.0)
    """
    size = -(-len(places) // _MOST_POINTS)
    if size <= 1:
        return places, values
    whole = len(places) // size * size
    return places[:whole].reshape(-1, size).mean(1), values[:whole].reshape(-1, size).mean(1)
