"""What dropping tokens costs in accuracy: a small PlainMamba on the aerial images of Dubai.

For each seed it trains the network of configs/train/plainmamba_dubai.yaml, fine-tunes it with
pruning on (plainmamba_dubai_pruned.yaml), and evaluates on the test tile: dense, pruned without
alignment, with each alignment, and fine-tuned; mIoU over the pixels of all test images, CPU
seconds a megapixel and agreement with the dense map. Trainings continue where they were stopped,
and what is in the JSON file is not done again. One seed takes about half an hour of one core:
``python benchmarks/pruning_dubai.py --data FOLDER [--seeds 0 1 2] [--set trainer.epochs=1]``.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.accuracy.split import REPOSITORY, scenes_of
from benchmarks.measuring import RESULTS, machine
from rsmamba.config import load_config
from rsmamba.data import LabelledScene
from rsmamba.metrics import ConfusionMatrix
from rsmamba.models import SceneModel, load_model
from rsmamba.models.pruning.config import PruningConfig
from rsmamba.models.pruning.setting import pruned, pruning_of
from rsmamba.ops.gapped_scan import Alignment
from rsmamba.prediction.scoring import TileScorer
from rsmamba.train import TrainConfig, fit

CONFIGS = REPOSITORY / "configs" / "train"
DENSE, PRUNED = CONFIGS / "plainmamba_dubai.yaml", CONFIGS / "plainmamba_dubai_pruned.yaml"
ALIGNMENTS: tuple[Alignment, ...] = get_args(Alignment)


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


def score_scenes(
    model: SceneModel, scenes: Sequence[LabelledScene], pruning: PruningConfig | None
) -> tuple[dict[str, float], list[Any]]:
    """Evaluate one way to run a model; returns the figures and the class maps."""
    matrix, seconds, pixels, maps = ConfusionMatrix(model.num_classes), 0.0, 0, []
    with pruned(model.eval(), pruning):
        scorer = TileScorer(model)
        for number, scene in enumerate((scenes[0], *scenes)):
            sample = scene.read(row=0, col=0, height=scene.height, width=scene.width)
            start = time.process_time()
            scores = scorer.score(sample.pixels[None].astype(np.float32), sample.valid[None])
            # The first image is scored twice, since the first run compiles kernels.
            if number:
                seconds += time.process_time() - start
                pixels += scene.height * scene.width
                maps.append(scores[0].argmax(axis=0).astype(np.uint8))
                matrix.add(sample.labels, maps[-1], ignore_index=scene.classes.ignore_index)
    figures = {
        "mean_iou": mean_iou(matrix),
        "cpu_seconds_per_mpx": seconds / pixels * 1e6,
    }
    return figures, maps


def mean_iou(matrix: ConfusionMatrix) -> float:
    """Return the mean intersection over union of the classes that occur."""
    counts = np.asarray(matrix.counts, dtype=np.float64)
    union = counts.sum(axis=0) + counts.sum(axis=1) - np.diag(counts)
    return float((np.diag(counts)[union > 0] / union[union > 0]).mean())


def agreement(first: list[Any], second: list[Any]) -> float:
    """Return the share of pixels of the same class."""
    same = sum(int((a == b).sum()) for a, b in zip(first, second, strict=True))
    return same / sum(a.size for a in first)


def evaluate_seed(
    dense_file: Path, pruned_file: Path, scenes: Sequence[LabelledScene]
) -> dict[str, dict[str, float]]:
    """Evaluate all ways to run the two models of one seed."""
    dense, tuned = load_model(dense_file, "cpu"), load_model(pruned_file, "cpu")
    pruning = pruning_of(tuned)
    if not isinstance(pruning, PruningConfig):
        message = f"{pruned_file} was not trained with pruning"
        raise TypeError(message)
    rows: dict[str, dict[str, float]] = {}
    rows["dense"], reference = score_scenes(dense, scenes, None)
    for alignment in ALIGNMENTS:
        rows[f"pruned, {alignment}"], maps = score_scenes(
            dense, scenes, replace(pruning, alignment=alignment)
        )
        rows[f"pruned, {alignment}"]["agreement"] = agreement(maps, reference)
    rows["fine-tuned, pruned"], maps = score_scenes(tuned, scenes, pruning)
    rows["fine-tuned, pruned"]["agreement"] = agreement(maps, reference)
    return rows


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
    parser.add_argument("--images", type=int, help="evaluate the first images only")
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
        scenes = scenes_of(config, "test")[: arguments.images]
        content["seeds"][str(seed)] = evaluate_seed(dense, tuned, scenes)
        content |= {"machine": machine(), "summary": summary(content["seeds"])}
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(content, indent=2) + "\n")
    for way, figures in content["summary"].items():
        text = ", ".join(f"{name} {mean:.4f} +- {std:.4f}" for name, (mean, std) in figures.items())
        print(f"{way:<22} {text}")
    print(f"written: {arguments.json}")


if __name__ == "__main__":
    main()
