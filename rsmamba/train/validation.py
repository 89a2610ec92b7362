"""Whole-scene validation: every pixel of every scene counted exactly once.

Scenes are predicted in overlapping tiles of prediction's size, so that the network sees what it
will see in use. A pixel covered by several tiles is counted in the one whose middle is nearest.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import nn

from rsmamba.data import LabelledScene
from rsmamba.geo.tiles import TileGrid
from rsmamba.metrics import ConfusionMatrix


def validate(
    model: nn.Module, scenes: Sequence[LabelledScene], *, tile: int = 512, overlap: int = 64
) -> ConfusionMatrix:
    """Predict whole scenes and count predicted against reference classes.

    Args:
        model: Called with pixels (1, C, H, W) and validity (1, H, W), returns logits; its mode
            (train or eval) is restored afterwards.
        scenes: Scenes with labels of the same classes.
        tile: Side of a tile, pixels.
        overlap: Pixels shared by neighbouring tiles.

    Returns:
        The confusion matrix over all labelled pixels of all scenes.
    """
    matrix = ConfusionMatrix(scenes[0].classes.num_classes)
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            for scene in scenes:
                _count_scene(
                    model,
                    scene,
                    TileGrid(height=scene.height, width=scene.width, tile=tile, overlap=overlap),
                    matrix,
                )
    finally:
        model.train(was_training)
    return matrix


def _count_scene(
    model: nn.Module, scene: LabelledScene, tiles: TileGrid, matrix: ConfusionMatrix
) -> None:
    """Add one scene's pixels to the matrix."""
    device = next(model.parameters()).device
    height, width = tiles.tile_height, tiles.tile_width
    for row, own_rows in owned_parts(tiles.row_starts, height):
        for col, own_cols in owned_parts(tiles.col_starts, width):
            sample = scene.read(row=row, col=col, height=height, width=width)
            pixels = torch.from_numpy(sample.pixels.astype(np.float32))[None].to(device)
            valid = torch.from_numpy(np.ascontiguousarray(sample.valid))[None].to(device)
            classes = model(pixels, valid)[0].argmax(dim=0).cpu().numpy()  # (H, W)
            matrix.add(
                sample.labels[own_rows, own_cols],
                classes[own_rows, own_cols],
                ignore_index=scene.classes.ignore_index,
            )


def owned_parts(starts: Sequence[int], size: int) -> Iterator[tuple[int, slice]]:
    """Divide an axis among overlapping tiles at the middle of each overlap.

    Args:
        starts: First pixel of each tile, ascending.
        size: Pixels of a tile on this axis.

    Yields:
        Start of each tile and the slice of the tile that it owns; the owned parts cover the axis
        once.

    Example:
        >>> list(owned_parts((0, 6), 8))
        [(0, slice(0, 7, None)), (6, slice(1, 8, None))]
    """
    begin = 0
    for index, start in enumerate(starts):
        last = index + 1 == len(starts)
        end = start + size if last else (start + size + starts[index + 1]) // 2
        yield start, slice(begin - start, end - start)
        begin = end
