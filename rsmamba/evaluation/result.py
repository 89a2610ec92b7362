"""AccuracyReport: everything that an evaluation found, with what exactly was counted."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, is_dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsmamba.classes import ClassScheme
from rsmamba.evaluation.counting import PixelTally
from rsmamba.evaluation.pictures import ScenePicture
from rsmamba.evaluation.protocols import Protocol
from rsmamba.geo.window import Window
from rsmamba.metrics import AreaEstimates, Calibration, Intervals, Scores


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvePoint:
    """Scores after erosion by one radius.

    Attributes:
        radius: Boundary radius, pixels.
        pixels: Pixels that are left.
        overall_accuracy: OA of these.
        mean_f1: mF1 of these.
        mean_iou: mIoU of these.
    """

    radius: int
    pixels: int
    overall_accuracy: float
    mean_f1: float
    mean_iou: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneAccuracy:
    """One scene of the evaluation.

    Attributes:
        name: Name of the map without folder and ending.
        map: The map.
        reference: The reference.
        grid: Size, CRS and pixel size in words.
        height: Rows.
        width: Columns.
        tally: Where its pixels went.
        scores: Its scores.
        remarks: How files were read, where that is not plain.
    """

    name: str
    map: str
    reference: str
    grid: str
    height: int
    width: int
    tally: PixelTally
    scores: Scores
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WorstTile:
    """A tile with many wrong pixels.

    Attributes:
        scene: Position of its scene in the report.
        window: The tile, in pixels of the scene.
        counted: Pixels that were scored.
        wrong: Wrong ones of these.
        reference_class: Class of the reference in the most frequent confusion.
        map_class: Class of the map in it.
        picture: The tile at full resolution; None without pictures.
    """

    scene: int
    window: Window
    counted: int
    wrong: int
    reference_class: str
    map_class: str
    picture: ScenePicture | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassAreas:
    """Area-adjusted accuracy, or why there is none.

    Attributes:
        note: What the estimates rest on, or why there are none.
        unit: Unit of the areas, ``"ha"`` or ``"px"``.
        estimates: The estimates; None if there are none.
    """

    note: str
    unit: str = "px"
    estimates: AreaEstimates | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccuracyReport:
    """How accurate maps are.

    Attributes:
        version: Version of rsmamba.
        protocol: What was counted, by name.
        radius: Boundary radius of the scores, pixels; 0 is the full reference.
        classes: Classes in the order of the matrix.
        counts: Confusion matrix (n, n), rows reference, columns map.
        scores: Scores of the matrix.
        intervals: 95 % block-bootstrap intervals; None if there is one tile only.
        tally: Where the pixels of all scenes went.
        curve: Scores by boundary radius, from 0.
        areas: Area-adjusted accuracy and class areas.
        calibration: Reliability of the probabilities; None if none were given.
        scenes: The scenes.
        worst_tiles: Tiles with the most wrong pixels, worst first.
        tile: Side of the tiles that were resampled, pixels.
        provenance: Model and prediction options of the maps as far as they say, by name.
        pictures: A picture of each scene; empty if none were asked for.
    """

    version: str
    protocol: Protocol
    radius: int
    classes: ClassScheme
    counts: NDArray[np.int64]
    scores: Scores
    intervals: Intervals | None
    tally: PixelTally
    curve: tuple[CurvePoint, ...]
    areas: ClassAreas
    calibration: Calibration | None
    scenes: tuple[SceneAccuracy, ...]
    worst_tiles: tuple[WorstTile, ...]
    tile: int
    provenance: Mapping[str, str]
    pictures: tuple[ScenePicture, ...] = ()

    @property
    def overall_accuracy(self) -> float:
        """Share of counted pixels whose class is right."""
        return self.scores.overall_accuracy

    @property
    def mean_iou(self) -> float:
        """Mean IoU over the classes that the protocol takes means over."""
        return self.scores.mean_iou

    @property
    def mean_f1(self) -> float:
        """Mean F1 over the same classes."""
        return self.scores.mean_f1

    @property
    def kappa(self) -> float:
        """Cohen's kappa."""
        return self.scores.kappa

    def stamp(self) -> dict[str, str]:
        """Say what was counted, so that two numbers can be compared.

        Returns:
            Texts by name.
        """
        names = self.classes.names
        kept = self.protocol.mean_classes
        left_out = [name for index, name in enumerate(names) if kept and index not in kept]
        reference = "full reference"
        if self.radius:
            reference = f"eroded reference: discs of {self.radius} px around class borders left out"
        tally = self.tally
        pixels = (
            f"scored {tally.counted:,} px once each; left out {tally.unlabelled:,} unlabelled, "
            f"{tally.eroded:,} boundary, {tally.unmapped:,} without a class in the map, 0 padding"
        )
        shown = ", ".join(scene.name for scene in self.scenes[:20])
        number = "1 whole scene" if len(self.scenes) == 1 else f"{len(self.scenes)} whole scenes"
        more = f" and {len(self.scenes) - 20} more" if len(self.scenes) > 20 else ""
        stamp = {
            "protocol": f"{self.protocol.name}: {self.protocol.title}",
            "classes": ", ".join(names),
            "means": f"over all but {', '.join(left_out)}, which count in overall accuracy"
            if left_out
            else "over all classes that occur",
            "reference": reference,
            "pixels": pixels,
            "scenes": f"{number}: {shown}{more}",
        }
        return stamp | dict(self.provenance)

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the pictures as plain values.

        Returns:
            Values that JSON takes; None stands for numbers that do not exist.
        """
        names = self.classes.names
        values: dict[str, Any] = {
            "version": self.version,
            "stamp": self.stamp(),
            "protocol": self.protocol.name,
            "boundary_radius": self.radius,
            "classes": self.classes.to_dict(),
            "confusion_matrix": self.counts,
            "overall_accuracy": self.scores.overall_accuracy,
            "kappa": self.scores.kappa,
            "mean_f1": self.scores.mean_f1,
            "mean_iou": self.scores.mean_iou,
            "per_class": {name: self.class_scores(index) for index, name in enumerate(names)},
            "pixels": asdict(self.tally) | {"total": self.tally.total},
            "intervals": self.intervals,
            "curve": self.curve,
            "areas": self.areas,
            "calibration": self.calibration,
            "scenes": self.scenes,
            "worst_tiles": [_tile_values(tile) for tile in self.worst_tiles],
            "tile": self.tile,
        }
        plain: dict[str, Any] = json.loads(json.dumps(values, default=_plain), parse_constant=_none)
        return plain

    def class_scores(self, index: int) -> dict[str, float | int | bool]:
        """Return the scores of one class.

        Args:
            index: Class index.

        Returns:
            Scores and numbers of pixels by name.
        """
        scores = self.scores
        return {
            "precision": float(scores.precision[index]),
            "recall": float(scores.recall[index]),
            "f1": float(scores.f1[index]),
            "iou": float(scores.iou[index]),
            "reference_pixels": int(self.counts[index].sum()),
            "map_pixels": int(self.counts[:, index].sum()),
            "in_means": self.protocol.mean_classes is None or index in self.protocol.mean_classes,
            "present": bool(scores.present[index]),
        }


def _tile_values(tile: WorstTile) -> dict[str, Any]:
    return {name: getattr(tile, name) for name in WorstTile.__slots__ if name != "picture"}


def _plain(value: object) -> Any:  # noqa: ANN401 - what JSON takes
    """Turn arrays and dataclasses into lists and dictionaries."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if is_dataclass(value) and not isinstance(value, type):
        return {name: getattr(value, name) for name in value.__dataclass_fields__}
    return str(value)


# JSON has no NaN; an interval of a class that no resample holds does not exist.
def _none(_: str) -> None:
    return None
