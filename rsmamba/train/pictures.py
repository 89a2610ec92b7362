"""Sample predictions: a validation scene, its labels and its predicted classes, side by side."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from rsmamba.classes import ClassScheme
from rsmamba.data.labelled import LabelledScene, Sample
from rsmamba.geo.picture import hatch
from rsmamba.geo.quicklook import stretch
from rsmamba.prediction.class_rows import ClassRows

_SIDE = 640
_MARGIN, _TEXT, _SWATCH = 16, 18, 14
_TITLES = ("image", "label", "prediction")


class ScenePicture:
    """Three panels of a scene, filled from top to bottom as rows are predicted.

    Args:
        scene: The scene.
        band_names: Names of its bands; red, green and blue are shown if they are among them, the
            first three if not.
    """

    def __init__(self, scene: LabelledScene, *, band_names: Sequence[str] | None = None) -> None:
        self.scene = scene
        self._bands = _shown_bands(scene.num_bands, band_names)
        # Every n-th pixel of every n-th row: labels cannot be averaged.
        self._step = -(-max(scene.height, scene.width) // _SIDE)
        height, width = -(-scene.height // self._step), -(-scene.width // self._step)
        self._pixels = np.zeros((len(self._bands), height, width), scene.dtype)
        self._valid = np.zeros((height, width), np.bool_)
        absent = scene.classes.ignore_index
        self._labels = np.full((height, width), absent, np.uint8)
        self._classes = np.full((height, width), absent, np.uint8)

    def add(self, rows: ClassRows, sample: Sample) -> None:
        """Take some full-width rows.

        Args:
            rows: Their predicted classes.
            sample: Their pixels and labels.
        """
        first = -rows.row % self._step
        picked = slice(first, None, self._step), slice(None, None, self._step)
        top = -(-rows.row // self._step)
        classes = np.where(rows.valid, rows.classes, self.scene.classes.ignore_index)[picked]
        place = slice(top, top + len(classes))
        self._classes[place] = classes
        self._labels[place] = sample.labels[picked]
        self._valid[place] = sample.valid[picked]
        self._pixels[:, place] = sample.pixels[(self._bands, *picked)]

    def save(self, path: Path) -> None:
        """Write the picture as PNG.

        Args:
            path: The file, replaced if it exists.
        """
        colours = np.moveaxis(stretch(self._pixels, self._valid), 0, -1)  # (h, w, 1 or 3)
        blank = hatch(*self._valid.shape)
        shown = np.where(self._valid[:, :, None], colours, blank)
        scheme = self.scene.classes
        panels = [shown, *(_painted(part, scheme) for part in (self._labels, self._classes))]
        _side_by_side(panels, scheme).save(path, format="PNG")


def _shown_bands(num_bands: int, names: Sequence[str] | None) -> list[int]:
    """Positions of the bands that a picture shows."""
    known = list(names or ())
    if {"red", "green", "blue"} <= set(known):
        return [known.index(name) for name in ("red", "green", "blue")]
    return [0, 1, 2] if num_bands >= 3 else [0]


def _painted(classes: NDArray[np.uint8], scheme: ClassScheme) -> NDArray[np.uint8]:
    """Class indices (h, w) as colours (h, w, 3), hatched where there is none."""
    palette = np.zeros((256, 3), np.uint8)
    palette[: scheme.num_classes] = scheme.colours
    known = (classes < scheme.num_classes)[:, :, None]
    return np.where(known, palette[classes], hatch(*classes.shape))


def _side_by_side(panels: Sequence[NDArray[Any]], scheme: ClassScheme) -> Image.Image:
    """Draw panels of one size in a row, titles above and the legend below."""
    height, width = panels[0].shape[:2]
    # Small scenes are enlarged, so that the titles fit and the eye sees something.
    times = max(1, 320 // max(height, width))
    height, width = height * times, max(width * times, 120)
    page_width = 3 * width + 4 * _MARGIN
    per_row = max(1, (page_width - _MARGIN) // 200)
    legend_rows = -(-scheme.num_classes // per_row)
    bottom = 2 * _MARGIN + _TEXT + height
    page = (page_width, bottom + _MARGIN + legend_rows * (_TEXT + 8))
    image = Image.new("RGB", page, (255, 255, 255))
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(_TEXT)
    for index, (title, panel) in enumerate(zip(_TITLES, panels, strict=True)):
        left = _MARGIN + index * (width + _MARGIN)
        draw.text((left, _MARGIN // 2), title, fill=(24, 32, 43), font=font)
        large = np.repeat(np.repeat(panel, times, axis=0), times, axis=1)
        image.paste(Image.fromarray(large), (left, _MARGIN + _TEXT))
    for index, (name, colour) in enumerate(zip(scheme.names, scheme.colours, strict=True)):
        row, column = divmod(index, per_row)
        left, top = _MARGIN + column * 200, bottom + row * (_TEXT + 8)
        draw.rectangle(
            (left, top + 4, left + _SWATCH, top + 4 + _SWATCH), fill=colour, outline=(98, 110, 125)
        )
        draw.text((left + _SWATCH + 8, top), name, fill=(24, 32, 43), font=font)
    return image
