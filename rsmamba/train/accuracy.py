"""How accurate a model is on the scenes of a configuration: predict them, then evaluate the maps.

Scenes are predicted by the engine of ``rsmamba predict``, labels are read as for training, and the
maps are compared by the engine of ``rsmamba evaluate``; so the numbers are those that the three
commands give one after the other.
"""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rsmamba.data import LabelledScene, ScenePair, Split, find_split, label_options
from rsmamba.errors import OptionError
from rsmamba.evaluation import AccuracyReport, evaluate
from rsmamba.geo.grid import GeoGrid
from rsmamba.geo.kinds import class_map
from rsmamba.geo.painted import strips
from rsmamba.geo.writer import RasterSink
from rsmamba.models.model_file import load_model
from rsmamba.models.scene_model import SceneModel
from rsmamba.prediction.config import PredictConfig
from rsmamba.prediction.engine import predict_scene
from rsmamba.train.config import TrainConfig

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Predicted:
    """Files of one scene: its map, the map's confidence, and its labels as class indices."""

    map: Path
    confidence: Path
    labels: Path


def evaluate_model(
    model: str | Path,
    config: TrainConfig,
    *,
    split: Split = "test",
    protocol: str = "all-classes",
    progress: Progress | None = None,
    **options: Any,  # noqa: ANN401 - those of evaluate
) -> AccuracyReport:
    """Predict the scenes of a split and compare the maps with their labels.

    Tiles and their overlap are those of the configuration's validation, so that whole validation
    scenes have the accuracy that the training saw. Of a share of rows the network sees what lies
    above, as in a map of the scene. Maps and labels are kept in a temporary folder meanwhile, about
    3 bytes a pixel.

    Args:
        model: Model file, or the name of a bundled model.
        config: Run whose data section names the scenes, and whose trainer section the tiles and
            the device.
        split: "train", "validation" or "test".
        protocol: all-classes, geoseg, ssrs or isprs.
        progress: Told finished and total pixels of the comparison.
        **options: Those of ``rsmamba.evaluate`` that say what is counted, not how files are read.

    Returns:
        The report; its scenes name the images and labels of the data.

    Raises:
        OptionError: If the model has other classes than the data, or an option is not possible.
        DataError: If the split has no scene, or labels are not allowed.
        ModelFileError: If the model cannot be read.
        DeviceError: If the device is not there.
    """
    data = config.data
    loaded = load_model(model, config.trainer.device)
    _check_classes(loaded, config)
    pairs = find_split(data, split)
    scenes = [
        LabelledScene(
            pair,
            classes=data.classes,
            label_map=data.label_map,
            bidx=data.bidx,
            labels=label_options(data),
        )
        for pair in pairs
    ]
    whole = all(pair.is_whole for pair in pairs)
    with tempfile.TemporaryDirectory(prefix="rsmamba-") as folder:
        made = [
            _predicted(scene, loaded, config, Path(folder) / str(number))
            for number, scene in enumerate(scenes)
        ]
        own = protocol == "all-classes"
        report = evaluate(
            [files.map for files in made],
            [files.labels for files in made],
            protocol=protocol,
            # Classes of an ISPRS protocol are found by name, in whatever order the data have them.
            classes=data.classes if own else None,
            labels="index" if own else "auto",
            probabilities=[files.confidence for files in made],
            image=[pair.image for pair in pairs] if whole else None,
            progress=progress,
            **options,
        )
    return _told(report, pairs, model=str(model), told=f"{split} split of {data.root}")


def _check_classes(model: SceneModel, config: TrainConfig) -> None:
    """Refuse a model of other classes, whose indices would mean something else."""
    theirs, ours = model.classes.names, config.data.classes.names
    if theirs != ours:
        msg = (
            f"the model has the classes {', '.join(theirs)} and the data {', '.join(ours)}; give a "
            "configuration with the classes of the model, in the same order"
        )
        raise OptionError(msg)


def _predicted(
    scene: LabelledScene, model: SceneModel, config: TrainConfig, folder: Path
) -> _Predicted:
    """Write map, confidence and labels of a scene on one grid."""
    pair = scene.pair
    files = _Predicted(
        map=folder / f"{scene.name}.tif",
        confidence=folder / "confidence.tif",
        labels=folder / "labels.tif",
    )
    folder.mkdir()
    options = PredictConfig(
        tile=config.trainer.validation_tile,
        overlap=config.trainer.validation_overlap,
        bidx=scene.bidx,
        extra_bands=tuple(part.path for part in pair.stacked),
        window=None if pair.is_whole else (0, scene.first_row, scene.width, scene.height),
        # The pixel size is that of the data, whatever their files say of it; as in training.
        ignore_gsd=True,
        confidence=files.confidence,
        format="GTiff",
    )
    done = predict_scene(
        pair.image, files.map, model=model, config=options, device=config.trainer.device
    )
    _write_labels(scene, files.labels, grid=done.grid)
    return files


def _write_labels(scene: LabelledScene, path: Path, *, grid: GeoGrid) -> None:
    """Write the labels of a scene as training sees them."""
    with RasterSink(path, grid=grid, kind=class_map(scene.classes)) as sink:
        for part in strips(height=scene.height, width=scene.width):
            sample = scene.read(row=part.row, col=0, height=part.height, width=part.width)
            labels = sample.labels
            labels[labels == scene.classes.ignore_index] = sink.kind.nodata
            sink.write(labels, row=part.row)
        sink.prepare()
        sink.publish()


def _told(
    report: AccuracyReport, pairs: Sequence[ScenePair], *, model: str, told: str
) -> AccuracyReport:
    """Name the files of the data in the place of those that were temporary."""
    scenes = tuple(
        replace(scene, map=f"{model} on {pair.image}", reference=str(pair.mask))
        for scene, pair in zip(report.scenes, pairs, strict=True)
    )
    return replace(report, scenes=scenes, provenance={"scenes": told, **report.provenance})
