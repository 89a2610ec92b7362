"""PredictConfig: everything that can be chosen about one prediction."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from rsmamba.errors import OptionError
from rsmamba.geo.creation import Creation
from rsmamba.geo.kinds import ScoreType
from rsmamba.geo.tiles import check_tile
from rsmamba.geo.vector_output import check_outlines

TestTimeAugmentation = Literal["none", "flips", "d4"]
PathLike = str | os.PathLike[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictConfig:
    """How a scene is predicted and what is written.

    Attributes:
        tile: Side of a tile, pixels.
        overlap: Pixels that neighbouring tiles share, 0 to ``tile - 1``.
        margin: Pixels next to inner tile edges that are not used; cut to half of the overlap.
        batch_size: Tiles that an accelerator computes at once; None chooses by its memory. On the
            CPU tiles are computed one by one whatever this says.
        mem_limit: Memory to stay within above what is in use already, bytes; None takes a quarter
            of what is available.
        tta: Test-time augmentation: "none", "flips" (4 passes) or "d4" (8 passes).
        amp: Compute in bfloat16 where PyTorch holds it safe.
        prune: Share of its tokens that the network keeps each time it drops some, above 0 and at
            most 1; "auto" gives each tile its own by its content. None leaves the model as it is.
        prune_flops: Share of the encoder's multiply-adds to save by dropping tokens.
        bidx: Bands of the scene in the order that the model takes them, from 1; None chooses.
        extra_bands: Other rasters of the same pixels whose bands follow those of the scene, such as
            heights.
        src_nodata: Nodata value of the scene, over the one that it states.
        unscale: Apply the scale and offset that the scene states.
        stretch: What to do with a scene of another data type than the model's: "auto", "none" or
            "LOW,HIGH".
        ignore_gsd: Accept a scene of another ground sample distance than the model's.
        resample: Predict at the model's ground sample distance and map back.
        allow_remote: Read scenes from addresses, and let them refer to files outside their folder.
        bounds: Part of the scene to predict: left, bottom, right, top in map units.
        bounds_crs: CRS of ``bounds``; None is the scene's.
        window: Part of the scene to predict: col, row, width, height in pixels.
        aoi: Vector file; only pixels inside its polygons are predicted.
        overwrite: Replace outputs that exist.
        probabilities: Where to write the score of each class; None does not.
        confidence: Where to write the score of the chosen class; None does not.
        prob_dtype: Type of probabilities and confidence.
        quicklook: Where to write a picture of scene and map; None does not.
        vectors: Where to write the map's regions as polygons; None does not.
        simplify: How far the outlines of polygons may leave the pixels' sides, pixels.
        min_pixels: Smaller regions join a neighbour before they become polygons.
        format: Format of the outputs, "COG" or "GTiff".
        co: Creation options of the outputs by GDAL's names.
    """

    tile: int = 512
    overlap: int = 64
    margin: int = 16
    batch_size: int | None = None
    mem_limit: int | None = None
    tta: TestTimeAugmentation = "none"
    amp: bool = False
    prune: float | Literal["auto"] | None = None
    prune_flops: float | None = None
    bidx: tuple[int, ...] | None = None
    extra_bands: tuple[PathLike, ...] = ()
    src_nodata: float | None = None
    unscale: bool = False
    stretch: str = "auto"
    ignore_gsd: bool = False
    resample: bool = False
    allow_remote: bool = False
    bounds: tuple[float, float, float, float] | None = None
    bounds_crs: str | None = None
    window: tuple[int, int, int, int] | None = None
    aoi: PathLike | None = None
    overwrite: bool = False
    probabilities: PathLike | None = None
    confidence: PathLike | None = None
    prob_dtype: ScoreType = "uint8"
    quicklook: PathLike | None = None
    vectors: PathLike | None = None
    simplify: float = 0.0
    min_pixels: int = 1
    format: str = "COG"
    co: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check the options against each other.

        Raises:
            OptionError: If an option or a combination is not allowed.
        """
        check_tile(self.tile, overlap=self.overlap)
        self._check_numbers()
        _check_word("tta", self.tta, get_args(TestTimeAugmentation))
        _check_word("prob_dtype", self.prob_dtype, get_args(ScoreType))
        if self.bounds is not None and self.window is not None:
            message = "bounds and window both choose a part of the scene; give one of them"
            raise OptionError(message)
        if self.bounds_crs is not None and self.bounds is None:
            message = f"bounds_crs {self.bounds_crs} says nothing without bounds; give bounds too"
            raise OptionError(message)
        if self.ignore_gsd and self.resample:
            message = "ignore_gsd and resample contradict each other; give one of them"
            raise OptionError(message)
        if isinstance(self.prune, str) and self.prune != "auto":
            message = f"prune is {self.prune!r}; give a keep ratio such as 0.6, or auto"
            raise OptionError(message)
        if self.prune is not None and self.prune_flops is not None:
            message = "prune and prune_flops both choose how many tokens stay; give one of them"
            raise OptionError(message)

    @property
    def creation(self) -> Creation:
        """How the outputs are stored.

        Raises:
            OptionError: If a format, name or value is not allowed.
        """
        return Creation.parse(self.co, output_format=self.format)

    @property
    def pruning_wish(self) -> str | None:
        """What is asked for of token pruning, as a phrase; None leaves it to the model."""
        if self.prune_flops is not None:
            return f"as many tokens as save {self.prune_flops:.4g} of the encoder's multiply-adds"
        if self.prune == "auto":
            return "auto: a keep ratio for each tile by its content"
        return None if self.prune is None else f"keep ratio {self.prune:.4g}"

    def to_dict(self) -> dict[str, Any]:
        """Return the options that decide the pixels of the map, as plain values.

        Returns:
            Value by option name.
        """
        names = (
            "tile", "overlap", "margin", "tta", "amp", "prune", "prune_flops", "bidx", "src_nodata",
            "unscale", "stretch", "ignore_gsd", "resample", "bounds", "bounds_crs", "window",
        )  # fmt: skip
        values = {name: getattr(self, name) for name in names}
        # Named only where there are some, so that older outputs are known again.
        if self.extra_bands:
            values["extra_bands"] = [os.fspath(path) for path in self.extra_bands]
        return values | {"aoi": None if self.aoi is None else os.fspath(self.aoi)}

    def _check_numbers(self) -> None:
        if self.margin < 0:
            message = f"margin {self.margin} is negative; give 0 px or more"
            raise OptionError(message)
        check_outlines(simplify_px=self.simplify, min_pixels=self.min_pixels)
        if self.batch_size is not None and self.batch_size < 1:
            message = f"batch_size {self.batch_size} is not a number of tiles; give 1 or more"
            raise OptionError(message)
        if self.mem_limit is not None and self.mem_limit < 1:
            message = f"mem_limit {self.mem_limit} is not an amount of memory; give bytes above 0"
            raise OptionError(message)


def _check_word(option: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        message = f"{option} {value!r} is not known; give {', '.join(allowed)}"
        raise OptionError(message)
