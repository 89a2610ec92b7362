"""What a prediction tells about itself when it is done."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rsmamba.geo.grid import GeoGrid


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PredictResult:
    """Summary of one prediction.

    Attributes:
        scene: The input as it was given.
        out: Absolute path of the class map.
        probabilities: Path of the class scores, None if not wanted.
        confidence: Path of the chosen class's score, None if not wanted.
        quicklook: Path of the picture, None if not wanted.
        vectors: Path of the polygons, None if not wanted.
        grid: Grid of the outputs.
        bidx: Bands that were read, from 1, in the order that the model takes them.
        class_pixels: Pixels of each class, by class name.
        masked_pixels: Pixels without a class.
        tiles_computed: Tiles that the network saw.
        tiles_skipped: Tiles without a wanted pixel.
        seconds: Time from start to the outputs' names.
        cpu_seconds: Processor time of the process, all threads together.
        model: Name of the model.
        model_hash: SHA-256 of the model.
        device: Where the network ran.
        backends: Kernel that each operator of the network used, as far as it tells.
        batch_size: Tiles of a batch.
        column_blocks: Passes over the scene that the memory limit made necessary.
        stretch: How pixel values were stretched, None if they were not.
        pruning: What tokens the network kept, None for all.
        resumed_pixels: Pixels that an earlier run, which was stopped, had finished.
    """

    scene: str
    out: Path
    probabilities: Path | None
    confidence: Path | None
    quicklook: Path | None
    vectors: Path | None
    grid: GeoGrid
    bidx: tuple[int, ...]
    class_pixels: dict[str, int]
    masked_pixels: int
    tiles_computed: int
    tiles_skipped: int
    seconds: float
    cpu_seconds: float
    model: str
    model_hash: str
    device: str
    backends: dict[str, str]
    batch_size: int
    column_blocks: int
    stretch: str | None
    pruning: str | None
    resumed_pixels: int = 0

    @property
    def num_pixels(self) -> int:
        """Pixels of the class map."""
        return self.grid.height * self.grid.width

    @property
    def class_shares(self) -> dict[str, float]:
        """Share of each class in the pixels that have one, 0 to 1."""
        classified = self.num_pixels - self.masked_pixels
        return {name: pixels / max(classified, 1) for name, pixels in self.class_pixels.items()}

    @property
    def megapixels_per_second(self) -> float:
        """Pixels of the map by the time it took, millions a second."""
        return self.num_pixels / 1e6 / max(self.seconds, 1e-9)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values for JSON.

        Returns:
            A dictionary without NaN.
        """
        values = {name: getattr(self, name) for name in self.__slots__ if name != "grid"}
        paths = ("out", "probabilities", "confidence", "quicklook", "vectors")
        values |= {name: None if values[name] is None else str(values[name]) for name in paths}
        return values | {
            "grid": grid_dict(self.grid),
            "class_shares": self.class_shares,
            "megapixels_per_second": self.megapixels_per_second,
        }


def grid_dict(grid: GeoGrid) -> dict[str, Any]:
    """Return a grid as plain values for JSON.

    Args:
        grid: The grid.

    Returns:
        Size, CRS, transform, bounds and ground sample distance, None where unknown.
    """
    has_transform = not grid.transform.is_identity
    return {
        "height": grid.height,
        "width": grid.width,
        "crs": None if grid.crs is None else grid.crs.to_string(),
        "transform": list(grid.transform)[:6] if has_transform else None,
        "bounds": asdict(grid.bounds) if has_transform else None,
        "gsd_m": grid.gsd_m,
        "description": grid.describe(),
    }
