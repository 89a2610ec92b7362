"""Whole-scene validation: every labelled pixel of every scene counted exactly once.

Scenes are predicted by the engine of ``rsmamba predict``, so that validation tells what its maps
are worth.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from rsmamba.data import LabelledScene
from rsmamba.geo.scene import Pixels
from rsmamba.geo.window import Window
from rsmamba.metrics import ConfusionMatrix
from rsmamba.models.scene_model import SceneModel
from rsmamba.prediction.class_rows import class_rows
from rsmamba.prediction.config import PredictConfig
from rsmamba.prediction.scoring import device_of, ready_to_predict
from rsmamba.train.pictures import ScenePicture


@dataclass(frozen=True, slots=True)
class _PixelsOf:
    """A labelled scene as the engine reads it, without its labels."""

    scene: LabelledScene

    @property
    def num_bands(self) -> int:
        """Bands that a read returns."""
        return self.scene.num_bands

    @property
    def dtype(self) -> str:
        """Type that a read returns."""
        return str(self.scene.dtype)

    def read(self, window: Window) -> Pixels:
        """Read a window."""
        sample = self.scene.read(
            row=window.row, col=window.col, height=window.height, width=window.width
        )
        return Pixels(values=sample.pixels, valid=sample.valid)


def validate(
    model: SceneModel,
    scenes: Sequence[LabelledScene],
    *,
    tile: int = 512,
    overlap: int = 64,
    pictures: Sequence[ScenePicture] = (),
) -> ConfusionMatrix:
    """Predict whole scenes and count predicted against reference classes.

    Args:
        model: The model; its mode (train or eval) is restored afterwards.
        scenes: Scenes with labels of the same classes.
        tile: Side of a tile, pixels.
        overlap: Pixels shared by neighbouring tiles.
        pictures: Pictures of the first scenes, to be filled with what is predicted.

    Returns:
        The confusion matrix over all labelled pixels of all scenes.
    """
    matrix = ConfusionMatrix(model.num_classes)
    config = PredictConfig(tile=tile, overlap=overlap)
    with ready_to_predict(model, device_of(model)):
        for index, scene in enumerate(scenes):
            rows = class_rows(
                _PixelsOf(scene), model, height=scene.height, width=scene.width, config=config
            )
            for part in rows:
                sample = scene.read(
                    row=part.row, col=0, height=len(part.classes), width=scene.width
                )
                matrix.add(sample.labels, part.classes, ignore_index=scene.classes.ignore_index)
                if index < len(pictures):
                    pictures[index].add(part, sample)
    return matrix
