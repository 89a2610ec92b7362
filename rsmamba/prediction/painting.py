"""Painter: blends scored tiles on the canvas and writes the rows that are finished.

It works behind the network in a thread of its own; only it touches the canvas and the outputs.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from rsmamba.geo.canvas import ScoreCanvas
from rsmamba.prediction.batches import TileBatch
from rsmamba.prediction.outputs import MapStrips
from rsmamba.prediction.resampling import Remapper


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScoredBatch:
    """Scores of a batch of tiles, without its pixels, which are not needed any more.

    Attributes:
        row_index: Tile row.
        col_indices: Tile columns.
        wanted: True where the map gets a class (B, h, w).
        scores: Scores (B, K, h, w).
        ends_row: True for the last batch of the row.
    """

    row_index: int
    col_indices: tuple[int, ...]
    wanted: npt.NDArray[np.bool_]
    scores: npt.NDArray[np.float32]
    ends_row: bool

    @classmethod
    def of(cls, batch: TileBatch, scores: npt.NDArray[np.float32]) -> Self:
        """Join a batch and its scores.

        Args:
            batch: The batch.
            scores: Its scores (B, K, h, w).

        Returns:
            What the painter needs.
        """
        return cls(
            row_index=batch.row_index,
            col_indices=batch.col_indices,
            wanted=batch.wanted,
            scores=scores,
            ends_row=batch.ends_row,
        )


class Painter:
    """Puts scored batches on one column block's canvas.

    Args:
        canvas: Canvas of the block.
        outputs: Where finished rows go.
        remapper: Brings rows to the grid of the scene; None if they are on it.
    """

    def __init__(
        self,
        canvas: ScoreCanvas,
        outputs: MapStrips,
        *,
        remapper: Remapper | None = None,
    ) -> None:
        self._canvas = canvas
        self._outputs = outputs
        self._remapper = remapper

    def paint(self, scored: ScoredBatch) -> None:
        """Blend one batch, and write the rows that it finishes.

        Args:
            scored: The batch; batches come in the order of the tiles.
        """
        for place, col_index in enumerate(scored.col_indices):
            self._canvas.add(
                scored.row_index,
                col_index,
                scores=scored.scores[place],
                valid=scored.wanted[place],
            )
        if scored.ends_row:
            finished = self._canvas.finished(scored.row_index)
            parts = [finished] if self._remapper is None else self._remapper.remapped(finished)
            for rows in parts:
                self._outputs.write(rows)
