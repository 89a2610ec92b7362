"""Painter: blends scored tiles on the canvas and writes the rows that are finished.

It works behind the network in a thread of its own; only it touches the canvas and the outputs.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rsmamba.geo.canvas import ScoreCanvas
from rsmamba.geo.window import Window
from rsmamba.prediction.batches import TileBatch
from rsmamba.prediction.outputs import MapOutputs
from rsmamba.prediction.resampling import Remapper


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScoredBatch:
    """A batch of tiles with its scores.

    Attributes:
        batch: The tiles.
        scores: Scores (B, K, h, w).
    """

    batch: TileBatch
    scores: npt.NDArray[np.float32]


class Painter:
    """Puts scored batches on one column block's canvas.

    Args:
        canvas: Canvas of the block.
        outputs: Where finished rows go.
        origin: Window of the scene that the outputs cover.
        remapper: Brings rows to the grid of the scene; None if they are on it.
    """

    def __init__(
        self,
        canvas: ScoreCanvas,
        outputs: MapOutputs,
        *,
        origin: Window,
        remapper: Remapper | None = None,
    ) -> None:
        self._canvas = canvas
        self._outputs = outputs
        self._origin = origin
        self._remapper = remapper

    def paint(self, scored: ScoredBatch) -> None:
        """Blend one batch, and write the rows that it finishes.

        Args:
            scored: The batch; batches come in the order of the tiles.
        """
        batch = scored.batch
        for place, col_index in enumerate(batch.col_indices):
            self._canvas.add(
                batch.row_index,
                col_index,
                scores=scored.scores[place],
                valid=batch.wanted[place],
            )
        if batch.ends_row:
            finished = self._canvas.finished(batch.row_index)
            parts = [finished] if self._remapper is None else self._remapper.remapped(finished)
            for rows in parts:
                self._outputs.write(rows, origin=self._origin)
