"""The prediction engine: a scene in, a georeferenced class map out.

One thread reads tiles ahead, the calling thread runs the network, and one thread blends and writes
behind it. Nothing of the size of the scene is held in memory.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Literal

from rsmamba.geo.environment import raster_environment
from rsmamba.geo.kinds import ScoreType
from rsmamba.models.model_file import load_model, resolve_device
from rsmamba.models.model_header import read_header
from rsmamba.models.scene_model import SceneModel
from rsmamba.prediction.companions import write_companions
from rsmamba.prediction.config import PathLike, PredictConfig, TestTimeAugmentation
from rsmamba.prediction.finishing import WorkDone, find_outputs, finish
from rsmamba.prediction.identity import identity_of
from rsmamba.prediction.outputs import OutputPaths
from rsmamba.prediction.passes import Progress
from rsmamba.prediction.preparation import open_scene, prepare
from rsmamba.prediction.provenance import backends_of, provenance
from rsmamba.prediction.pruning import pruned_as_configured, pruning_text
from rsmamba.prediction.result import PredictResult
from rsmamba.prediction.scoring import ready_to_predict
from rsmamba.prediction.speed import remember_speed
from rsmamba.prediction.work import SceneWork


def predict(
    scene: PathLike,
    out: PathLike,
    *,
    model: PathLike | SceneModel = "default",
    tile: int = 512,
    overlap: int = 64,
    margin: int = 16,
    batch_size: int | None = None,
    device: str = "auto",
    overwrite: bool = False,
    bidx: tuple[int, ...] | None = None,
    probabilities: PathLike | None = None,
    confidence: PathLike | None = None,
    tta: TestTimeAugmentation = "none",
    amp: bool = False,
    prune: float | Literal["auto"] | None = None,
    prune_flops: float | None = None,
    mem_limit: int | None = None,
    quicklook: PathLike | None = None,
    vectors: PathLike | None = None,
    simplify: float = 0.0,
    min_pixels: int = 1,
    bounds: tuple[float, float, float, float] | None = None,
    bounds_crs: str | None = None,
    window: tuple[int, int, int, int] | None = None,
    aoi: PathLike | None = None,
    co: Mapping[str, str] | None = None,
    extra_bands: Sequence[PathLike] = (),
    src_nodata: float | None = None,
    unscale: bool = False,
    prob_dtype: ScoreType = "uint8",
    ignore_gsd: bool = False,
    resample: bool = False,
    allow_remote: bool = False,
    stretch: str = "auto",
    format: str = "COG",  # noqa: A002 - the option's name everywhere else
    progress: Progress | None = None,
) -> PredictResult:
    """Segment a scene of any size into a class map on its own grid.

    Memory does not grow with the number of rows. Masked pixels become 255 in the map and nodata in
    the scores. Outputs appear under their names only when all are complete.

    Args:
        scene: Raster that GDAL reads.
        out: Class map to write.
        model: A model, a model file, or the name of a bundled model.
        tile: Side of a tile, pixels.
        overlap: Pixels that neighbouring tiles share, 0 to ``tile - 1``.
        margin: Pixels next to inner tile edges that are not used; cut to half of the overlap. A
            network that looks no further than this gives the map of one pass over the whole scene.
        batch_size: Tiles that an accelerator computes at once; None chooses by its memory. On the
            CPU tiles are computed one by one, so the map is the same bytes for any number.
        device: "auto", "cpu", "cuda", "cuda:N" or "mps".
        overwrite: Replace outputs that exist.
        bidx: Bands of the scene in the order that the model takes them, from 1; None chooses.
        probabilities: Where to write the score of each class.
        confidence: Where to write the score of the chosen class.
        tta: Test-time augmentation: "none", "flips" (4 passes) or "d4" (8 passes).
        amp: Compute in bfloat16 where PyTorch holds it safe.
        prune: Share of its tokens that the network keeps each time it drops some, above 0 and at
            most 1; "auto" gives each tile its own share by its content, with a model that was
            calibrated for it. None leaves the model as it is.
        prune_flops: Share of the encoder's multiply-adds to save by dropping tokens; the keep ratio
            follows from it.
        mem_limit: Memory to stay within above what is in use already, bytes; None takes a quarter
            of what is available.
        quicklook: Where to write a picture of scene and map (PNG).
        vectors: Where to write the regions of the map as polygons (.gpkg, .parquet, .geojson).
        simplify: How far the outlines of polygons may leave the pixels' sides, pixels; 0 keeps
            them. Shared borders stay shared.
        min_pixels: Smaller regions get the class that they share the longest border with before
            they become polygons; the map itself stays as it is.
        bounds: Part of the scene to predict: left, bottom, right, top in map units. The map has the
            very pixels that a map of the whole scene would have there.
        bounds_crs: CRS of ``bounds``; None is the scene's.
        window: Part of the scene to predict: col, row, width, height in pixels.
        aoi: Vector file; only pixels inside its polygons get a class.
        co: Creation options of the outputs by GDAL's names.
        extra_bands: Other rasters of the same pixels, such as heights; their bands follow those of
            the scene.
        src_nodata: Nodata value of the scene, over the one that it states.
        unscale: Apply the scale and offset that the scene states.
        prob_dtype: Type of probabilities and confidence: "uint8" or "float32".
        ignore_gsd: Accept a scene of another ground sample distance than the model's.
        resample: Predict at the model's ground sample distance and map back.
        allow_remote: Read scenes from addresses, and let them refer to files outside their folder;
            only for scenes whose makers are trusted.
        stretch: What to do with a scene of another data type than the model's: "auto" maps the
            2 to 98 % range of each band, "none" lets values through, "LOW,HIGH" maps that range.
        format: Format of the outputs, "COG" or "GTiff".
        progress: Called as the work goes on.

    Returns:
        Where the outputs are, and what was done.
    """
    config = PredictConfig(
        tile=tile,
        overlap=overlap,
        margin=margin,
        batch_size=batch_size,
        mem_limit=mem_limit,
        tta=tta,
        amp=amp,
        prune=prune,
        prune_flops=prune_flops,
        bidx=bidx,
        extra_bands=tuple(extra_bands),
        src_nodata=src_nodata,
        unscale=unscale,
        stretch=stretch,
        ignore_gsd=ignore_gsd,
        resample=resample,
        allow_remote=allow_remote,
        bounds=bounds,
        bounds_crs=bounds_crs,
        window=window,
        aoi=aoi,
        overwrite=overwrite,
        probabilities=probabilities,
        confidence=confidence,
        prob_dtype=prob_dtype,
        quicklook=quicklook,
        vectors=vectors,
        simplify=simplify,
        min_pixels=min_pixels,
        format=format,
        co=co or {},
    )
    return predict_scene(scene, out, model=model, config=config, device=device, progress=progress)


def predict_scene(
    scene: PathLike,
    out: PathLike,
    *,
    model: PathLike | SceneModel,
    config: PredictConfig,
    device: str = "auto",
    progress: Progress | None = None,
) -> PredictResult:
    """Segment a scene as a configuration says.

    Args:
        scene: Raster that GDAL reads.
        out: Class map to write.
        model: A model, a model file, or the name of a bundled model.
        config: All other options.
        device: "auto", "cpu", "cuda", "cuda:N" or "mps".
        progress: Called as the work goes on.

    Returns:
        Where the outputs are, and what was done.
    """
    started = time.perf_counter(), time.process_time()
    paths = find_outputs(out, config=config, scene=scene)
    place = resolve_device(device)
    loaded = model if isinstance(model, SceneModel) else load_model(model, device)
    with (
        raster_environment(),
        open_scene(scene, loaded, config=config) as opened,
        ready_to_predict(loaded, place),
        pruned_as_configured(loaded, config),
    ):
        paths.keep(opened.files)
        prepared = prepare(opened, loaded, config=config, device=str(place))
        tags = provenance(scene, loaded, config=config, stretch=prepared.stretch)
        identity = identity_of(prepared, loaded, tags=tags, paths=paths, device=place)
        with SceneWork(paths) as work:
            work.begin(identity)
            done, finished = work.assembled, WorkDone()
            if done is None:
                OutputPaths.check(out, config=config, scene=scene)
                done, finished = finish(prepared, work, model=loaded, tags=tags, progress=progress)
            speed = finished.seconds_per_pixel
            if speed and place.type == "cpu" and not isinstance(model, SceneModel):
                remember_speed(read_header(model), config, seconds_per_pixel=speed)
            write_companions(prepared, done, paths=paths, key=work.key, model=loaded)
            work.publish(done)
        class_pixels = dict(zip(loaded.classes.names, done.class_pixels, strict=True))
        return PredictResult(
            scene=str(scene),
            out=paths.class_map,
            probabilities=paths.probabilities,
            confidence=paths.confidence,
            quicklook=paths.quicklook,
            vectors=paths.vectors,
            grid=prepared.grid,
            bidx=opened.bidx,
            class_pixels=class_pixels,
            masked_pixels=prepared.region.window.num_pixels - sum(class_pixels.values()),
            tiles_computed=finished.tiles_computed,
            tiles_skipped=finished.tiles_skipped,
            seconds=time.perf_counter() - started[0],
            cpu_seconds=time.process_time() - started[1],
            model=loaded.name,
            model_hash=tags["model_hash"],
            device=str(place),
            backends=backends_of(loaded, place),
            batch_size=prepared.batch_size,
            column_blocks=len(prepared.blocks),
            stretch=None if prepared.stretch is None else prepared.stretch.describe(),
            pruning=pruning_text(loaded, config),
            resumed_pixels=prepared.region.window.num_pixels - finished.computed_pixels,
        )
