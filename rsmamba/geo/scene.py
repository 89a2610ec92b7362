"""Scene: windowed reads of pixels and of where they are valid, from anything that GDAL opens.

Axes: pixels are ``(C, h, w)``, masks ``(h, w)`` with True where a pixel may be used.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.io import DatasetReader

from rsmamba.errors import BandError, OptionError, SceneError
from rsmamba.geo.bands import check_bidx, default_bidx
from rsmamba.geo.environment import quiet_gdal
from rsmamba.geo.grid import GeoGrid
from rsmamba.geo.limits import block_bytes
from rsmamba.geo.masks import StoredMasks
from rsmamba.geo.nodata import BoolArray, blank_invalid, valid_from_values
from rsmamba.geo.opening import header_errors, open_dataset, read_errors
from rsmamba.geo.palette import expand_palette, read_palette
from rsmamba.geo.window import Window


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pixels:
    """What one read returns.

    Attributes:
        values: Pixel values ``(C, h, w)``; zero where invalid.
        valid: Valid mask ``(h, w)``.
    """

    values: NDArray[Any]
    valid: BoolArray


class Scene:
    """One georeferenced raster, read window by window; made by ``Scene.open``.

    Any thread may read; reads wait for each other. Use it as a context manager, or close it.

    Args:
        dataset: The open dataset.
        path: Where it is, as it was given.
        bidx: Band numbers to read, from 1; None chooses by ``bands.default_bidx``.
        num_bands: Number of bands that must come out, None for any.
        src_nodata: Nodata number in place of the file's own.
        unscale: Apply the file's scale and offset.

    Attributes:
        path: Where the scene is, as it was given.
        driver: GDAL's name of the format.
        grid: Size and georeference.
        count: Number of bands in the file, alpha included.
        bidx: Band numbers that are read, from 1.
        num_bands: Number of bands that a read returns; a palette makes three or four of one.
        dtype: NumPy name of the type of the values that a read returns.
        file_dtype: NumPy name of the type of the selected bands in the file.
        colours: Colour interpretation of every band of the file, such as ``"red"``.
        descriptions: Description of every band of the file, None where it has none.
        nodata: Nodata number of each selected band, None where it has none.
        scales: Scale of each selected band.
        offsets: Offset of each selected band.
        unscaled: True if scale and offset are applied.
        expands_palette: True if palette indices are turned into colours.
        block_shape: Rows and columns of a storage block of the first selected band, pixels.
        block_bytes: Memory that reading one pixel takes: a whole block, of all interleaved bands.
        overviews: Factors of the overviews of the first selected band.
        files: All files that it is made of: itself, sidecars, the sources of a VRT.
        mask_kinds: What the valid mask is made of, any of ``nodata alpha mask NaN palette``.
    """

    def __init__(
        self,
        dataset: DatasetReader,
        path: str | Path,
        *,
        bidx: Sequence[int] | None = None,
        num_bands: int | None = None,
        src_nodata: float | None = None,
        unscale: bool = False,
    ) -> None:
        self._dataset = dataset
        self._lock = threading.Lock()
        self.path = path
        self.driver: str = dataset.driver
        self.grid = GeoGrid.from_dataset(dataset)
        self.count: int = dataset.count
        self.colours = tuple(colour.name.lower() for colour in dataset.colorinterp)
        self.descriptions: tuple[str | None, ...] = dataset.descriptions
        self._palette = read_palette(dataset) if bidx is None and num_bands in {3, 4} else None
        self.expands_palette = self._palette is not None
        self.bidx = self._choose_bands(bidx, num_bands)
        self.num_bands = num_bands if self.expands_palette and num_bands else len(self.bidx)
        self._own_bands = self.num_bands
        tags = self._selected(dataset.nodatavals)
        self.nodata = tags if src_nodata is None else tuple(src_nodata for _ in self.bidx)
        self.scales = self._selected(dataset.scales)
        self.offsets = self._selected(dataset.offsets)
        self.file_dtype = self._common_dtype(dataset.dtypes)
        self._has_one_dtype = len(set(self._selected(dataset.dtypes))) == 1
        self.unscaled = unscale and self.has_scaling and not self.expands_palette
        self.dtype = self._read_dtype()
        self.block_shape: tuple[int, int] = dataset.block_shapes[self.bidx[0] - 1]
        self.block_bytes = block_bytes(dataset)
        self.files: tuple[str, ...] = tuple(dataset.files)
        self.overviews: tuple[int, ...] = tuple(dataset.overviews(self.bidx[0]))
        self._masks = StoredMasks.of(dataset, self.bidx)
        self.mask_kinds = self._name_masks()

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        bidx: Sequence[int] | None = None,
        num_bands: int | None = None,
        src_nodata: float | None = None,
        unscale: bool = False,
    ) -> Self:
        """Open a scene.

        Args:
            path: A file, URL or virtual path of any format that GDAL reads.
            bidx: Band numbers to read, from 1; None chooses by ``bands.default_bidx``.
            num_bands: Number of bands that must come out, None for any. A one-band palette image
                is expanded to colours when this is 3 or 4 and ``bidx`` is None.
            src_nodata: Nodata number in place of the file's own.
            unscale: Apply the file's scale and offset; values are then float32.

        Returns:
            The open scene.

        Raises:
            SceneError: If the file is missing, is not a raster, or has complex numbers.
            BandError: If it does not have the bands.
        """
        dataset = open_dataset(path)
        try:
            with header_errors(path):
                return cls(
                    dataset,
                    path,
                    bidx=bidx,
                    num_bands=num_bands,
                    src_nodata=src_nodata,
                    unscale=unscale,
                )
        except (BandError, SceneError):
            dataset.close()
            raise

    @property
    def name(self) -> str:
        """File name without folders, for messages."""
        return Path(self.path).name

    @property
    def has_scaling(self) -> bool:
        """True if a selected band has a scale or an offset that changes values."""
        return any(scale != 1 for scale in self.scales) or any(self.offsets)

    def read(self, window: Window) -> Pixels:
        """Read pixels and their valid mask at full resolution.

        Args:
            window: What to read; it must lie inside the scene.

        Returns:
            Values ``(C, h, w)`` of type ``dtype`` and the valid mask.

        Raises:
            OptionError: If the window is not inside the scene.
            SceneError: If the file is damaged there.
        """
        return self.read_decimated(window, height=window.height, width=window.width)

    def read_decimated(self, window: Window, *, height: int, width: int) -> Pixels:
        """Read a window shrunk to a smaller size, from overviews where there are some.

        Args:
            window: What to read; it must lie inside the scene.
            height: Rows to return.
            width: Columns to return.

        Returns:
            Values ``(C, height, width)``, averaged (palettes: nearest), and the valid mask.

        Raises:
            OptionError: If the window is not inside the scene.
            SceneError: If the file is damaged there.
        """
        self._check_inside(window)
        shrunk = (height, width) != (window.height, window.width)
        # The mean of two palette indices is some third colour.
        average = shrunk and "palette" not in self._selected(self.colours)
        box, shape = window.to_rasterio(), (height, width)
        with self._lock, read_errors(self.path, window):
            values = self._read_bands(
                window=box,
                out_shape=shape,
                resampling=Resampling.average if average else Resampling.nearest,
            )
            stored = self._masks.read(self._dataset, box, shape)
        return self._finish(values, stored)

    def read_valid(self, window: Window) -> BoolArray:
        """Read only where pixels are valid; free for scenes that have no mask at all.

        Args:
            window: What to read; it must lie inside the scene.

        Returns:
            Valid mask ``(h, w)``.

        Raises:
            OptionError: If the window is not inside the scene.
            SceneError: If the file is damaged there.
        """
        if self.mask_kinds:
            return self.read(window).valid
        self._check_inside(window)
        return np.ones((window.height, window.width), dtype=np.bool_)

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        with self._lock, quiet_gdal():
            self._dataset.close()

    def __enter__(self) -> Self:
        """Return the scene itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file."""
        self.close()

    def _choose_bands(self, bidx: Sequence[int] | None, num_bands: int | None) -> tuple[int, ...]:
        if self.expands_palette:
            return (1,)
        if bidx is None:
            return default_bidx(self.colours, num_bands=num_bands, name=self.name)
        return check_bidx(bidx, count=self.count, num_bands=num_bands, name=self.name)

    def _selected(self, of_bands: Sequence[Any]) -> tuple[Any, ...]:
        return tuple(of_bands[number - 1] for number in self.bidx)

    def _common_dtype(self, dtypes: Sequence[str]) -> str:
        selected = self._selected(dtypes)
        if any("complex" in dtype for dtype in selected):
            message = (
                f"{self.name} holds complex numbers ({selected[0]}); give real ones, such as the "
                "amplitude"
            )
            raise SceneError(message)
        return str(np.result_type(*selected))

    def _read_dtype(self) -> str:
        if self.expands_palette:
            return "uint8"
        return "float32" if self.unscaled else self.file_dtype

    def _name_masks(self) -> tuple[str, ...]:
        there = {
            "nodata": any(number is not None for number in self.nodata),
            "alpha": bool(self._masks.alpha_bands),
            "mask": bool(self._masks.mask_bands),
            "NaN": np.dtype(self.file_dtype).kind == "f",
            "palette": self._palette is not None and bool((self._palette[:, 3] == 0).any()),
        }
        return tuple(kind for kind, is_there in there.items() if is_there)

    def _check_inside(self, window: Window) -> None:
        if not self.grid.window.contains(window):
            message = (
                f"rows {window.row} to {window.row_stop - 1}, columns {window.col} to "
                f"{window.col_stop - 1} are not inside {self.name}, which is {self.grid.width} px "
                f"wide and {self.grid.height} px high; give a window inside it"
            )
            raise OptionError(message)

    def _read_bands(self, **options: Any) -> NDArray[Any]:  # noqa: ANN401 - rasterio's options
        if self._has_one_dtype:
            shape = (len(self.bidx), *options.pop("out_shape"))
            values: NDArray[Any] = self._dataset.read(list(self.bidx), out_shape=shape, **options)
            return values
        bands = [self._dataset.read(number, **options) for number in self.bidx]
        return np.stack(bands).astype(self.file_dtype, copy=False)

    def _finish(self, values: NDArray[Any], stored: BoolArray | None) -> Pixels:
        valid = valid_from_values(values, self.nodata)
        if stored is not None:
            valid &= stored
        if self._palette is not None:
            values, opaque = expand_palette(values[0], self._palette, num_bands=self._own_bands)
            valid &= opaque
        if self.unscaled:
            scales = np.asarray(self.scales, dtype=np.float32)
            offsets = np.asarray(self.offsets, dtype=np.float32)
            values = values.astype(np.float32) * scales[:, None, None] + offsets[:, None, None]
        blank_invalid(values, valid)
        return Pixels(values=values, valid=valid)
