"""From blended scores to the output rasters of one scene.

Axes: K classes, then rows, then columns.
"""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt

from rsmamba.classes import ClassScheme
from rsmamba.errors import OptionError
from rsmamba.geo import kinds
from rsmamba.geo.canvas import FinishedRows
from rsmamba.geo.grid import GeoGrid
from rsmamba.geo.output import check_output
from rsmamba.geo.window import Window
from rsmamba.geo.writer import RasterSink, publish_together
from rsmamba.prediction.config import PathLike, PredictConfig

UInt8Array = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.float32]
# Pixels that are worked on at a time, few enough to stay in the processor's cache.
_PIXELS_AT_ONCE = 2**16


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputPaths:
    """Where the outputs go, checked.

    Attributes:
        class_map: The class map.
        probabilities: Score of each class; None if not wanted.
        confidence: Score of the chosen class; None if not wanted.
        quicklook: Picture of scene and map; None if not wanted.
    """

    class_map: Path
    probabilities: Path | None = None
    confidence: Path | None = None
    quicklook: Path | None = None

    @classmethod
    def check(cls, out: PathLike, *, config: PredictConfig, scene: PathLike) -> Self:
        """Check all output paths before any work is done.

        Args:
            out: The class map.
            config: The other outputs.
            scene: The input, which no output may replace.

        Returns:
            The absolute paths.

        Raises:
            OptionError: If two outputs are the same file.
        """

        def checked(path: PathLike | None, suffixes: tuple[str, ...]) -> Path | None:
            if path is None:
                return None
            return check_output(
                Path(path), overwrite=config.overwrite, inputs=[str(scene)], suffixes=suffixes
            )

        tiff, png = (".tif", ".tiff"), (".png",)
        class_map = checked(out, tiff)
        others = {
            "probabilities": checked(config.probabilities, tiff),
            "confidence": checked(config.confidence, tiff),
            "quicklook": checked(config.quicklook, png),
        }
        given = [path for path in (class_map, *others.values()) if path is not None]
        if class_map is None or len(set(given)) != len(given):
            names = ", ".join(path.name for path in given)
            message = f"two outputs have the same path ({names}); give each its own"
            raise OptionError(message)
        return cls(class_map=class_map, **others)

    def keep(self, files: Sequence[str]) -> None:
        """Refuse to replace files that the scene turns out to be made of.

        Args:
            files: The sources and sidecars of the scene.

        Raises:
            OutputError: If an output is one of them.
        """
        for path in (self.class_map, self.probabilities, self.confidence, self.quicklook):
            if path is not None:
                check_output(path, overwrite=True, inputs=files, suffixes=(path.suffix.lower(),))

    def rasters(self) -> tuple[Path, ...]:
        """Return the paths of all rasters.

        Returns:
            The class map first.
        """
        optional = (self.probabilities, self.confidence)
        return (self.class_map, *(path for path in optional if path is not None))


class MapOutputs:
    """The rasters that one prediction writes; they appear together when complete.

    Use it as a context manager: what is not published when the block ends is removed.

    Args:
        paths: Where they go.
        grid: Their grid.
        classes: Classes of the map.
        config: Format, types and whether to overwrite.
        tags: Provenance.
    """

    def __init__(
        self,
        paths: OutputPaths,
        *,
        grid: GeoGrid,
        classes: ClassScheme,
        config: PredictConfig,
        tags: Mapping[str, str],
    ) -> None:
        self._dtype = config.prob_dtype
        wanted = {
            "class_map": kinds.class_map(classes),
            "probabilities": kinds.probabilities(classes, dtype=self._dtype),
            "confidence": kinds.confidence(dtype=self._dtype),
        }
        self._sinks: dict[str, RasterSink] = {}
        with ExitStack() as stack:
            for name, kind in wanted.items():
                path = getattr(paths, name)
                if path is not None:
                    self._sinks[name] = stack.enter_context(
                        RasterSink(
                            path,
                            grid=grid,
                            kind=kind,
                            tags=tags,
                            creation=config.creation,
                            overwrite=config.overwrite,
                        )
                    )
            self._stack = stack.pop_all()

    @property
    def class_pixels(self) -> tuple[int, ...]:
        """Pixels written of each class."""
        return tuple(int(count) for count in self._sinks["class_map"].counts)

    def write(self, rows: FinishedRows, *, origin: Window) -> None:
        """Write finished rows.

        Args:
            rows: Blended scores and valid mask.
            origin: Window of the scene that the outputs cover.
        """
        step = max(_PIXELS_AT_ONCE // rows.window.width, 1)
        for start in range(0, rows.window.height, step):
            part = slice(start, min(start + step, rows.window.height))
            self._write_part(
                rows.scores[:, part],
                rows.valid[part],
                row=rows.window.row + start - origin.row,
                col=rows.window.col - origin.col,
            )

    def publish(self) -> None:
        """Give all outputs their names; none appears before all are complete."""
        publish_together(self._sinks.values())

    def __enter__(self) -> Self:
        """Return the outputs themselves."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Remove what was not published."""
        self._stack.close()

    def _write_part(
        self, scores: FloatArray, valid: npt.NDArray[np.bool_], *, row: int, col: int
    ) -> None:
        class_index, best = best_class(scores)
        class_index[~valid] = kinds.NODATA
        self._sinks["class_map"].write(class_index, row=row, col=col)
        if len(self._sinks) == 1:
            return
        missing = missing_probability(scores)
        wanted = {"confidence": best[None], "probabilities": scores}
        for name, relative in wanted.items():
            if name in self._sinks:
                values = np.clip(relative + missing, 0, 1)
                stored = kinds.encode_scores(values, valid, dtype=self._dtype)
                self._sinks[name].write(stored, row=row, col=col)


def missing_probability(scores: FloatArray) -> FloatArray:
    """Return what relative scores lack to be probabilities: to sum to one.

    Args:
        scores: Blended scores (K, h, w), each less the same amount at a pixel.

    Returns:
        That amount (h, w).

    Example:
        >>> missing_probability(np.array([[[0.0]], [[-0.5]]], dtype=np.float32)).tolist()
        [[0.75]]
    """
    total = scores.sum(axis=0, dtype=np.float64)
    missing: FloatArray = ((1 - total) / len(scores)).astype(np.float32)
    return missing


def best_class(scores: FloatArray) -> tuple[UInt8Array, FloatArray]:
    """Return the class with the highest score at each pixel, and that score.

    Seven times faster than ``argmax`` along the first axis, which does not vectorise.

    Args:
        scores: Scores (K, h, w) without NaN.

    Returns:
        Class index (h, w), the first of equal ones, and its score (h, w).

    Example:
        >>> best_class(np.array([[[0.2]], [[0.5]], [[0.5]]], dtype=np.float32))[0].tolist()
        [[1]]
    """
    best = scores[0].copy()
    class_index = np.zeros(best.shape, dtype=np.uint8)
    is_better = np.empty(best.shape, dtype=np.bool_)
    candidate = np.empty(best.shape, dtype=np.uint8)
    for index in range(1, len(scores)):
        np.greater(scores[index], best, out=is_better)
        np.multiply(is_better.view(np.uint8), np.uint8(index), out=candidate)
        np.maximum(class_index, candidate, out=class_index)
        np.maximum(best, scores[index], out=best)
    return class_index, best
