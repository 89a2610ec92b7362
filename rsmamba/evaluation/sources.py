"""Opening a map with its reference, image and probabilities on one grid."""

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rsmamba.classes import ClassScheme, Colour
from rsmamba.errors import DataError
from rsmamba.evaluation.counting import ReadScores
from rsmamba.evaluation.grids import check_same_grid, open_on_grid
from rsmamba.evaluation.labels import (
    ColourLabels,
    IndexLabels,
    LabelForm,
    LabelSource,
)
from rsmamba.evaluation.naming import (
    check_palette,
    class_table,
    plain_name,
    raster_classes,
    raster_colours,
)
from rsmamba.evaluation.scenes import PathLike, ScenePaths, reference_is_vector
from rsmamba.geo.grid import GeoGrid
from rsmamba.geo.opening import open_dataset
from rsmamba.geo.painted import UnknownColour
from rsmamba.geo.provenance import provenance_of_tags
from rsmamba.geo.scene import Scene
from rsmamba.geo.vectors import BurntLabels
from rsmamba.geo.window import Window

# Scores that rounding pushed out of 0 to 1 by this little are put back.
_ROUNDING = 1e-4


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOptions:
    """How maps and references are read.

    Attributes:
        classes: Classes to come out, in order.
        ignored_colours: Colours of label pictures that mean no class.
        labels: Class indices, colours, or by the number of bands.
        unknown: What to do with colours that are not in the palette.
        label_map: Class index or ignore index by value of the reference.
        class_field: Attribute of vectors that holds the class.
        warp: Warp references that are on another grid.
        fixed: The protocol fixes the classes.
    """

    classes: ClassScheme
    ignored_colours: tuple[Colour, ...] = ()
    labels: LabelForm = "auto"
    unknown: UnknownColour = "fail"
    label_map: Mapping[int, int] | None = None
    class_field: str = "class"
    warp: bool = False
    fixed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenPair:
    """A map and its reference, open on the map's grid.

    Attributes:
        grid: The grid.
        prediction: The map.
        reference: The reference.
        image: Image to show beside; None if there is none.
        scores: Reads the confidence in the map's class; None if there are no probabilities.
        remarks: How files were read, where that is not plain.
    """

    grid: GeoGrid
    prediction: LabelSource
    reference: LabelSource
    image: Scene | None
    scores: ReadScores | None
    remarks: tuple[str, ...]


@contextmanager
def open_pair(paths: ScenePaths, options: ReadOptions) -> Iterator[OpenPair]:
    """Open the files of one scene.

    Args:
        paths: The files.
        options: How they are read.

    Yields:
        The open scene.

    Raises:
        GridMismatchError: If grids differ and warping was not asked for.
        DataError: If a file does not hold what it should.
        SceneError: If a file cannot be read.
    """
    with ExitStack() as opened:
        expand = _has_palette_to_expand(paths.map, options)
        scene = opened.enter_context(Scene.open(paths.map, num_bands=3 if expand else None))
        prediction = _labels(scene, options, is_map=True)
        reference, remarks = _open_reference(opened, paths, scene.grid, options=options)
        image = scores = None
        if paths.image is not None:
            image = opened.enter_context(
                _beside(paths.image, paths.map, scene.grid, what="an image")
            )
        if paths.probabilities is not None:
            given = opened.enter_context(
                _beside(paths.probabilities, paths.map, scene.grid, what="probabilities")
            )
            scores = _score_reader(given, options.classes)
        yield OpenPair(
            grid=scene.grid,
            prediction=prediction,
            reference=reference,
            image=image,
            scores=scores,
            remarks=remarks,
        )


def read_provenance(path: PathLike) -> dict[str, str]:
    """Read what a map says about how it was made.

    Args:
        path: The map.

    Returns:
        Model, tiling and test-time augmentation by name; empty if it says nothing.
    """
    with open_dataset(path) as dataset:
        tags = provenance_of_tags(dataset.tags())
    if "model" not in tags:
        return {}
    try:
        options = json.loads(tags.get("options", "{}"))
    except ValueError:
        options = {}
    told = {"model": f"{tags['model']} ({tags.get('model_hash', '')[:12]})"}
    if {"tile", "overlap"} <= set(options):
        tiles = f"tiles of {options['tile']} px, overlap {options['overlap']} px"
        told["prediction"] = f"{tiles}, test-time augmentation {options.get('tta', 'none')}"
    return told


def _open_reference(
    opened: ExitStack, paths: ScenePaths, grid: GeoGrid, *, options: ReadOptions
) -> tuple[LabelSource, tuple[str, ...]]:
    """The reference on the map's grid, with remarks."""
    if reference_is_vector(paths):
        labels = BurntLabels.open(
            paths.reference,
            field=options.class_field,
            index_of=lambda value: _index_of(value, options),
            grid=grid,
            ignore_index=options.classes.ignore_index,
        )
        kind = "points, one pixel each" if labels.num_points == labels.num_features else "features"
        name = Path(paths.reference).name
        return labels, (f"{name}: {labels.num_features} {kind}, burnt onto the map's grid",)
    scene, remark = opened.enter_context(
        open_on_grid(
            paths.reference,
            map_path=paths.map,
            map_grid=grid,
            warp=options.warp,
            rgb=_has_palette_to_expand(paths.reference, options),
        )
    )
    return _labels(scene, options, is_map=False), () if remark is None else (remark,)


