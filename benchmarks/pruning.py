"""What dropping tokens saves: PlainMamba-L3 and ViM-Small dense and pruned, in turns in one run.

Prints a table and writes results/pruning.json: CPU seconds and wall time (least of several turns),
the speed-up (median of the ratios of neighbouring turns, which load from other programs disturbs
least), multiply-adds by the paper's rule, what choosing the tokens and making the tables of the
rest costs, and the same network with the other alignments. One thread, float32, random weights.
Run it from anywhere: ``python benchmarks/pruning.py [--turns N] [--shapes 224x4 ...]``.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.measuring import best_cpu_seconds, machine, save
from rsmamba.models import create_classifier
from rsmamba.models.encoders.plainmamba.kept import keep_of_grid
from rsmamba.models.encoders.plainmamba.snake import snake_grid
from rsmamba.models.encoders.vim.gaps import gaps_of
from rsmamba.models.pruning.config import PruningConfig
from rsmamba.models.pruning.schedule import tokens_entering
from rsmamba.models.pruning.tokens import KeptTokens, prune
from rsmamba.models.zoo import encoder_config, find_encoder
from rsmamba.ops.gapped_scan import Alignment

# Network, pruning of the paper and the speed-up that is asked for.
SCHEDULES = {
    "plainmamba_l3": (PruningConfig(layers=(8, 18, 28), ratio=0.6), 1.5),
    "vim_small": (PruningConfig(layers=(5, 10, 15), ratio=0.8), 1.3),
}
# Side of the image and images at once: one tile, and the batch that classifiers are timed with.
SHAPES = ("224x1", "224x4", "512x1")
PATCH = 16


def runner(network: nn.Module, image: Tensor, pruning: PruningConfig | None) -> Callable[[], None]:
    """Return a function that classifies one image, dense or pruned."""
    backbone: Any = network.backbone

    def run() -> None:
        backbone.pruning = pruning
        with torch.inference_mode():
            network(image)

    return run


def paper_flops(name: str, pruning: PruningConfig | None, *, side: int) -> float:
    """Count the multiply-adds of a classifier by the rule of its paper."""
    family, _ = find_encoder(name)
    config = encoder_config(name, {})
    tokens = None
    if pruning is not None:
        tokens = tokens_entering(
            pruning,
            depth=getattr(config, "depth", 0) or config.num_layers,
            patches=(side // PATCH) ** 2,
            class_tokens=int(name.startswith("vim")),
        )
    return family.paper_flops(config, height=side, width=side, num_classes=1000, tokens=tokens)


def pruning_steps(name: str, *, side: int, turns: int) -> dict[str, float]:
    """Time what every pruning step does beside the blocks, all steps of one image together."""
    pruning, _ = SCHEDULES[name]
    config = encoder_config(name, {})
    classes = int(name.startswith("vim"))
    cells = (side // PATCH) ** 2
    always = (cells // 2,) if classes else ()
    tokens = torch.randn(1, cells + classes, getattr(config, "embed_dims", 0) or config.embed_dim)
    outputs = torch.randn(1, cells + classes, config.inner)
    grid = snake_grid(side // PATCH, side // PATCH, device=tokens.device)

    def tables(kept: KeptTokens) -> None:
        if classes:
            gaps_of(kept, alignment=pruning.alignment)
        else:
            keep_of_grid(grid, kept, kernel=config.conv_size, alignment=pruning.alignment)

    spent: dict[str, float] = {}
    kept, states = None, [tokens] * (1 + classes)  # ViM gathers the residual too
    for _ in pruning.layers:
        selection = prune(outputs, kept, config=pruning, always=always)
        if selection is None:
            break
        seconds = best_cpu_seconds(
            {
                "select": lambda: prune(outputs, kept, config=pruning, always=always),  # noqa: B023 - called at once
                "gather": lambda: [selection.among.of(state) for state in states],  # noqa: B023
                "tables": lambda: tables(selection.kept),  # noqa: B023
            },
            turns=5 * turns,
        )
        spent = {part: spent.get(part, 0) + value for part, value in seconds.items()}
        kept = selection.kept
        outputs, *states = (selection.among.of(tensor) for tensor in (outputs, *states))
    return spent


def timed(runs: dict[str, Callable[[], None]], *, turns: int) -> dict[str, dict[str, list[float]]]:
    """Call all in turns, and return CPU seconds and wall time of every call after the first."""
    spent = {name: {"cpu": list[float](), "wall": list[float]()} for name in runs}
    for turn in range(turns + 1):
        for name, run in runs.items():
            wall, cpu = time.perf_counter(), time.process_time()
            run()
            if turn:
                spent[name]["cpu"].append(time.process_time() - cpu)
                spent[name]["wall"].append(time.perf_counter() - wall)
    return spent


def speed_up(dense: list[float], pruned: list[float]) -> float:
    """Return the median of the ratios of neighbouring calls."""
    return statistics.median(a / b for a, b in zip(dense, pruned, strict=True))


def measured(name: str, *, side: int, batch: int, turns: int) -> dict[str, Any]:
    """Measure one network on images of one size."""
    pruning, wanted = SCHEDULES[name]
    network = create_classifier(name).eval()
    image = torch.randn(batch, 3, side, side)
    variants: dict[str, PruningConfig | None] = {"dense": None, "zero_input": pruning}
    spent = timed(
        {key: runner(network, image, value) for key, value in variants.items()}, turns=turns
    )
    others = {
        alignment: replace(pruning, alignment=alignment)
        for alignment in get_args(Alignment)
        if alignment != "zero_input"
    }
    seconds = best_cpu_seconds(
        {key: runner(network, image, value) for key, value in others.items()},
        turns=max(2, turns // 4),
        slow_seconds=60,
    )
    flops = {key: paper_flops(name, value, side=side) for key, value in variants.items()}
    return {
        "side": side,
        "batch": batch,
        "layers": list(pruning.layers),
        "ratio": pruning.ratio,
        "gflops_dense": flops["dense"] / 1e9,
        "gflops_pruned": flops["zero_input"] / 1e9,
        "flops_saved": 1 - flops["zero_input"] / flops["dense"],
        "cpu_seconds": {key: min(times["cpu"]) for key, times in spent.items()} | seconds,
        "wall_seconds": {key: min(times["wall"]) for key, times in spent.items()},
        "speed_up": speed_up(spent["dense"]["cpu"], spent["zero_input"]["cpu"]),
        "speed_up_wall": speed_up(spent["dense"]["wall"], spent["zero_input"]["wall"]),
        "speed_up_wanted": wanted,
        "step_seconds": pruning_steps(name, side=side, turns=turns),
    }


def print_row(name: str, row: dict[str, Any]) -> None:
    """Print one line for a network and a size."""
    cpu, steps = row["cpu_seconds"], row["step_seconds"]
    print(
        f"{name:<15}{row['side']:>5}x{row['batch']}{row['gflops_dense']:>8.2f}{row['gflops_pruned']:>8.2f}"
        f"{row['flops_saved']:>8.1%}{cpu['dense'] * 1e3:>9.1f}{cpu['zero_input'] * 1e3:>9.1f}"
        f"{row['speed_up']:>8.2f}{row['speed_up_wall']:>8.2f}{row['speed_up_wanted']:>8.1f}"
        + "".join(f"{steps[part] * 1e3:>8.2f}" for part in ("select", "gather", "tables"))
    )


def main() -> None:
    """Measure all networks and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=12, help="timed calls of each variant")
    parser.add_argument(
        "--shapes", nargs="+", default=SHAPES, help="side of the image, and images at once"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    about = machine()
    heads = ("dense G", "pruned", "saved", "dense ms", "pruned", "CPU", "wall", "asked")
    print(f"{'network':<15}{'side':>7}{heads[0]:>8}{heads[1]:>8}{heads[2]:>8}", end="")
    print(f"{heads[3]:>9}{heads[4]:>9}{heads[5]:>8}{heads[6]:>8}{heads[7]:>8}", end="")
    print("".join(f"{part:>8}" for part in ("select", "gather", "tables")))
    results: dict[str, list[dict[str, Any]]] = {}
    for name in SCHEDULES:
        results[name] = []
        for shape in arguments.shapes:
            side, batch = (int(number) for number in shape.split("x"))
            row = measured(name, side=side, batch=batch, turns=arguments.turns)
            print_row(name, row)
            results[name].append(row)
    print(f"written: {save('pruning', {'machine': about, 'networks': results})}")


if __name__ == "__main__":
    main()
