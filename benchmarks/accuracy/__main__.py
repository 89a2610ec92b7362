"""Train the rivals and report all methods; run from the root of the repository.

`python -m benchmarks.accuracy train-forest --data FOLDER` and `train-unet --data FOLDER` train the
rivals, `report --data FOLDER` compares. `compare --data FOLDER` trains several networks from
several seeds with one budget; it continues runs that were begun. The test tile is read with
`--split test` alone.
"""

import argparse
import logging
from pathlib import Path

from benchmarks.accuracy.split import CONFIG, REPOSITORY, Source, scenes_of
from rsmamba.errors import ModelFileError, RsmambaError

RUNS = REPOSITORY / "runs" / "accuracy"
FOREST = RUNS / "forest.joblib"
UNET = RUNS / "unet" / "best.safetensors"
RESULTS = REPOSITORY / "benchmarks" / "results" / "accuracy_dubai.json"
COMPARISON = REPOSITORY / "benchmarks" / "results" / "comparison_dubai.json"


def main() -> None:
    """Run the chosen subcommand."""
    arguments = _parser().parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    source = Source(config=arguments.config, root=arguments.data)
    try:
        arguments.run(arguments, source)
    except RsmambaError as error:
        raise SystemExit(str(error)) from error


def _parser() -> argparse.ArgumentParser:
    """Make the command line."""
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--data", type=Path, help="folder of images and masks; data.root if absent")
    shared.add_argument("--config", type=Path, default=CONFIG, help="training configuration")
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    forest = commands.add_parser("train-forest", parents=[shared], help="train the random forest")
    forest.add_argument("--out", type=Path, default=FOREST, help="forest file to write")
    forest.set_defaults(run=_train_forest)

    unet = commands.add_parser("train-unet", parents=[shared], help="train the U-Net")
    unet.add_argument("--run-dir", type=Path, default=UNET.parent, help="folder of the run")
    _add_changes(unet)
    unet.set_defaults(run=_train_unet)

    report = commands.add_parser("report", parents=[shared], help="compare the methods")
    report.add_argument("--model", default="default", help="model file, or bundled model")
    report.add_argument("--history", type=Path, help="history.csv of the model's training run")
    report.add_argument("--unet", type=Path, default=UNET, help="model file of train-unet")
    report.add_argument("--forest", type=Path, default=FOREST, help="file of train-forest")
    report.add_argument("--split", choices=("validation", "test"), default="validation")
    report.add_argument(
        "--methods",
        nargs="+",
        choices=("rsmamba", "forest", "unet"),
        default=("rsmamba", "forest", "unet"),
    )
    report.add_argument("--json", type=Path, default=RESULTS, help="results to write")
    report.set_defaults(run=_report)
    _add_compare(commands.add_parser("compare", parents=[shared], help="networks and seeds"))
    return parser


def _add_compare(compare: argparse.ArgumentParser) -> None:
    """Add the options of the comparison of several networks."""
    from benchmarks.accuracy.contenders import CONTENDERS

    compare.add_argument("--networks", nargs="+", choices=CONTENDERS, default=list(CONTENDERS))
    compare.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    compare.add_argument("--runs", type=Path, default=RUNS / "compare", help="folder of all runs")
    _add_changes(compare)
    compare.add_argument("--split", choices=("validation", "test"), default="validation")
    compare.add_argument("--json", type=Path, default=COMPARISON, help="results to write")
    compare.set_defaults(run=_compare)


def _add_changes(command: argparse.ArgumentParser) -> None:
    """Let a command change values of the training configuration."""
    command.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", dest="changes")


def _train_forest(arguments: argparse.Namespace, source: Source) -> None:
    """Train the forest and say what was chosen."""
    from benchmarks.accuracy.forest import train_forest

    written = train_forest(source, arguments.out)
    print(
        f"{arguments.out}: min_samples_leaf {written.min_samples_leaf}, class_weight "
        f"{written.class_weight}, {written.train_pixels} pixels, {written.cpu_seconds:.0f} CPU-s"
    )


def _train_unet(arguments: argparse.Namespace, source: Source) -> None:
    """Train the U-Net and name its best epoch."""
    from benchmarks.accuracy.contenders import UNET as NAME
    from benchmarks.accuracy.contenders import train_contender

    result = train_contender(
        NAME, source, run_dir=arguments.run_dir, seed=0, changes=arguments.changes
    )
    print(f"{result.best_model}: epoch {result.best.epoch}, mIoU {result.best.mean_iou:.4f}")


def _report(arguments: argparse.Namespace, source: Source) -> None:
    """Measure the methods on one split, print the table and write the results."""
    import torch

    from benchmarks.accuracy.methods import measure_forest, measure_network
    from benchmarks.accuracy.report import format_table, write_results

    _check_files(arguments)
    torch.set_num_threads(1)
    config = source.load()
    scenes = scenes_of(config, arguments.split)
    outcomes = []
    for method in arguments.methods:
        print(f"measuring {method} on {len(scenes)} {arguments.split} scenes", flush=True)
        if method == "forest":
            outcome = measure_forest(arguments.forest, scenes)
        else:
            outcome = measure_network(
                method,
                str(arguments.unet if method == "unet" else arguments.model),
                scenes=scenes,
                config=config,
                history=arguments.history if method == "rsmamba" else None,
            )
        outcomes.append(outcome)
        # After each method, so that a failure of a later one loses nothing.
        write_results(arguments.json, outcomes, split=arguments.split, scenes=scenes, config=config)
    print(format_table(outcomes, config.data.classes.names))
    print(f"written: {arguments.json}")


def _compare(arguments: argparse.Namespace, source: Source) -> None:
    """Train what is missing, measure all runs on one split, print the table and write it."""
    import torch

    from benchmarks.accuracy.comparison import Comparison, comparison_table, write_comparison

    comparison = Comparison(
        names=arguments.networks,
        seeds=arguments.seeds,
        runs=arguments.runs,
        changes=arguments.changes,
    )
    comparison.train(source)
    torch.set_num_threads(1)
    outcomes = comparison.measure(source, arguments.split)
    write_comparison(
        arguments.json, outcomes, comparison=comparison, source=source, split=arguments.split
    )
    print(comparison_table(outcomes))
    print(f"written: {arguments.json}")


def _check_files(arguments: argparse.Namespace) -> None:
    """Refuse to start where a model is missing, before the split is read."""
    from rsmamba.models import load_model

    if "rsmamba" in arguments.methods:
        load_model(arguments.model, device="cpu")
    for method, path in (("forest", arguments.forest), ("unet", arguments.unet)):
        if method in arguments.methods and not path.is_file():
            msg = (
                f"no file at {path}; run train-{method} first, give --{method}, "
                "or leave it out with --methods"
            )
            raise ModelFileError(msg)


if __name__ == "__main__":
    main()
