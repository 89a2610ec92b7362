"""What dropping tokens costs in accuracy: a small PlainMamba on the aerial images of Dubai.

For each seed it trains the network of configs/train/plainmamba_dubai.yaml, fine-tunes it with
pruning on (plainmamba_dubai_pruned.yaml), and evaluates on the test tile: dense, pruned without
alignment, with each alignment, and fine-tuned; mIoU over the middle 1024 x 1024 pixels of every
test image, CPU seconds a megapixel and agreement with the dense map. All ways take turns on every
tile of 512 pixels, so that other programs on the machine slow them alike. Trainings continue where
they were stopped, and what is in the JSON file is not done again. One seed takes about five minutes
of one core:
``python benchmarks/pruning_dubai.py --data FOLDER [--seeds 0 1 2] [--set trainer.epochs=1]``.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.accuracy.split import REPOSITORY, scenes_of
from benchmarks.measuring import RESULTS, machine
from rsmamba.config import load_config
from rsmamba.data import LabelledScene, Sample
from rsmamba.metrics import ConfusionMatrix
from rsmamba.models import SceneModel, load_model
from rsmamba.models.pruning.config import PruningConfig
from rsmamba.models.pruning.setting import pruning_of, set_pruning
from rsmamba.ops.gapped_scan import Alignment
from rsmamba.prediction.scoring import TileScorer
from rsmamba.train import TrainConfig, fit

CONFIGS = REPOSITORY / "configs" / "train"
DENSE, PRUNED = CONFIGS / "plainmamba_dubai.yaml", CONFIGS / "plainmamba_dubai_pruned.yaml"
ALIGNMENTS: tuple[Alignment, ...] = get_args(Alignment)
TILE = 512


def trained(config: TrainConfig) -> Path:
    """Train, continue or find a run, and return its last model file."""
    model = config.trainer.run_dir / "last.safetensors"
    done = config.trainer.run_dir / "done"
    if not done.is_file():
        fit(config)
        done.touch()
    return model


def configured(
    path: Path, arguments: argparse.Namespace, *, seed: int, weights: Path | None
) -> Any:  # noqa: ANN401 - a schema
    """Read a configuration for one seed."""
    run_dir = arguments.runs / f"{path.stem}_{seed}"
    changes = [f"trainer.seed={seed}", f"trainer.run_dir={run_dir}", *arguments.set]
    if arguments.data is not None:
        changes.append(f"data.root={arguments.data}")
    if weights is not None:
        changes.append(f"model.weights={weights}")
    if run_dir.exists():
        changes.append("trainer.resume=true")
    return load_config(path, TrainConfig, overrides=changes)


@dataclass(slots=True)
class Tally:
    """What one way to run a model achieved so far."""

    model: SceneModel
    pruning: PruningConfig | None
    matrix: ConfusionMatrix
    seconds: list[float] = field(default_factory=list)
    same: list[float] = field(default_factory=list)

    def classes_of(self, sample: Sample) -> NDArray[np.uint8]:
        """Run the model on a tile, and take the CPU time."""
        set_pruning(self.model, self.pruning)
        scorer = TileScorer(self.model)
        pixels, valid = sample.pixels[None].astype(np.float32), sample.valid[None]
        start = time.process_time()
        scores = scorer.score(pixels, valid)
        self.seconds.append(time.process_time() - start)
        classes: NDArray[np.uint8] = scores[0].argmax(axis=0).astype(np.uint8)
        return classes

    def figures(self, dense: "Tally") -> dict[str, float]:
        """Return mIoU, agreement with the dense map, and speed by the medians over the tiles."""
        ratios = np.divide(dense.seconds, self.seconds)
        return {
            "mean_iou": mean_iou(self.matrix),
            "agreement": float(np.mean(self.same)),
            "cpu_seconds_per_mpx": float(np.median(self.seconds)) / TILE**2 * 1e6,
            "speed_up": float(np.median(ratios)),
        }


def mean_iou(matrix: ConfusionMatrix) -> float:
    """Return the mean intersection over union of the classes that occur."""
    counts = np.asarray(matrix.counts, dtype=np.float64)
    union = counts.sum(axis=0) + counts.sum(axis=1) - np.diag(counts)
    return float((np.diag(counts)[union > 0] / union[union > 0]).mean())


def tiles_of(scenes: Sequence[LabelledScene], *, along: int) -> Iterator[Sample]:
    """Cut ``along`` x ``along`` tiles out of the middle of every scene."""
    for scene in scenes:
        row, col = ((side - along * TILE) // 2 for side in (scene.height, scene.width))
        for number in range(along**2):
            place = {"row": row + number // along * TILE, "col": col + number % along * TILE}
            yield scene.read(**place, height=TILE, width=TILE)


def evaluate_seed(
    dense_file: Path, tuned_file: Path, scenes: Sequence[LabelledScene], *, along: int
) -> dict[str, dict[str, float]]:
    """Evaluate all ways to run the two models of one seed, in turns on every tile."""
    dense, tuned = load_model(dense_file, "cpu"), load_model(tuned_file, "cpu")
    pruning = pruning_of(tuned)
    if not isinstance(pruning, PruningConfig):
        message = f"{tuned_file} was not trained with pruning"
        raise TypeError(message)
    ways: dict[str, tuple[SceneModel, PruningConfig | None]] = {"dense": (dense, None)}
    for alignment in ALIGNMENTS:
        ways[f"pruned, {alignment}"] = dense, replace(pruning, alignment=alignment)
    ways |= {"fine-tuned, dense": (tuned, None), "fine-tuned, pruned": (tuned, pruning)}
    num_classes = dense.num_classes
    tallies = {name: Tally(*way, ConfusionMatrix(num_classes)) for name, way in ways.items()}
    ignored = scenes[0].classes.ignore_index
    for number, sample in enumerate(tiles_of(scenes, along=along)):
        maps = {name: tally.classes_of(sample) for name, tally in tallies.items()}
        if number == 0:
            # The first runs compiled the kernels.
            for name, tally in tallies.items():
                tally.seconds.clear()
                maps[name] = tally.classes_of(sample)
        for name, tally in tallies.items():
            tally.matrix.add(sample.labels, maps[name], ignore_index=ignored)
            tally.same.append(float((maps[name] == maps["dense"]).mean()))
    return {name: tally.figures(tallies["dense"]) for name, tally in tallies.items()}


def summary(seeds: dict[str, dict[str, dict[str, float]]]) -> dict[str, dict[str, list[float]]]:
    """Return mean and standard deviation over the seeds of every figure."""
    first = next(iter(seeds.values()))
    return {
        way: {
            figure: [
                float(np.mean([rows[way][figure] for rows in seeds.values()])),
                float(np.std([rows[way][figure] for rows in seeds.values()])),
            ]
            for figure in figures
        }
        for way, figures in first.items()
    }


def main() -> None:
    """Train and evaluate all seeds, and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="folder of images and masks")
    parser.add_argument("--seeds", type=int, nargs="+", default=(0, 1, 2))
    parser.add_argument("--runs", type=Path, default=REPOSITORY / "runs" / "pruning_dubai")
    parser.add_argument("--set", action="append", default=[], help="change of both configurations")
    parser.add_argument("--along", type=int, default=2, help="tiles along an image's middle")
    parser.add_argument("--json", type=Path, default=RESULTS / "pruning_dubai.json")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    content: dict[str, Any] = {"seeds": {}}
    if arguments.json.is_file():
        content = json.loads(arguments.json.read_text())
    for seed in arguments.seeds:
        if str(seed) in content["seeds"]:
            continue
        config = configured(DENSE, arguments, seed=seed, weights=None)
        dense = trained(config)
        tuned = trained(configured(PRUNED, arguments, seed=seed, weights=dense))
        content["seeds"][str(seed)] = evaluate_seed(
            dense, tuned, scenes_of(config, "test"), along=arguments.along
        )
        content |= {"machine": machine(), "summary": summary(content["seeds"])}
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(content, indent=2) + "\n")
    for way, figures in content["summary"].items():
        text = ", ".join(f"{name} {mean:.4f} +- {std:.4f}" for name, (mean, std) in figures.items())
        print(f"{way:<22} {text}")
    print(f"written: {arguments.json}")


if __name__ == "__main__":
    main()
