"""The pass over a scene: read ahead, run the network, blend and write behind it."""

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from rsmamba.errors import RsmambaError
from rsmamba.geo.canvas import ScoreCanvas
from rsmamba.geo.strip_store import StripStore
from rsmamba.geo.window import Window
from rsmamba.models.scene_model import SceneModel
from rsmamba.prediction.batches import TileBatch
from rsmamba.prediction.memory import READ_AHEAD, WRITE_BEHIND
from rsmamba.prediction.outputs import MapStrips
from rsmamba.prediction.painting import Painter, ScoredBatch
from rsmamba.prediction.pipe import consumed_by, produced_by
from rsmamba.prediction.preparation import Prepared
from rsmamba.prediction.scoring import TileScorer

_MOST_SPEEDS = 1000


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
        batch_speeds: Seconds a pixel that the network took for some of the batches, at most 1000.
    """

    total: int
    computed: int = 0
    skipped: int = 0
    batch_speeds: list[float] = field(default_factory=list)

    def add(self, batch: TileBatch, *, seconds: float) -> None:
        """Count a batch.

        Args:
            batch: The batch.
            seconds: Time that the network took for it.
        """
        self.computed += len(batch.col_indices)
        self.skipped += batch.num_skipped
        if batch.col_indices and len(self.batch_speeds) < _MOST_SPEEDS:
            self.batch_speeds.append(seconds / batch.valid.size)

    @property
    def seconds_per_pixel(self) -> float:
        """Usual time of the network for a pixel of a tile; needs a computed tile."""
        return statistics.median(self.batch_speeds)

    @property
    def share_done(self) -> float:
        """Share of the tiles that are counted, 0 to 1."""
        return (self.computed + self.skipped) / self.total


def run_passes(
    prepared: Prepared,
    store: StripStore,
    *,
    model: SceneModel,
    windows: Sequence[Window],
    progress: Progress | None = None,
) -> TileCounts:
    """Predict some parts of a region and store their strips.

    The pixels do not depend on how the region is cut.

    Args:
        prepared: The prediction.
        store: Where finished strips go.
        model: The model, on its device.
        windows: The parts, in pixels of the outputs.
        progress: Called as the work goes on; the pixels of other parts count as done.

    Returns:
        Tiles that were computed and skipped.
    """
    origin = prepared.region.window
    blocks = [
        block
        for window in windows
        for block in prepared.cut(window.shifted(rows=origin.row, cols=origin.col))
    ]
    counts = TileCounts(total=prepared.count_tiles(blocks))
    config = prepared.config
    by_content = config.prune == "auto"
    scorer = TileScorer(model, tta=config.tta, amp=config.amp, by_content=by_content)
    todo = sum(block.num_pixels for block in blocks)
    before = origin.num_pixels - todo

    def note(batch: TileBatch, seconds: float) -> None:
        counts.add(batch, seconds=seconds)
        if progress is not None:
            progress(before + round(counts.share_done * todo), origin.num_pixels)

    for block in blocks:
        outputs = MapStrips(store, block=block, origin=origin)
        _run_pass(prepared, outputs, block=block, scorer=scorer, note=note)
        outputs.finish()
    return counts


def _run_pass(
    prepared: Prepared,
    outputs: MapStrips,
    *,
    block: Window,
    scorer: TileScorer,
    note: Callable[[TileBatch, float], None],
) -> None:
    canvas = ScoreCanvas(
        prepared.tiles,
        channels=prepared.model.num_classes,
        margin=prepared.config.margin,
        region=prepared.work_window(block),
    )
    painter = Painter(canvas, outputs, remapper=prepared.remapper(block))
    tiles = prepared.tile_source.batches(canvas.region)
    with (
        produced_by(tiles, capacity=READ_AHEAD, name="rsmamba-read") as batches,
        consumed_by(painter.paint, capacity=WRITE_BEHIND, name="rsmamba-write") as paint,
    ):
        for batch in batches:
            started = time.perf_counter()
            scores = _scores(scorer, batch, scene_name=prepared.scene.name, shape=canvas.shape)
            seconds = time.perf_counter() - started
            paint(ScoredBatch.of(batch, scores))
            note(batch, seconds)


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
