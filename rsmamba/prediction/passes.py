"""The pass over a scene: read ahead, run the network, blend and write behind it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from rsmamba.errors import RsmambaError
from rsmamba.geo.blend import touching_spans
from rsmamba.geo.canvas import ScoreCanvas
from rsmamba.geo.window import Window
from rsmamba.prediction.batches import TileBatch
from rsmamba.prediction.memory import READ_AHEAD, WRITE_BEHIND
from rsmamba.prediction.outputs import MapOutputs
from rsmamba.prediction.painting import Painter, ScoredBatch
from rsmamba.prediction.pipe import consumed_by, produced_by
from rsmamba.prediction.preparation import Prepared
from rsmamba.prediction.scoring import TileScorer


class Progress(Protocol):
    """Hears how far a prediction is."""

    def __call__(self, done: int, total: int) -> None:
        """Take note.

        Args:
            done: Pixels that are done.
            total: Pixels of the map.
        """


@dataclass(slots=True, kw_only=True)
class TileCounts:
    """Tiles of a running prediction.

    Attributes:
        total: All tiles; those that two column blocks share count twice.
        computed: Tiles that the network saw.
        skipped: Tiles without a wanted pixel.
    """

    total: int
    computed: int = 0
    skipped: int = 0

    def add(self, batch: TileBatch) -> None:
        """Count a batch.

        Args:
            batch: The batch.
        """
        self.computed += len(batch.col_indices)
        self.skipped += batch.num_skipped

    @property
    def share_done(self) -> float:
        """Share of the tiles that are counted, 0 to 1."""
        return (self.computed + self.skipped) / self.total


def count_tiles(prepared: Prepared) -> int:
    """Count the tiles that all passes together look at.

    Args:
        prepared: The prediction.

    Returns:
        The number; tiles that two column blocks share count twice.
    """
    total = 0
    for block in prepared.blocks:
        part = prepared.work_window(block)
        rows, cols = touching_spans(prepared.tiles, margin=prepared.config.margin, region=part)
        total += len(rows) * len(cols)
    return total


def run_passes(
    prepared: Prepared, outputs: MapOutputs, *, progress: Progress | None = None
) -> TileCounts:
    """Predict every column block of a region and write it.

    Args:
        prepared: The prediction.
        outputs: Where finished rows go.
        progress: Called as the work goes on.

    Returns:
        Tiles that were computed and skipped.
    """
    counts = TileCounts(total=count_tiles(prepared))
    config = prepared.config
    scorer = TileScorer(prepared.model, tta=config.tta, amp=config.amp)
    num_pixels = prepared.region.window.num_pixels

    def note(batch: TileBatch) -> None:
        counts.add(batch)
        if progress is not None:
            progress(round(counts.share_done * num_pixels), num_pixels)

    for block in prepared.blocks:
        _run_pass(prepared, outputs, block=block, scorer=scorer, note=note)
    return counts


def _run_pass(
    prepared: Prepared,
    outputs: MapOutputs,
    *,
    block: Window,
    scorer: TileScorer,
    note: Callable[[TileBatch], None],
) -> None:
    canvas = ScoreCanvas(
        prepared.tiles,
        channels=prepared.model.num_classes,
        margin=prepared.config.margin,
        region=prepared.work_window(block),
    )
    origin = prepared.region.window
    painter = Painter(canvas, outputs, origin=origin, remapper=prepared.remapper(block))
    tiles = prepared.tile_source.batches(canvas.region)
    with (
        produced_by(tiles, capacity=READ_AHEAD, name="rsmamba-read") as batches,
        consumed_by(painter.paint, capacity=WRITE_BEHIND, name="rsmamba-write") as paint,
    ):
        for batch in batches:
            scores = _scores(scorer, batch, scene_name=prepared.scene.name, shape=canvas.shape)
            paint(ScoredBatch.of(batch, scores))
            note(batch)


@contextmanager
def network_errors(what: str) -> Iterator[None]:
    """Say of an error what was being predicted.

    Args:
        what: Tiles and scene.

    Yields:
        Nothing.

    Raises:
        RsmambaError: If the network fails; our own errors keep their class.
    """
    try:
        yield
    except RsmambaError as error:
        message = f"while predicting {what}: {error}"
        raise type(error)(message) from error
    except (RuntimeError, ValueError, IndexError) as error:
        # What a network raises on its own, such as for a size that it cannot take.
        reason = " ".join(str(error).split())
        message = f"while predicting {what}: the network failed: {reason}"
        raise RsmambaError(message) from error


def _scores(
    scorer: TileScorer, batch: TileBatch, *, scene_name: str, shape: tuple[int, int, int]
) -> npt.NDArray[np.float32]:
    if not batch.col_indices:
        return np.empty((0, *shape), dtype=np.float32)
    with network_errors(f"{_tiles_text(batch)} of {scene_name}"):
        return scorer.score(batch.pixels, batch.valid)


def _tiles_text(batch: TileBatch) -> str:
    first, last = batch.col_indices[0], batch.col_indices[-1]
    if first == last:
        return f"tile r{batch.row_index} c{first}"
    return f"tiles r{batch.row_index} c{first} to c{last}"
