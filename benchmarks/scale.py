"""What large archives cost, and what a thousand workers make of them, by simulation.

    python benchmarks/scale.py

Costs come from ``results/zoo.json`` and ``results/predict.json``, measured on one core. The time
that the command needs to wait among many orders is measured here. Writes ``results/scale.json``.
"""

import sys
import time
from collections.abc import Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.scaling.costs import COVERAGE, OVERLAP, TILE, Archive, Rates, cost, measured_rates
from benchmarks.scaling.simulation import Cluster, Load, simulate

WORKERS = 1000
NETWORKS = ("cvmh_unet_small", "cvmh_unet", "vssd_tiny+light")
ARCHIVES = (
    Archive(name="orthophotos, 5 km", area_km2=357_000, gsd_m=0.2, side=25_000, input_bytes=3),
    Archive(name="orthophotos, 1 km", area_km2=357_000, gsd_m=0.2, side=5_000, input_bytes=3),
    Archive(name="Sentinel-2, land", area_km2=149e6, gsd_m=10.0, side=10_980, input_bytes=6),
    Archive(name="one scene, 50 km", area_km2=2_500, gsd_m=0.2, side=250_000, input_bytes=3),
)
# Dask's documentation names about a millisecond a task; ours is measured.
DASK_SECONDS = 0.001
# Reading for the checksum of a scene, and making a COG of its strips.
READ_BYTES_PER_SECOND = 200e6
ASSEMBLY_SHARE = 1 / 3


def main() -> None:
    """Print costs and simulations, and write them."""
    from benchmarks.measuring import machine, save

    rates = measured_rates()
    head_seconds = DASK_SECONDS + order_seconds(WORKERS + 1)
    costs = {
        archive.name: {
            name: cost(archive, rates, network=name, workers=WORKERS) for name in NETWORKS
        }
        for archive in ARCHIVES
    }
    runs = {
        archive.name: {
            name: _simulated(archive, rates, cluster)
            for name, cluster in clusters(head_seconds).items()
        }
        for archive in ARCHIVES
    }
    for archive in ARCHIVES:
        _tell(archive.name, costs[archive.name], runs[archive.name])
    content = {"machine": machine(), "workers": WORKERS, "head_seconds": head_seconds}
    save("scale", {**content, "rates": asdict(rates), "costs": costs, "runs": runs})


def clusters(head_seconds: float) -> dict[str, Cluster]:
    """Return the clusters that are simulated.

    Args:
        head_seconds: Time of the head for a task.

    Returns:
        Cluster by name.
    """
    calm = Cluster(workers=WORKERS, head_seconds=head_seconds)
    uneven = replace(calm, speed_spread=0.15)
    return {
        "all alike": calm,
        "uneven": uneven,
        "2 % three times slower": replace(uneven, slow_share=0.02),
        "each dies once a day": replace(uneven, hours_between_deaths=24.0),
        "each dies once an hour": replace(uneven, hours_between_deaths=1.0),
        "head ten times slower": replace(uneven, head_seconds=10 * head_seconds),
    }


def load_of(archive: Archive, rates: Rates, *, network: str) -> Load:
    """Turn an archive into tasks.

    Args:
        archive: The archive.
        rates: What was measured.
        network: Name of the network.

    Returns:
        The load.
    """
    rows = max(1, -(-(archive.side - OVERLAP) // (TILE - OVERLAP)))
    assembly = archive.scene_megapixels * rates.engine_seconds * ASSEMBLY_SHARE
    scene = archive.scene_megapixels * rates.seconds_per_mpx(network)
    survey = archive.scene_megapixels * 1e6 * archive.input_bytes / READ_BYTES_PER_SECOND
    return Load(
        scenes=archive.scenes,
        tile_rows=rows,
        survey_seconds=survey,
        row_seconds=(scene - assembly) / rows,
        assembly_seconds=assembly,
    )


def order_seconds(orders: int) -> float:
    """Measure what it costs to wait for the first of many orders, as the command does.

    Args:
        orders: Orders that are open.

    Returns:
        CPU-seconds for one that ends.
    """
    futures: list[Future[None]] = [Future() for _ in range(orders)]
    futures[-1].set_result(None)
    turns = 20
    start = time.process_time()
    for _ in range(turns):
        wait(futures, return_when=FIRST_COMPLETED)
    return (time.process_time() - start) / turns


def _simulated(archive: Archive, rates: Rates, cluster: Cluster) -> dict[str, Any]:
    load = load_of(archive, rates, network="cvmh_unet_small")
    run = simulate(load, cluster)
    return {
        **asdict(run),
        "efficiency": load.work_seconds / run.speed / run.seconds,
        "head_busy_share": run.head_busy_seconds / run.seconds,
        "lost_share": run.lost_seconds / run.busy_seconds,
    }


def _tell(name: str, costs: Mapping[str, Any], runs: Mapping[str, Any]) -> None:
    print(f"\n{name}; tiles cover a scene {COVERAGE:.2f} times")
    for network, values in costs.items():
        numbers = ", ".join(f"{key} {value:.4g}" for key, value in values.items())
        print(f"  {network}: {numbers}")
    for cluster, run in runs.items():
        print(
            f"  {cluster}: {run['seconds'] / 3600:.2f} h, {run['tasks']:,} tasks, efficiency "
            f"{run['efficiency']:.1%}, head busy {run['head_busy_share']:.1%}, longest wait "
            f"{run['head_wait_seconds']:.1f} s, lost {run['lost_share']:.2%}, "
            f"{run['deaths']:,} deaths, {run['failed_scenes']} failed, tail "
            f"{run['tail_seconds'] / 60:.0f} min"
        )


if __name__ == "__main__":
    main()
