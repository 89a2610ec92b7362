"""evaluate: class maps against references, every pixel counted exactly once."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import metadata

import numpy as np

from rsmamba.classes import ClassScheme
from rsmamba.errors import DataError, OptionError
from rsmamba.evaluation.classes import choose_classes
from rsmamba.evaluation.counting import CountOptions, SceneCounts, Watcher, count_scene
from rsmamba.evaluation.labels import LabelForm
from rsmamba.evaluation.naming import check_label_map
from rsmamba.evaluation.pictures import Overview, ScenePicture, overview_factor, tile_picture
from rsmamba.evaluation.protocols import Protocol, choose_protocol
from rsmamba.evaluation.result import AccuracyReport, SceneAccuracy, WorstTile
from rsmamba.evaluation.scenes import PathLike, ScenePaths, find_scenes, scene_names
from rsmamba.evaluation.sources import ReadOptions, open_pair, read_provenance
from rsmamba.evaluation.summary import area_estimates, boundary_curve, tally_of, total_counts
from rsmamba.evaluation.windows import read_side
from rsmamba.geo.environment import raster_environment
from rsmamba.geo.grid import GeoGrid
from rsmamba.geo.opening import open_dataset
from rsmamba.geo.painted import UnknownColour
from rsmamba.metrics import CalibrationCounter, bootstrap_intervals, compute_scores
from rsmamba.metrics.bootstrap import check_resampling
from rsmamba.metrics.boundary import check_radius

Progress = Callable[[int, int], None]
PathOrPaths = PathLike | Sequence[PathLike]
# All tiles' matrices together take at most this much memory; tiles grow until they do.
_TILE_BYTES = 64 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class _Counted:
    """One finished scene."""

    grid: GeoGrid
    counts: SceneCounts
    remarks: tuple[str, ...]
    picture: ScenePicture | None


def evaluate(
    prediction: PathOrPaths,
    reference: PathOrPaths | None = None,
    *,
    protocol: str = "all-classes",
    image: PathOrPaths | None = None,
    probabilities: PathOrPaths | None = None,
    classes: ClassScheme | Sequence[str] | PathLike | None = None,
    labels: LabelForm = "auto",
    unknown: UnknownColour = "fail",
    label_map: Mapping[int, int] | None = None,
    class_field: str = "class",
    erode: int | None = None,
    curve: int = 5,
    warp: bool = False,
    tile: int = 256,
    resamples: int = 1000,
    seed: int = 0,
    num_worst: int = 8,
    pictures: bool = False,
    progress: Progress | None = None,
) -> AccuracyReport:
    """Compare class maps with references over every pixel of whole scenes.

    Memory does not grow with the scenes. Where map or reference has no class, a pixel is left out
    and told in the report; nothing is padded.

    Args:
        prediction: A class map, several, a folder, or a CSV list with the columns map, reference
            and perhaps image and probabilities.
        reference: Label raster or vector file for each map, or a folder; None with a CSV list.
        protocol: all-classes, geoseg, ssrs or isprs; fixes classes, means and boundary radius.
        image: Pictures to show beside, on the maps' grids.
        probabilities: Scores of every class, or confidence, on the maps' grids; gives calibration.
        classes: Classes in order, by name, as a scheme, or as a CSV file with name, red, green,
            blue; None takes the map's own. Not with an ISPRS protocol.
        labels: "index", "colour", or "auto" for colours where there are three bands of bytes; in
            "auto", rasters that name their classes are brought into one order.
        unknown: "fail" or "ignore" colours that are not in the palette.
        label_map: Class index, or 255 for no class, by value of the reference.
        class_field: Attribute of vector references that holds the class.
        erode: Boundary radius of the scores, pixels; None for the protocol's.
        curve: Largest boundary radius of the curve, pixels.
        warp: Warp references on other grids onto the map's, by nearest neighbour.
        tile: Side of the tiles that intervals resample, pixels.
        resamples: How often they are resampled.
        seed: Of the resampling.
        num_worst: Number of worst tiles to list.
        pictures: Collect pictures for a report.
        progress: Told finished and total pixels.

    Returns:
        The report; ``rsmamba.report`` writes it.

    Raises:
        OptionError: If an option is not possible.
        GridMismatchError: If grids differ and `warp` is False.
        DataError: If a file does not hold what it should, or no pixel can be compared.
        SceneError: If a file cannot be read.
    """
    chosen, radius = choose_protocol(protocol, erode=erode)
    check_radius(curve)
    read_side(tile)
    check_resampling(resamples=resamples, seed=seed)
    if num_worst < 0:
        message = f"num_worst is {num_worst}; give the number of worst tiles to list, 0 or more"
        raise OptionError(message)
    _check_choice("labels", labels, ("auto", "index", "colour"))
    _check_choice("unknown", unknown, ("fail", "ignore"))
    paths = find_scenes(prediction, reference, image=image, probabilities=probabilities)
    with raster_environment():
        scheme = choose_classes(paths, chosen, given=classes, labels=labels, label_map=label_map)
        check_label_map(label_map, scheme)
        options = ReadOptions(
            classes=scheme,
            ignored_colours=chosen.ignored_colours,
            labels=labels,
            unknown=unknown,
            label_map=label_map,
            class_field=class_field,
            warp=warp,
            fixed=chosen.classes is not None,
        )
        count = CountOptions(num_classes=scheme.num_classes, radius=radius, curve=curve, tile=tile)
        run = _Run(paths, options, count=count, pictures=pictures, progress=progress)
        run.go()
        return _report(
            run, chosen, num_worst=num_worst, resamples=resamples, seed=seed, pictures=pictures
        )


class _Run:
    """The pass over all scenes."""

    def __init__(
        self,
        paths: tuple[ScenePaths, ...],
        options: ReadOptions,
        *,
        count: CountOptions,
        pictures: bool,
        progress: Progress | None,
    ) -> None:
        self.paths = paths
        self.names = scene_names(paths)
        self.options = options
        self.total = sum(_num_pixels(scene.map) for scene in paths)
        self.count = replace(count, tile=_fitting_tile(self.total, count))
        self.calibration = CalibrationCounter()
        self.counted: list[_Counted] = []
        self._pictures = pictures
        self._progress = progress
        self._done = 0

    def go(self) -> None:
        """Count every scene."""
        for scene in self.paths:
            self.counted.append(self._count(scene))

    def _count(self, paths: ScenePaths) -> _Counted:
        with open_pair(paths, self.options) as pair:
            height, width = pair.grid.height, pair.grid.width
            factor = overview_factor(height, width, num_scenes=len(self.paths))
            overview = Overview(height=height, width=width, factor=factor)
            watchers: tuple[Watcher, ...] = (overview,) if self._pictures else ()
            counts = count_scene(
                pair.prediction,
                pair.reference,
                height=height,
                width=width,
                options=self.count,
                scores=pair.scores,
                calibration=self.calibration,
                watchers=watchers,
                progress=self._advance,
            )
            picture = overview.picture(pair.image) if self._pictures else None
            return _Counted(grid=pair.grid, counts=counts, remarks=pair.remarks, picture=picture)

    def _advance(self, pixels: int) -> None:
        self._done += pixels
        if self._progress is not None:
            self._progress(self._done, self.total)


def _report(
    run: _Run, protocol: Protocol, *, num_worst: int, resamples: int, seed: int, pictures: bool
) -> AccuracyReport:
    """Draw the conclusions from what was counted."""
    all_counts = [scene.counts for scene in run.counted]
    radius, means = run.count.radius, protocol.mean_classes
    counts = total_counts(all_counts, radius)
    tally = tally_of(all_counts)
    if not tally.counted:
        message = (
            f"no pixel can be compared: {tally.unlabelled:,} have no class in the reference, "
            f"{tally.eroded:,} are next to a class border and {tally.unmapped:,} have no class in "
            "the map; check that both are class rasters of the same place"
        )
        raise DataError(message)
    tiles = np.concatenate([np.array(scene.tile_counts) for scene in all_counts])
    worst = _worst_tiles(run, num_worst)
    return AccuracyReport(
        version=metadata.version("rsmamba"),
        protocol=protocol,
        radius=radius,
        classes=run.options.classes,
        counts=counts,
        scores=compute_scores(counts, mean_classes=means),
        intervals=bootstrap_intervals(tiles, resamples=resamples, seed=seed, mean_classes=means),
        tally=tally,
        curve=boundary_curve(all_counts, radius=run.count.curve, mean_classes=means),
        areas=area_estimates(all_counts, [scene.grid for scene in run.counted]),
        calibration=run.calibration.result() if run.calibration.pixels.any() else None,
        scenes=tuple(_scene(run, index, means=means) for index in range(len(run.paths))),
        worst_tiles=_with_pictures(run, worst) if pictures else worst,
        tile=run.count.tile,
        provenance=_provenance(run.paths, protocol),
        pictures=tuple(scene.picture for scene in run.counted if scene.picture is not None),
    )


def _scene(run: _Run, index: int, *, means: tuple[int, ...] | None) -> SceneAccuracy:
    """The row of one scene."""
    paths, counted = run.paths[index], run.counted[index]
    counts = counted.counts.at_radius(run.count.radius)
    return SceneAccuracy(
        name=run.names[index],
        map=str(paths.map),
        reference=str(paths.reference),
        grid=counted.grid.describe(),
        height=counted.grid.height,
        width=counted.grid.width,
        tally=counted.counts.tally,
        scores=compute_scores(counts, mean_classes=means),
        remarks=counted.remarks,
    )


def _worst_tiles(run: _Run, num_worst: int) -> tuple[WorstTile, ...]:
    """The tiles with the most wrong pixels."""
    names = run.options.classes.names
    found: list[WorstTile] = []
    for index, scene in enumerate(run.counted):
        for window, counts in zip(scene.counts.tiles, scene.counts.tile_counts, strict=True):
            wrong = counts.copy()
            np.fill_diagonal(wrong, 0)
            if wrong.any():
                row, column = divmod(int(wrong.argmax()), len(names))
                tile = WorstTile(
                    scene=index,
                    window=window,
                    counted=int(counts.sum()),
                    wrong=int(wrong.sum()),
                    reference_class=names[row],
                    map_class=names[column],
                )
                found.append(tile)
    return tuple(sorted(found, key=lambda tile: -tile.wrong)[:num_worst])


def _with_pictures(run: _Run, tiles: tuple[WorstTile, ...]) -> tuple[WorstTile, ...]:
    """Read the listed tiles at full resolution, scene by scene."""
    pictures: dict[int, ScenePicture] = {}
    for scene in sorted({tile.scene for tile in tiles}):
        with open_pair(run.paths[scene], run.options) as pair:
            for place, tile in enumerate(tiles):
                if tile.scene == scene:
                    pictures[place] = tile_picture(
                        tile.window,
                        prediction=pair.prediction,
                        reference=pair.reference,
                        image=pair.image,
                    )
    return tuple(replace(tile, picture=pictures[place]) for place, tile in enumerate(tiles))


def _provenance(paths: tuple[ScenePaths, ...], protocol: Protocol) -> dict[str, str]:
    """What the maps say about how they were made, and whether they are the protocol's scenes."""
    told = [read_provenance(scene.map) for scene in paths]
    names = dict.fromkeys(name for answers in told for name in answers)
    provenance = {
        name: "; ".join(Counter(answers.get(name, "not told") for answers in told))
        for name in names
    }
    if protocol.classes is None:
        return provenance
    # Loads the data package, which the other protocols do without.
    from rsmamba.evaluation.coverage import tile_coverage  # noqa: PLC0415 - see above

    coverage = tile_coverage(protocol.name, [scene.name for scene in paths])
    return provenance if coverage is None else {"test tiles": coverage, **provenance}


def _fitting_tile(total: int, count: CountOptions) -> int:
    """Double the tile until the matrices of all tiles fit the memory for them."""
    tile = count.tile
    while total / tile**2 * count.num_classes**2 * 8 > _TILE_BYTES and tile < 8192:
        tile *= 2
    return min(tile, 8192)


def _num_pixels(path: PathLike) -> int:
    with open_dataset(path) as dataset:
        pixels: int = dataset.height * dataset.width
    return pixels


def _check_choice(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        message = f"{name} is {value!r}; give one of {', '.join(allowed)}"
        raise OptionError(message)
