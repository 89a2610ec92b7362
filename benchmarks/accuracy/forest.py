"""The random forest: sampled pixels, options chosen on the validation split, one file.

The file is a pickle of scikit-learn: read only forests that you trained yourself.
"""

import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import joblib
import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier

from benchmarks.accuracy.features import FEATURES, pixel_features
from benchmarks.accuracy.split import Source, scenes_of
from rsmamba.data import LabelledScene
from rsmamba.metrics import ConfusionMatrix, compute_scores

SEED = 0
TREES = 100
TRAIN_PIXELS = 200_000
# Options are compared with fewer trees on a sample of the validation pixels.
_CHOICE_TREES = 25
_CHOICE_PIXELS = 100_000
_LEAVES = (1, 5, 25)
_WEIGHTS: tuple[Literal["balanced"] | None, ...] = (None, "balanced")
_BLOCK = 200_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ForestFile:
    """A trained forest and how it came about.

    Attributes:
        forest: The forest; its classes are the class indices.
        min_samples_leaf: Smallest leaf, pixels; chosen on the validation split.
        class_weight: Weighting of classes; chosen likewise.
        choices: mIoU of each choice on the sample of validation pixels.
        train_pixels: Pixels trained on.
        cpu_seconds: CPU time of sampling, choosing and training.
    """

    forest: RandomForestClassifier
    min_samples_leaf: int
    class_weight: str | None
    choices: dict[str, float]
    train_pixels: int
    cpu_seconds: float

    def describe(self) -> dict[str, Any]:
        """Return everything but the forest as plain values.

        Returns:
            A dictionary that JSON can hold.
        """
        values = {name: getattr(self, name) for name in self.__slots__ if name != "forest"}
        return {
            **values,
            "seed": SEED,
            "trees": len(self.forest.estimators_),
            "nodes": count_nodes(self.forest),
            "features": list(FEATURES),
        }


def train_forest(source: Source, path: Path) -> ForestFile:
    """Sample, choose options, train and write a forest.

    Args:
        source: Configuration and data.
        path: File to write.

    Returns:
        What was written.
    """
    started = time.process_time()
    config = source.load()
    features, labels = sample_pixels(scenes_of(config, "train"), TRAIN_PIXELS)
    validation = sample_pixels(scenes_of(config, "validation"), _CHOICE_PIXELS)
    choices = {}
    for leaf, weight in itertools.product(_LEAVES, _WEIGHTS):
        forest = _make_forest(_CHOICE_TREES, leaf=leaf, weight=weight).fit(features, labels)
        matrix = ConfusionMatrix(config.data.classes.num_classes)
        matrix.add(validation[1], predict_pixels(forest, validation[0]))
        choices[leaf, weight] = compute_scores(matrix.counts).mean_iou
        print(f"min_samples_leaf {leaf}, class_weight {weight}: mIoU {choices[leaf, weight]:.4f}")
    leaf, weight = max(choices, key=lambda choice: choices[choice])
    written = ForestFile(
        forest=_make_forest(TREES, leaf=leaf, weight=weight).fit(features, labels),
        min_samples_leaf=leaf,
        class_weight=weight,
        choices={f"leaf {leaf}, weight {weight}": iou for (leaf, weight), iou in choices.items()},
        train_pixels=len(labels),
        cpu_seconds=time.process_time() - started,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    joblib.dump(written, path, compress=3)
    return written


def read_forest(path: Path) -> ForestFile:
    """Read what `train_forest` wrote; a pickle, so read only files that you made.

    Args:
        path: File to read.

    Returns:
        The forest and how it came about.
    """
    file: ForestFile = joblib.load(path)
    return file


def sample_pixels(
    scenes: Sequence[LabelledScene], pixels: int
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Draw labelled pixels, as many of each scene.

    Args:
        scenes: Scenes to draw from.
        pixels: Pixels in all; a scene with fewer labelled ones than its share gives all it has.

    Returns:
        Features (pixels, features) and class indices (pixels,).
    """
    rng = np.random.default_rng(SEED)
    features, labels = [], []
    for scene in scenes:
        sample = scene.read(row=0, col=0, height=scene.height, width=scene.width)
        flat = sample.labels.ravel()
        labelled = np.flatnonzero(flat != scene.classes.ignore_index)
        share = min(pixels // len(scenes), len(labelled))
        chosen = np.sort(rng.choice(labelled, share, replace=False))
        features.append(pixel_features(sample.pixels)[chosen])
        labels.append(flat[chosen])
    return np.concatenate(features), np.concatenate(labels)


def predict_pixels(
    forest: RandomForestClassifier, features: NDArray[np.float32]
) -> NDArray[np.uint8]:
    """Predict class indices (pixels,) of features (pixels, features), block by block."""
    blocks = [forest.predict(features[block]) for block in _blocks(len(features))]
    return np.concatenate(blocks).astype(np.uint8)


def count_forest(
    forest: RandomForestClassifier, scenes: Sequence[LabelledScene]
) -> ConfusionMatrix:
    """Predict whole scenes and count every labelled pixel once.

    Args:
        forest: Trained forest.
        scenes: Scenes with labels of the same classes.

    Returns:
        The confusion matrix over all scenes.
    """
    matrix = ConfusionMatrix(scenes[0].classes.num_classes)
    for scene in scenes:
        sample = scene.read(row=0, col=0, height=scene.height, width=scene.width)
        classes = predict_pixels(forest, pixel_features(sample.pixels))
        matrix.add(sample.labels.ravel(), classes, ignore_index=scene.classes.ignore_index)
    return matrix


def count_nodes(forest: RandomForestClassifier) -> int:
    """Count the nodes of all trees."""
    return sum(int(tree.tree_.node_count) for tree in forest.estimators_)


def _make_forest(trees: int, *, leaf: int, weight: str | None) -> RandomForestClassifier:
    """Make an untrained forest that uses one core."""
    return RandomForestClassifier(
        trees, min_samples_leaf=leaf, class_weight=weight, random_state=SEED, n_jobs=1
    )


def _blocks(length: int) -> Iterator[slice]:
    """Divide a length so that the trees' scores of a block stay small."""
    return (slice(start, start + _BLOCK) for start in range(0, length, _BLOCK))
