"""What an archive costs, from what was measured on one core."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.measuring import RESULTS

TILE, OVERLAP = 512, 64
# The tiles of a large scene cover it this many times.
COVERAGE = (TILE / (TILE - OVERLAP)) ** 2
_HOUR = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """Scenes to predict.

    Attributes:
        name: What it is.
        area_km2: Ground that it shows, km2.
        gsd_m: Ground sample distance, metres.
        side: Side of a scene, pixels.
        input_bytes: Bytes of a pixel of the scenes, uncompressed.
    """

    name: str
    area_km2: float
    gsd_m: float
    side: int
    input_bytes: int

    @property
    def megapixels(self) -> float:
        """All pixels, in millions."""
        return self.area_km2 / self.gsd_m**2

    @property
    def scene_megapixels(self) -> float:
        """Pixels of a scene, in millions."""
        return self.side**2 / 1e6

    @property
    def scenes(self) -> int:
        """Number of scenes."""
        return round(self.megapixels / self.scene_megapixels)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """What was measured.

    Attributes:
        network_seconds: CPU-seconds of the network for a Mpx of tiles, by name.
        engine_seconds: CPU-seconds of everything else for a Mpx of the scene.
        base_bytes: Memory of a process with its libraries and a model.
        peak_bytes: Memory of a process at work on a scene 8,000 px wide.
        map_bytes: Bytes of a pixel of a class map, with its overviews.
        strip_bytes: Bytes of a pixel of a scene that is in work, at most.
    """

    network_seconds: dict[str, float]
    engine_seconds: float
    base_bytes: float
    peak_bytes: float
    map_bytes: float
    strip_bytes: float

    def seconds_per_mpx(self, network: str) -> float:
        """Return what a Mpx of a scene costs.

        Args:
            network: Name of the network.

        Returns:
            CPU-seconds on one core.
        """
        return self.network_seconds[network] * COVERAGE + self.engine_seconds


def measured_rates(results: Path = RESULTS) -> Rates:
    """Read the rates from the results of other benchmarks.

    Args:
        results: Folder of the results.

    Returns:
        The rates.
    """
    from rsmamba.prediction import planning

    zoo: dict[str, Any] = json.loads((results / "zoo.json").read_text())["networks"]
    predict: dict[str, Any] = json.loads((results / "predict.json").read_text())
    memory = predict["memory"][-1]
    return Rates(
        network_seconds={name: entry["cpu_seconds_per_mpx"] for name, entry in zoo.items()},
        engine_seconds=predict["overhead"]["scenes"][-1]["overhead"],
        base_bytes=memory["base_mib"] * 2**20,
        peak_bytes=memory["peak_mib"] * 2**20,
        map_bytes=planning._CLASS_MAP_SHARE,
        strip_bytes=planning._LARGEST_SHARE,
    )


def cost(archive: Archive, rates: Rates, *, network: str, workers: int) -> dict[str, float]:
    """Work out what an archive costs.

    Args:
        archive: The archive.
        rates: What was measured.
        network: Name of the network.
        workers: Processes of one core each.

    Returns:
        Hours of cores and of the clock if all share the work evenly, and bytes.
    """
    seconds = archive.megapixels * rates.seconds_per_mpx(network)
    pixels = archive.megapixels * 1e6
    at_work = min(workers + 1, archive.scenes) * archive.scene_megapixels * 1e6
    return {
        "megapixels": archive.megapixels,
        "scenes": archive.scenes,
        "core_hours": seconds / _HOUR,
        "hours_if_even": seconds / _HOUR / workers,
        "memory_bytes": workers * rates.peak_bytes,
        "input_bytes": pixels * archive.input_bytes,
        "output_bytes": pixels * rates.map_bytes,
        "scratch_bytes": at_work * rates.strip_bytes,
    }
