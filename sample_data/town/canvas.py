"""The canvas: brightness, height and class of every sample."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from sample_data.town.fields import Floats, Points, fractal_noise, normals, smooth_noise
from sample_data.town.materials import LAND, Material

SCALE = 2
METRES_PER_PIXEL = 0.5
BANDS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """Part of the canvas: a window and the samples chosen in it.

    Attributes:
        rows: Rows of the window, in samples.
        cols: Columns of the window, in samples.
        mask: True at the chosen samples, shape (len(rows), len(cols)).
    """

    rows: slice
    cols: slice
    mask: NDArray[np.bool_]

    def only(self, keep: NDArray[np.bool_]) -> "Patch":
        """Return the patch without the samples where `keep`, over the whole canvas, is False."""
        mask = self.mask & keep[self.rows, self.cols]
        return Patch(rows=self.rows, cols=self.cols, mask=mask)


class Canvas:
    """Layers of a scene at `SCALE` samples per output pixel.

    Args:
        height: Rows of the scene, in output pixels.
        width: Columns of the scene, in output pixels.
        rng: Source of the textures.

    Attributes:
        albedo: Brightness of flat ground in full sun, (BANDS, height, width), 0-255.
        elevation: Height above ground in metres, (height, width).
        label: Class index, (height, width).
        taken: True where nothing more may be built, (height, width).
        clear: True where no tree may stand, (height, width).
    """

    def __init__(self, *, height: int, width: int, rng: np.random.Generator) -> None:
        shape = (height * SCALE, width * SCALE)
        self.shape = shape
        self.albedo = np.zeros((BANDS, *shape), dtype=np.float32)
        self.elevation = np.zeros(shape, dtype=np.float32)
        self.label = np.full(shape, LAND, dtype=np.uint8)
        self.taken = np.zeros(shape, dtype=bool)
        self.clear = np.zeros(shape, dtype=bool)
        self.grain = (
            0.75 * smooth_noise(rng, shape, size=0) + 0.9 * smooth_noise(rng, shape, size=2.5)
        ).astype(np.float32)
        self.mottle = fractal_noise(rng, shape, size=26, octaves=3, gain=0.7).astype(np.float32)

    def everywhere(self, mask: NDArray[np.bool_]) -> Patch:
        """Return a patch over the whole canvas."""
        return Patch(rows=slice(0, self.shape[0]), cols=slice(0, self.shape[1]), mask=mask)

    def polygon(self, points: Points) -> Patch:
        """Return the samples inside a ring of (col, row) points in output pixels."""
        ring = points * SCALE
        window = self.window(ring, margin=1)
        origin = np.array([window[1].start, window[0].start])
        size = (max(0, window[1].stop - window[1].start), max(0, window[0].stop - window[0].start))
        if 0 in size:
            return Patch(rows=window[0], cols=window[1], mask=np.zeros(size[::-1], dtype=bool))
        image = Image.new("1", size)
        ImageDraw.Draw(image).polygon([tuple(p) for p in (ring - origin - 0.5).tolist()], fill=1)
        return Patch(rows=window[0], cols=window[1], mask=np.asarray(image, dtype=bool))

    def window(self, samples: Points, *, margin: int) -> tuple[slice, slice]:
        """Return row and column slices around points in samples, cut at the canvas."""
        low = np.floor(samples.min(axis=0)).astype(int) - margin
        high = np.ceil(samples.max(axis=0)).astype(int) + margin + 1
        limits = (self.shape[1], self.shape[0])
        start = [min(max(0, int(low[axis])), limits[axis]) for axis in range(2)]
        stop = [max(start[axis], min(limits[axis], int(high[axis]))) for axis in range(2)]
        return slice(start[1], stop[1]), slice(start[0], stop[0])

    def strip(self, line: Points, width: float) -> Patch:
        """Return the samples within half a `width` (output pixels) of a line."""
        side = normals(line) * width / 2
        return self.polygon(np.concatenate([line + side, (line - side)[::-1]]))

    def fill(self, patch: Patch, material: Material, *, label: int | None = None) -> None:
        """Paint a material, and a class where `label` is given."""
        window = (patch.rows, patch.cols)
        texture = 1 + material.grain * self.grain[window] + material.mottle * self.mottle[window]
        for band, colour in enumerate(material.colour):
            layer = self.albedo[band][window]
            layer[patch.mask] = (colour * texture)[patch.mask]
        if label is not None:
            self.label[window][patch.mask] = label

    def blend(self, weight: Floats, material: Material) -> None:
        """Mix a material into the whole canvas with `weight` 0-1 per sample."""
        texture = 1 + material.grain * self.grain + material.mottle * self.mottle
        share = weight.astype(np.float32)
        for band, colour in enumerate(material.colour):
            self.albedo[band] += share * (colour * texture - self.albedo[band])

    def raise_to(self, patch: Patch, elevation: Floats | float) -> None:
        """Set the height of a patch in metres (a number, or one value per sample of its window)."""
        target = self.elevation[patch.rows, patch.cols]
        values = np.broadcast_to(np.asarray(elevation, dtype=np.float32), target.shape)
        target[patch.mask] = values[patch.mask]

    def take(self, patch: Patch) -> None:
        """Reserve the samples of a patch."""
        self.taken[patch.rows, patch.cols] |= patch.mask

    def keep_clear(self, patch: Patch) -> None:
        """Keep trees and buildings off a patch."""
        self.take(patch)
        self.clear[patch.rows, patch.cols] |= patch.mask

    def is_free(self, patch: Patch, *, share: float = 0.0) -> bool:
        """Tell whether at most `share` of a patch is reserved; an empty patch is not free."""
        count = int(patch.mask.sum())
        busy = int((self.taken[patch.rows, patch.cols] & patch.mask).sum())
        return count > 0 and busy <= share * count

    def local(self, patch: Patch, centre: Points, angle: float) -> tuple[Floats, Floats]:
        """Return coordinates of a patch's samples along and across `angle`, in output pixels."""
        rows = (np.arange(patch.rows.start, patch.rows.stop) + 0.5) / SCALE - centre[1]
        cols = (np.arange(patch.cols.start, patch.cols.stop) + 0.5) / SCALE - centre[0]
        down, right = np.meshgrid(rows, cols, indexing="ij")
        cosine, sine = np.cos(angle), np.sin(angle)
        return right * cosine + down * sine, down * cosine - right * sine
