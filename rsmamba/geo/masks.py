"""Masks that a file stores besides its pixels: alpha bands, internal and .msk masks."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rasterio.enums import ColorInterp, MaskFlags, Resampling
from rasterio.io import DatasetReader
from rasterio.windows import Window as RasterioWindow

from rsmamba.geo.nodata import BoolArray


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredMasks:
    """Which bands of a file tell where its pixels are valid.

    Attributes:
        alpha_bands: Alpha bands, from 1; zero is invalid in each.
        mask_bands: Bands whose mask is stored apart, from 1; invalid where all of them are.
    """

    alpha_bands: tuple[int, ...]
    mask_bands: tuple[int, ...]

    @classmethod
    def of(cls, dataset: DatasetReader, bidx: Sequence[int]) -> "StoredMasks":
        """Find the masks that matter for some bands.

        An alpha band that is read as data is no mask: four-band orthophotos are sometimes written
        so that their infrared band claims to be one.

        Args:
            dataset: The open dataset.
            bidx: Bands that are read, from 1.

        Returns:
            What to read besides the bands.
        """
        alpha = [
            number
            for number, colour in enumerate(dataset.colorinterp, 1)
            if colour is ColorInterp.alpha and number not in bidx
        ]
        flags = dataset.mask_flag_enums
        apart = [number for number in sorted(set(bidx)) if _is_apart(flags[number - 1])]
        if apart and MaskFlags.per_dataset in flags[apart[0] - 1]:
            apart = apart[:1]
        return cls(alpha_bands=tuple(alpha), mask_bands=tuple(apart))

    def read(
        self, dataset: DatasetReader, window: RasterioWindow, shape: tuple[int, int]
    ) -> BoolArray | None:
        """Read where the stored masks say that pixels are valid.

        Args:
            dataset: The open dataset.
            window: What to read.
            shape: Rows and columns to return, fewer than the window's to decimate.

        Returns:
            Valid mask of that shape; None if the file stores no mask.
        """
        valid: BoolArray | None = None
        nearest = Resampling.nearest
        for number in self.alpha_bands:
            alpha = dataset.read(number, window=window, out_shape=shape, resampling=nearest) > 0
            valid = alpha if valid is None else valid & alpha
        if self.mask_bands:
            bands = list(self.mask_bands)
            size = (len(bands), *shape)
            masks = dataset.read_masks(bands, window=window, out_shape=size, resampling=nearest)
            stored: BoolArray = np.any(masks, axis=0)
            valid = stored if valid is None else valid & stored
        return valid


# Neither computed from nodata numbers nor from an alpha band nor absent.
def _is_apart(flags: Sequence[MaskFlags]) -> bool:
    if MaskFlags.all_valid in flags or MaskFlags.alpha in flags:
        return False
    return MaskFlags.per_dataset in flags or MaskFlags.nodata not in flags
