"""Seams: pixels that tiling gets wrong on a network whose error grows towards its input's edge.

The truth is one pass over the whole scene. All rules merge the scores of the very same tiles; ours
are the weights of the package, the others are what other programs do, written anew.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from benchmarks.prediction.leaky_unet import LeakyUNet, textured_image
from rsmamba.geo.blend import axis_weights
from rsmamba.geo.tiles import TileGrid

TILE, OVERLAP = 512, 64
DEPTHS = (0, 4, 8, 16, 32, 64, 128)
_INSIDE = 512
_CLEAR = 0.05
Array = npt.NDArray[Any]


def measure_seams(*, tiles_a_side: int) -> dict[str, Any]:
    """Compare the rules on one scene.

    Args:
        tiles_a_side: Tiles along each side of the scene, so that none is pulled back.

    Returns:
        The error curve of a lone tile, and the wrong pixels of each rule, in percent.
    """
    side = tiles_a_side * (TILE - OVERLAP) + OVERLAP
    tiles = TileGrid(height=side, width=side, tile=TILE, overlap=OVERLAP)
    network = LeakyUNet().eval()
    image = textured_image(side, seed=0)
    with torch.inference_mode():
        truth = np.asarray(network(image).argmax(dim=1)[0], dtype=np.uint8)
        scores = [
            np.asarray(torch.softmax(network(image[..., *window.slices]), dim=1)[0])
            for window in tiles.windows()
        ]
    rules = {"rsmamba, margin 16 (default)": axis_weights(tiles.row_starts, TILE, side, margin=16)}
    rules |= {name: normalised(window, tiles) for name, window in rival_windows().items()}
    for margin in (0, 8, 24, 32):
        weights = axis_weights(tiles.row_starts, TILE, side, margin=margin)
        rules[f"rsmamba, margin {margin}"] = weights
    return {
        "side": side,
        "overlap": OVERLAP,
        "lone_tile_wrong_percent": lone_tile_curve(scores, truth, tiles),
        "rules": {
            name: wrong_pixels(merged(scores, weights, tiles), truth)
            for name, weights in rules.items()
        },
    }


def lone_tile_curve(scores: list[Array], truth: Array, tiles: TileGrid) -> dict[int, float]:
    """Return how wrong inner tiles are at some distances from their edge, in percent."""
    place = np.minimum(np.arange(TILE), np.arange(TILE)[::-1])
    depth = np.minimum(place[:, None], place)
    wrong: dict[int, list[float]] = {at: [] for at in DEPTHS}
    for index, window in enumerate(tiles.windows()):
        row, col = divmod(index, tiles.num_cols)
        if not (0 < row < tiles.num_rows - 1 and 0 < col < tiles.num_cols - 1):
            continue
        differs = scores[index].argmax(axis=0) != truth[window.slices]
        for at in DEPTHS:
            wrong[at].append(float(differs[depth == at].mean()))
    return {at: round(100 * float(np.mean(values)), 2) for at, values in wrong.items()}


def rival_windows() -> dict[str, Array]:
    """Return the weights along a tile of other programs' rules."""
    place = np.arange(TILE) + 0.5
    middle = np.abs(2 * place / TILE - 1)
    ramp = np.clip(np.minimum(place, TILE - place) / OVERLAP, 0, 1)
    gaussian = np.exp(-0.5 * ((place - TILE / 2) / (0.125 * TILE)) ** 2)
    return {
        "uniform mean": np.ones(TILE),
        "Gaussian, sigma 0.125": np.maximum(gaussian, 1e-3),
        "linear taper": ramp,
        "cosine taper": 0.5 - 0.5 * np.cos(np.pi * ramp),
        "spline": np.where(middle > 0.5, 2 * (1 - middle) ** 2, 1 - 2 * middle**2),
        "centre crop": (np.minimum(place, TILE - place) > OVERLAP / 2).astype(float),
    }


def normalised(window: Array, tiles: TileGrid) -> Array:
    """Give every tile the same weights, full at the scene's frame, and make them sum to one."""
    weights = np.tile(window, (tiles.num_rows, 1))
    half = TILE // 2
    # Otherwise the frame would decide the comparison and not the seams.
    weights[0, :half] = weights[-1, half:] = window[half]
    total = np.zeros(tiles.height)
    for start, row in zip(tiles.row_starts, weights, strict=True):
        total[start : start + TILE] += row
    shares = [total[start : start + TILE] for start in tiles.row_starts]
    return np.asarray(weights / shares)


def merged(scores: list[Array], weights: Array, tiles: TileGrid) -> Array:
    """Add the weighted scores of all tiles (K, h, w)."""
    total = np.zeros((len(scores[0]), tiles.height, tiles.width))
    for index, window in enumerate(tiles.windows()):
        row, col = divmod(index, tiles.num_cols)
        total[:, *window.slices] += scores[index] * weights[row][:, None] * weights[col]
    return total


def wrong_pixels(scores: Array, truth: Array) -> dict[str, float]:
    """Compare a merged map with the truth.

    Returns:
        Percent of pixels that are wrong: of all; of those far from the frame; of all, wrong by a
        clear difference in score; and of the worst column.
    """
    wrong = scores.argmax(axis=0) != truth
    ordered = np.sort(scores, axis=0)
    clear = wrong & (ordered[-1] - ordered[-2] > _CLEAR)
    inside = wrong[_INSIDE:-_INSIDE, _INSIDE:-_INSIDE]
    shares = {
        "all": wrong.mean(),
        "inside": inside.mean(),
        "clearly": clear.mean(),
        "worst_column": wrong.mean(axis=0).max(),
    }
    return {name: round(100 * float(share), 4) for name, share in shares.items()}
