"""Several networks, each trained from several seeds with one budget, and their mean and spread."""

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.accuracy.contenders import read_contender, train_contender
from benchmarks.accuracy.methods import Outcome, measure_model
from benchmarks.accuracy.report import describe_outcome, describe_run
from benchmarks.accuracy.split import Source, Split, scenes_of
from rsmamba.metrics import ConfusionMatrix, compute_scores


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Which networks are compared, and how.

    Attributes:
        names: Networks.
        seeds: Seeds of each.
        runs: Folder with one folder a run.
        changes: Changes to the training configuration that all share, such as "trainer.epochs=8".
    """

    names: Sequence[str]
    seeds: Sequence[int]
    runs: Path
    changes: Sequence[str] = ()

    def run_dir(self, name: str, seed: int) -> Path:
        """Folder of one run."""
        return self.runs / f"{name.replace('+', '_')}_seed{seed}"

    def train(self, source: Source) -> None:
        """Train what is not trained yet, seed by seed so that any stop leaves whole rounds.

        Args:
            source: Configuration and data.
        """
        for seed in self.seeds:
            for name in self.names:
                result = train_contender(
                    name,
                    source,
                    run_dir=self.run_dir(name, seed),
                    seed=seed,
                    changes=self.changes,
                )
                last = result.records[-1]
                print(
                    f"{name} seed {seed}: loss {last.loss:.4f} after {last.epoch} epochs, "
                    f"{last.cpu_seconds:.0f} CPU-s",
                    flush=True,
                )

    def measure(self, source: Source, split: Split) -> dict[str, list[Outcome]]:
        """Predict whole scenes with the last epoch of every run that was not measured yet.

        Not the best epoch: on the one validation tile, epochs of short runs differ by less than its
        noise, and the best is often one of the middle of the schedule.

        Args:
            source: Configuration and data.
            split: Which scenes.

        Returns:
            An outcome a seed, by network.
        """
        scenes = scenes_of(source.load(*self.changes), split)

        def outcome_of(name: str, seed: int) -> Outcome:
            config = source.load(*self.changes, f"trainer.seed={seed}")
            run_dir = self.run_dir(name, seed)
            model = read_contender(name, run_dir / "last.safetensors", config)
            stored = run_dir / f"measured_{split}.json"
            known = _stored_outcome(stored, model.fingerprint(), method=name)
            if known is not None:
                return known
            history = run_dir / "history.csv"
            outcome = measure_model(
                model, scenes=scenes, config=config, history=history, method=name
            )
            stored.write_text(json.dumps(describe_outcome(outcome)), encoding="utf-8")
            return outcome

        return {name: [outcome_of(name, seed) for seed in self.seeds] for name in self.names}


def _stored_outcome(path: Path, fingerprint: str, *, method: str) -> Outcome | None:
    """Read what an earlier call measured, if it was of the same weights."""
    if not path.is_file():
        return None
    stored = json.loads(path.read_text(encoding="utf-8"))
    if stored["details"]["fingerprint"] != fingerprint:
        return None
    matrix = ConfusionMatrix(len(stored["confusion"]))
    matrix.counts += np.array(stored["confusion"])
    return Outcome(
        method=method,
        matrix=matrix,
        parameters=stored["parameters"],
        train_cpu_seconds=stored["train_cpu_seconds"],
        predict_cpu_seconds_per_mpx=stored["predict_cpu_seconds_per_mpx"],
        details=stored["details"],
    )


def comparison_table(outcomes: Mapping[str, Sequence[Outcome]]) -> str:
    """Write one row a network: mean and spread over the seeds, in percent.

    Args:
        outcomes: An outcome a seed, by network.

    Returns:
        A table in Markdown.
    """
    rows = [
        "| network | parameters | mIoU | lowest to highest | OA | training CPU-s | CPU-s a Mpx |",
        "| --- |" + " ---: |" * 6,
    ]
    for name, runs in outcomes.items():
        scores = [compute_scores(run.matrix.counts) for run in runs]
        ious = [100 * score.mean_iou for score in scores]
        accuracy = statistics.fmean(100 * score.overall_accuracy for score in scores)
        training = statistics.fmean(run.train_cpu_seconds or 0.0 for run in runs)
        prediction = statistics.fmean(run.predict_cpu_seconds_per_mpx for run in runs)
        rows.append(
            f"| {name} | {runs[0].parameters:,} | {statistics.fmean(ious):.1f} | "
            f"{min(ious):.1f} to {max(ious):.1f} | {accuracy:.1f} | {training:,.0f} | "
            f"{prediction:.2f} |"
        )
    return "\n".join(rows)


def write_comparison(
    path: Path,
    outcomes: Mapping[str, Sequence[Outcome]],
    *,
    comparison: Comparison,
    source: Source,
    split: Split,
) -> None:
    """Store the outcomes of one split; what the file says of other splits stays.

    Args:
        path: JSON file, made or changed.
        outcomes: An outcome a seed, by network.
        comparison: What was compared.
        source: Configuration and data.
        split: Split that was measured.
    """
    config = source.load(*comparison.changes)
    stored = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    results: dict[str, Any] = {
        "budget": {
            "epochs": config.trainer.epochs,
            "chips_per_epoch": config.data.chips_per_epoch,
            "batch_size": config.trainer.batch_size,
            "chip": config.data.chip,
        },
        "seeds": list(comparison.seeds),
        "changes": list(comparison.changes),
        "splits": stored.get("splits", {}),
    }
    results["splits"][split] = describe_run() | {
        "networks": {
            name: [describe_outcome(run) for run in runs] for name, runs in outcomes.items()
        }
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
