"""Outcomes as a table and as JSON."""

import json
import os
import platform
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmarks.accuracy.methods import Outcome
from benchmarks.accuracy.split import SPLITS, TEST_PATTERNS, Split
from rsmamba.data import LabelledScene
from rsmamba.metrics import compute_scores
from rsmamba.train import TrainConfig

_PACKAGES = (
    "rsmamba",
    "torch",
    "numpy",
    "numba",
    "scipy",
    "scikit-learn",
    "segmentation-models-pytorch",
)


def format_table(outcomes: Sequence[Outcome], names: Sequence[str]) -> str:
    """Write one row a method; scores in percent.

    Args:
        outcomes: What was measured.
        names: One name a class.

    Returns:
        A table in Markdown.
    """
    header = [
        "method",
        *(f"IoU {name}" for name in names),
        "mIoU",
        "mF1",
        "OA",
        "parameters",
        "train CPU-s",
        "predict CPU-s/Mpx",
    ]
    rows = [header, *(_cells(outcome) for outcome in outcomes)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
    rows.insert(1, [f"{'-' * (width - 1)}:" for width in widths])
    return "\n".join(
        f"| {' | '.join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))} |"
        for row in rows
    )


def write_results(
    path: Path,
    outcomes: Sequence[Outcome],
    *,
    split: Split,
    scenes: Sequence[LabelledScene],
    config: TrainConfig,
) -> None:
    """Store the outcomes of one split; what the file says of other splits stays.

    Args:
        path: JSON file, made or changed.
        outcomes: What was measured.
        split: Split that was measured.
        scenes: Its scenes.
        config: Training configuration.
    """
    stored = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    data = config.data
    patterns = {"train": data.train, "validation": data.validation, "test": TEST_PATTERNS}
    results = {
        "data": "MBRSC aerial images of Dubai, 72 RGB images",
        "classes": list(data.classes.names),
        "ignored_labels": [v for v, t in data.label_map.items() if t == data.classes.ignore_index],
        "patterns": {name: list(patterns[name]) for name in SPLITS},
        "splits": stored.get("splits", {}),
    }
    results["splits"][split] = {
        "scenes": len(scenes),
        "pixels": sum(scene.height * scene.width for scene in scenes),
        **describe_run(),
        "methods": {outcome.method: describe_outcome(outcome) for outcome in outcomes},
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


def describe_run() -> dict[str, Any]:
    """Return the machine and the versions of what decides the numbers."""
    return {
        "machine": describe_machine(),
        "versions": {name: metadata.version(name) for name in _PACKAGES},
    }


def describe_machine() -> dict[str, Any]:
    """Return the processor, the system and the Python version."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.is_file() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "processor": models[0] if models else platform.processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


def _cells(outcome: Outcome) -> list[str]:
    """One row of the table."""
    scores = compute_scores(outcome.matrix.counts)
    shares = [*scores.iou, scores.mean_iou, scores.mean_f1, scores.overall_accuracy]
    unit = " nodes" if outcome.method == "forest" else ""
    train = outcome.train_cpu_seconds
    return [
        outcome.method,
        *(f"{100 * share:.1f}" for share in shares),
        f"{outcome.parameters:,}{unit}",
        "unknown" if train is None else f"{train:,.0f}",
        f"{outcome.predict_cpu_seconds_per_mpx:.2f}",
    ]


def describe_outcome(outcome: Outcome) -> dict[str, Any]:
    """Return one method's scores and costs as plain values.

    Args:
        outcome: What was measured.

    Returns:
        Values for JSON.
    """
    scores = compute_scores(outcome.matrix.counts)
    return {
        "mean_iou": scores.mean_iou,
        "mean_f1": scores.mean_f1,
        "overall_accuracy": scores.overall_accuracy,
        "kappa": scores.kappa,
        "iou": scores.iou.tolist(),
        "f1": scores.f1.tolist(),
        "parameters": outcome.parameters,
        "train_cpu_seconds": outcome.train_cpu_seconds,
        "predict_cpu_seconds_per_mpx": outcome.predict_cpu_seconds_per_mpx,
        "labelled_pixels": outcome.matrix.total,
        "confusion": outcome.matrix.counts.tolist(),
        "details": dict(outcome.details),
    }
