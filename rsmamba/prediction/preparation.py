"""Preparation: from a scene, a model and options to everything that a prediction needs to know."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rsmamba.errors import OptionError
from rsmamba.geo.blend import touching_spans
from rsmamba.geo.grid import GeoGrid
from rsmamba.geo.limits import check_block_bytes
from rsmamba.geo.scene import Scene
from rsmamba.geo.stacked_scene import open_stacked
from rsmamba.geo.tiles import TileGrid
from rsmamba.geo.trust import remote_access, remote_allowed
from rsmamba.geo.window import Window
from rsmamba.models.model_header import ModelFacts
from rsmamba.prediction.batches import TileSource
from rsmamba.prediction.config import PathLike, PredictConfig
from rsmamba.prediction.memory import (
    MemoryCost,
    choose_batch_size,
    column_blocks,
    memory_limit,
)
from rsmamba.prediction.region import Region, find_region
from rsmamba.prediction.resampling import Remapper, ResampledScene, resampled
from rsmamba.prediction.stretch import Stretch, find_stretch

log = logging.getLogger(__name__)

# A network copes with objects half as large again as those it was trained on.
_LARGEST_GSD_RATIO = 1.5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prepared:
    """A prediction that is ready to run.

    Attributes:
        scene: The open scene.
        model: What is known of the model.
        config: The options.
        region: The part of the scene that is wanted.
        resampled: The scene as the network sees it, None if that is as it is.
        tiles: The tiles of what the network sees.
        blocks: The region in column blocks, one pass each.
        cost: What a pass takes in memory.
        limit_bytes: What it may take.
        batch_size: Tiles of a batch.
        stretch: What happens to pixel values; None for nothing.
    """

    scene: Scene
    model: ModelFacts
    config: PredictConfig
    region: Region
    resampled: ResampledScene | None
    tiles: TileGrid
    blocks: tuple[Window, ...]
    cost: MemoryCost
    limit_bytes: int
    batch_size: int
    stretch: Stretch | None

    @property
    def grid(self) -> GeoGrid:
        """Grid of the outputs."""
        return self.scene.grid.for_window(self.region.window)

    @property
    def source(self) -> Scene | ResampledScene:
        """What the network sees."""
        return self.resampled or self.scene

    @property
    def tile_source(self) -> TileSource:
        """What cuts the tiles."""
        region = self.region
        if self.resampled is not None:
            # Only decides which tiles are needed; the mask is made on the grid of the scene.
            region = replace(
                region, window=self.work_window(region.window), grid=self.source.grid, generous=True
            )
        return TileSource(
            source=self.source,
            tiles=self.tiles,
            margin=self.config.margin,
            region=region,
            stretch=self.stretch,
            batch_size=self.batch_size,
        )

    def work_window(self, block: Window) -> Window:
        """Return the part of what the network sees that covers a part of the scene.

        Args:
            block: The part of the scene.

        Returns:
            The same, unless the scene is resampled.
        """
        return block if self.resampled is None else self.resampled.work_window(block)

    def remapper(self, block: Window) -> Remapper | None:
        """Return what brings finished rows to the grid of the scene.

        Args:
            block: The part of the scene that a pass makes.

        Returns:
            The remapper; None if the network sees the scene as it is.
        """
        if self.resampled is None:
            return None
        return Remapper(source=self.resampled, region=self.region, block=block)

    def cut(self, window: Window) -> list[Window]:
        """Cut a part of the region into column blocks that the memory limit allows.

        Args:
            window: The part, in pixels of the scene.

        Returns:
            The blocks, one pass each.
        """
        return column_blocks(window, self.tiles, cost=self.cost, limit_bytes=self.limit_bytes)

    @property
    def num_tiles(self) -> int:
        """Tiles that all passes look at; those that two column blocks share count twice."""
        return self.count_tiles(self.blocks)

    def count_tiles(self, blocks: Sequence[Window]) -> int:
        """Count the tiles that some passes look at.

        Args:
            blocks: What each pass makes, in pixels of the scene.

        Returns:
            The number; tiles that two blocks share count twice.
        """
        total = 0
        for block in blocks:
            part = self.work_window(block)
            rows, cols = touching_spans(self.tiles, margin=self.config.margin, region=part)
            total += len(rows) * len(cols)
        return total

    @property
    def peak_bytes(self) -> int:
        """Memory that the widest pass takes."""
        return self.cost.total_bytes(max(block.width for block in self.blocks))


def open_scene(scene: PathLike, model: ModelFacts, *, config: PredictConfig) -> Scene:
    """Open a scene with the bands that a model takes.

    Args:
        scene: Raster that GDAL reads.
        model: The model.
        config: Band numbers, nodata and scaling.

    Returns:
        The open scene.
    """
    with remote_access(config.allow_remote or remote_allowed()):
        return open_stacked(
            scene if isinstance(scene, Path) else str(scene),
            [path if isinstance(path, Path) else str(path) for path in config.extra_bands],
            bidx=config.bidx,
            num_bands=model.in_channels,
            src_nodata=config.src_nodata,
            unscale=config.unscale,
        )


def prepare(scene: Scene, model: ModelFacts, *, config: PredictConfig, device: str) -> Prepared:
    """Work out tiles, region, blocks and batches.

    Args:
        scene: The open scene, with the bands of the model.
        model: The model.
        config: The options.
        device: Where the network computes: "cpu", "cuda:0", "mps".

    Returns:
        All that the engine needs.
    """
    check_gsd(scene.grid.gsd_m, model.gsd_m, config=config, scene_name=scene.name)
    with remote_access(config.allow_remote or remote_allowed()):
        region = find_region(scene.grid, config)
    coarse = resampled(scene, gsd_m=model.gsd_m) if config.resample else None
    source = coarse or scene
    tiles = TileGrid(
        height=source.grid.height,
        width=source.grid.width,
        tile=config.tile,
        overlap=config.overlap,
    )
    batch_size = choose_batch_size(config.batch_size, device, tiles)
    # Blocks are cut on the grid of the scene, whose columns are more or fewer.
    cost = MemoryCost.of(
        tiles,
        num_bands=scene.num_bands,
        num_classes=model.num_classes,
        source_dtype=source.dtype,
        batch_size=batch_size,
        num_outputs=1
        + (model.num_classes if config.probabilities else 0)
        + (1 if config.confidence else 0),
    ).scaled(source.grid.width / scene.grid.width)
    limit_bytes = memory_limit(config.mem_limit)
    blocks = column_blocks(region.window, tiles, cost=cost, limit_bytes=limit_bytes)
    check_block_bytes(scene.block_bytes, limit_bytes=limit_bytes, name=scene.name)
    if len(blocks) > 1:
        log.info("the memory limit makes %d passes over the scene necessary", len(blocks))
    return Prepared(
        scene=scene,
        model=model,
        config=config,
        region=region,
        resampled=coarse,
        tiles=tiles,
        blocks=tuple(blocks),
        cost=cost,
        limit_bytes=limit_bytes,
        batch_size=batch_size,
        stretch=find_stretch(scene, model, stretch=config.stretch, part=region.window),
    )


def check_gsd(
    scene_m: float | None, model_m: float | None, *, config: PredictConfig, scene_name: str
) -> None:
    """Refuse a scene whose ground sample distance a model cannot know.

    Args:
        scene_m: Metres per pixel of the scene; None if unknown, which passes.
        model_m: Metres per pixel that the model was trained at; None if unknown, which passes.
        config: Whether the check is waived.
        scene_name: Name of the scene for the message.

    Raises:
        OptionError: If the two differ by more than a factor of 1.5.
    """
    if scene_m is None or model_m is None or config.ignore_gsd or config.resample:
        return
    ratio = max(scene_m / model_m, model_m / scene_m)
    if ratio > _LARGEST_GSD_RATIO:
        message = (
            f"{scene_name} has {scene_m:.3g} m per pixel and the model was trained at "
            f"{model_m:.3g} m, {ratio:.1f} times apart (at most {_LARGEST_GSD_RATIO}); "
            "predict at the model's distance with --resample, or as it is with --ignore-gsd"
        )
        raise OptionError(message)
