"""Class rows: the classes of a whole scene for a caller in the same process, without a file.

Tiles, scores and blending are those of ``predict``, so the classes are those of its map.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rsmamba.geo.canvas import ScoreCanvas
from rsmamba.geo.grid import GeoGrid
from rsmamba.geo.tiles import TileGrid
from rsmamba.geo.window import Window
from rsmamba.models.scene_model import SceneModel
from rsmamba.prediction.batches import TileBatch, TileSource
from rsmamba.prediction.config import PredictConfig
from rsmamba.prediction.memory import READ_AHEAD, choose_batch_size
from rsmamba.prediction.outputs import best_class
from rsmamba.prediction.pipe import produced_by
from rsmamba.prediction.region import Region
from rsmamba.prediction.scoring import TileScorer, device_of
from rsmamba.prediction.strips import PixelSource


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClassRows:
    """Finished rows of a scene.

    Attributes:
        row: First of them.
        classes: Class indices (h, w); 0 where not valid.
        valid: True where the scene has data (h, w).
    """

    row: int
    classes: npt.NDArray[np.uint8]
    valid: npt.NDArray[np.bool_]


def class_rows(
    source: PixelSource, model: SceneModel, *, height: int, width: int, config: PredictConfig
) -> Iterator[ClassRows]:
    """Predict a whole scene, rows at a time.

    Args:
        source: Where pixels come from.
        model: The model, in evaluation mode, on the device that shall compute.
        height: Rows of the scene.
        width: Columns of the scene.
        config: Tile, overlap, margin, batch size, test-time augmentation and ``amp``; the other
            options are about files and are not used.

    Yields:
        Rows from top to bottom, every row once.
    """
    tiles = TileGrid(height=height, width=width, tile=config.tile, overlap=config.overlap)
    whole = Window(row=0, col=0, height=height, width=width)
    canvas = ScoreCanvas(tiles, channels=model.num_classes, margin=config.margin)
    cut = TileSource(
        source=source,
        tiles=tiles,
        margin=config.margin,
        region=Region(window=whole, grid=GeoGrid(height=height, width=width)),
        stretch=None,
        batch_size=choose_batch_size(config.batch_size, str(device_of(model)), tiles),
    )
    scorer = TileScorer(model, tta=config.tta, amp=config.amp)
    with produced_by(cut.batches(whole), capacity=READ_AHEAD, name="rsmamba-read") as batches:
        for batch in batches:
            _blend(canvas, batch, scorer)
            if batch.ends_row:
                finished = canvas.finished(batch.row_index)
                yield ClassRows(
                    row=finished.window.row,
                    classes=best_class(finished.scores)[0],
                    valid=finished.valid.copy(),
                )


def _blend(canvas: ScoreCanvas, batch: TileBatch, scorer: TileScorer) -> None:
    if not batch.col_indices:
        return
    scores = scorer.score(batch.pixels, batch.valid)
    for place, col_index in enumerate(batch.col_indices):
        canvas.add(batch.row_index, col_index, scores=scores[place], valid=batch.wanted[place])