def _labels(scene: Scene, options: ReadOptions, *, is_map: bool) -> LabelSource:
    """Read a raster by colour where it has three bands, else by index."""
    by_colour = options.labels == "colour"
    if options.labels == "auto":
        by_colour = scene.num_bands == 3 and scene.dtype == "uint8"
    classes = options.classes
    if by_colour:
        return ColourLabels(
            scene,
            classes=classes,
            ignored_colours=options.ignored_colours,
            unknown=options.unknown,
        )
    named = raster_classes(scene.path) if options.labels == "auto" else None
    label_map = {} if is_map else dict(options.label_map or {})
    own = named.names if named else None
    if options.labels == "auto" and named is None and not label_map:
        check_palette(scene.path, classes)
    return IndexLabels(
        scene,
        table=class_table(scene.path, own=own, classes=classes, label_map=label_map),
        advice=_advice(options, is_map=is_map),
        far={value: target for value, target in label_map.items() if not 0 <= value <= 255},
        ignore_index=classes.ignore_index,
    )


def _advice(options: ReadOptions, *, is_map: bool) -> str:
    """What to do about a value that is no class."""
    classes = "take --protocol all-classes" if options.fixed else "name all classes with --classes"
    return f"correct the map, or {classes}" if is_map else f"map it with --label-map, or {classes}"


def _has_palette_to_expand(path: PathLike, options: ReadOptions) -> bool:
    return options.labels == "colour" and bool(raster_colours(path))


def _beside(path: PathLike, map_path: PathLike, grid: GeoGrid, *, what: str) -> Scene:
    """Open an image, or scores as the numbers that they stand for, on the map's grid."""
    scene = Scene.open(path, unscale=what == "probabilities")
    try:
        check_same_grid(map_path, grid, path=path, grid=scene.grid, what=what)
    except ValueError:
        scene.close()
        raise
    return scene


def _index_of(value: object, options: ReadOptions) -> int | None:
    """Class index of an attribute's value: a class name or a whole number."""
    classes = options.classes
    if isinstance(value, str) and not value.strip().lstrip("-").isdigit():
        wanted = plain_name(value)
        return next((i for i, name in enumerate(classes.names) if plain_name(name) == wanted), None)
    try:
        number = int(value)  # type: ignore[call-overload]  # whatever the file holds
        index = (options.label_map or {}).get(number, number)
        exact = float(number) == float(value)  # type: ignore[arg-type]  # it was a number above
    except (TypeError, ValueError, OverflowError):
        return None
    if not exact:
        return None
    return index if 0 <= index < classes.num_classes or index == classes.ignore_index else None


def _score_reader(scene: Scene, classes: ClassScheme) -> ReadScores:
    """Make the reader of the confidence in the map's class."""
    if scene.num_bands not in {1, classes.num_classes}:
        message = (
            f"{scene.path} has {scene.num_bands} bands; probabilities have one for each of the "
            f"{classes.num_classes} classes, confidence has one"
        )
        raise DataError(message)
    if np.dtype(scene.dtype).kind != "f":
        message = (
            f"{scene.path} holds {scene.dtype} without a scale; give scores of 0 to 1 as float32, "
            "or bytes with a scale in the file"
        )
        raise DataError(message)
    bands = _band_of_class(scene, classes)

    def read(window: Window, indices: NDArray[np.uint8]) -> NDArray[np.float32]:
        pixels = scene.read(window)
        chosen = bands[np.minimum(indices, classes.num_classes - 1)]
        values = np.take_along_axis(pixels.values, chosen[None], axis=0)[0].astype(np.float32)
        rounded = np.clip(values, 0, 1)
        values = np.where(np.abs(rounded - values) <= _ROUNDING, rounded, values)
        values[~pixels.valid] = np.nan
        wrong = values[(values < 0) | (values > 1)]
        if wrong.size:
            message = (
                f"{scene.path} holds the score {wrong[0]:g} ({wrong.size} such pixels around row "
                f"{window.row}, col {window.col}); scores are 0 to 1: apply softmax to logits, and "
                "divide percent by 100"
            )
            raise DataError(message)
        return values

    return read


def _band_of_class(scene: Scene, classes: ClassScheme) -> NDArray[np.int64]:
    """Position of each class's band, by name where all bands have one."""
    if scene.num_bands == 1:
        return np.zeros(classes.num_classes, np.int64)
    described = [plain_name(scene.descriptions[number - 1] or "") for number in scene.bidx]
    wanted = [plain_name(name) for name in classes.names]
    if sorted(described) == sorted(wanted):
        return np.array([described.index(name) for name in wanted])
    return np.arange(classes.num_classes)
