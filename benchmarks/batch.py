"""What running a batch costs above its predictions, and whether it keeps its promises.

    python -m benchmarks.batch                # all but the scaling
    python -m benchmarks.batch --parts scaling  # on a machine with two free cores

Parts: ``archive`` predicts 300 scenes of which ten are bad in ten ways, compares the maps with
those of ``predict``, runs the same command again, and compares the peak memory with 50 scenes;
``overhead`` compares processor time of ``run_batch`` and of ``predict`` in a loop, in turns in one
process; ``scaling`` compares two workers with one on scenes of 4000 x 4000 px.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from benchmarks.archive import write_model, write_scene
from benchmarks.measuring import RESULTS, machine, save
from rsmamba import load_model, predict, run_batch

OPTIONS: dict[str, Any] = {"tile": 64, "overlap": 8, "margin": 2, "device": "cpu"}
WORDS = ["--tile", "64", "--overlap", "8", "--margin", "2", "--device", "cpu"]
NUM_SCENES, NUM_FEW = 300, 50
SCALING_SCENES = 4
SIDE = 96
_VRT = (
    '<VRTDataset rasterXSize="96" rasterYSize="96"><VRTRasterBand dataType="Byte" band="1">'
    '<SimpleSource><SourceFilename relativeToVRT="{relative}">{source}</SourceFilename>'
    "<SourceBand>1</SourceBand></SimpleSource></VRTRasterBand></VRTDataset>"
)


def spoil(imagery: Path, maps: Path) -> int:
    """Make ten scenes of an archive bad, each in its own way; return how many."""
    (imagery / "s000.tif").write_bytes(b"")
    (imagery / "s001.tif").write_text("This is no raster.")
    whole = (imagery / "s002.tif").read_bytes()
    (imagery / "s002.tif").write_bytes(whole[: len(whole) // 2])
    write_scene(imagery / "s003.tif", height=SIDE, width=SIDE, gsd_m=40)
    (imagery / "s004.tif").unlink()
    (imagery / "s004.vrt").write_text(_VRT.format(relative=1, source="absent.tif"))
    (imagery / "s005.tif").unlink()
    (imagery / "s005.vrt").write_text(_VRT.format(relative=0, source="/vsicurl/http://0.0.0.0/a"))
    (imagery / "s006.tif").unlink()
    (imagery / "s006.jp2").write_bytes(b"\0\0\0\x0cjP  \r\n\x87\n")
    (imagery / "s007.tif").unlink()
    (imagery / "s007.tif").symlink_to("nowhere.tif")
    maps.mkdir(exist_ok=True)
    # Something of another making is in the way.
    (maps / "s008.tif").write_bytes(whole)
    (imagery / "s009.tif").write_bytes(whole[:8] + bytes(200))
    return 10


def command(imagery: list[str], maps: Path, model: Path, *more: str) -> dict[str, Any]:
    """Run a batch by its command; return its summary, exit status, seconds and peak memory."""
    words = ["batch", *imagery, "--out", str(maps), "--model", str(model), "--json", *more]
    begun = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "rsmamba.cli.app", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    output = process.stdout.read() if process.stdout else b""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return {
        "summary": json.loads(output or "{}"),
        "exit_status": process.returncode,
        "seconds": round(time.perf_counter() - begun, 2),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 2),
        "peak_mib": round(usage.ru_maxrss / 1024, 1),
    }


def measure_archive(folder: Path) -> dict[str, Any]:
    """Predict an archive with bad scenes, twice."""
    imagery, maps = folder / "imagery", folder / "maps"
    model = write_model(folder / "model.safetensors")
    for number in range(NUM_SCENES):
        write_scene(imagery / f"s{number:03d}.tif", height=SIDE, width=SIDE)
    few = [str(imagery / f"s{number:03d}.tif") for number in range(10, 10 + NUM_FEW)]
    memory_of_few = command(few, folder / "few", model, *WORDS)["peak_mib"]
    num_bad = spoil(imagery, maps)
    first = command([str(imagery)], maps, model, *WORDS)
    again = command([str(imagery)], maps, model, *WORDS)
    scenes = first["summary"]["scenes"]
    failed = {
        Path(scene["scene"]).name: scene["reason"].replace(f"{folder}/", "")
        for scene in scenes
        if "reason" in scene
    }
    loaded, right = load_model(model, "cpu"), 0
    for scene in scenes:
        if scene["status"] == "done":
            predict(scene["scene"], folder / "alone.tif", model=loaded, overwrite=True, **OPTIONS)
            alone = (folder / "alone.tif").read_bytes()
            right += alone == Path(scene["out"]).read_bytes()
    counts = ("done", "skipped", "failed")
    return {
        "scenes": NUM_SCENES,
        "bad": num_bad,
        "first": {name: first["summary"][name] for name in counts} | _without_summary(first),
        "maps_as_by_predict": right,
        "second": {name: again["summary"][name] for name in counts} | _without_summary(again),
        "reasons": failed,
        "different_reasons": len(set(failed.values())),
        "peak_mib": {str(NUM_FEW): memory_of_few, str(NUM_SCENES): first["peak_mib"]},
    }


def _without_summary(run: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in run.items() if name not in {"summary", "peak_mib"}}


def measure_overhead(folder: Path, *, turns: int = 2, num_scenes: int = 20) -> dict[str, Any]:
    """Compare a batch with predictions in a loop, both in this process, in turns."""
    imagery = folder / "some"
    model = load_model(write_model(folder / "model.safetensors"), "cpu")
    scenes = [
        write_scene(imagery / f"s{number:03d}.tif", height=SIDE, width=SIDE)
        for number in range(num_scenes)
    ]
    best = {"batch": float("inf"), "predict": float("inf")}
    for turn in range(turns + 1):
        out = folder / f"turn{turn}"
        begun = time.process_time()
        run_batch([imagery], out / "batch", model=model, **OPTIONS)
        middle = time.process_time()
        (out / "predict").mkdir()
        for scene in scenes:
            predict(scene, out / "predict" / scene.name, model=model, **OPTIONS)
        # The first turn warms up.
        if turn:
            best["batch"] = min(best["batch"], middle - begun)
            best["predict"] = min(best["predict"], time.process_time() - middle)
    per_scene = {name: round(seconds / num_scenes, 4) for name, seconds in best.items()}
    return {
        "scenes": num_scenes,
        "cpu_seconds_a_scene": per_scene,
        "overhead_cpu_seconds_a_scene": round(per_scene["batch"] - per_scene["predict"], 4),
    }


def measure_scaling(folder: Path) -> dict[str, Any]:
    """Compare two workers with one on scenes of 4000 x 4000 px, with the bundled model."""
    imagery = folder / "large"
    for number in range(SCALING_SCENES):
        write_scene(imagery / f"{number}.tif", height=4000, width=4000, num_bands=3)
    seconds = {}
    for workers in ("1", "2"):
        more = ("--workers", workers, "--threads", "1", "--device", "cpu")
        seconds[workers] = command([str(imagery)], folder / f"by{workers}", Path("default"), *more)[
            "seconds"
        ]
    return {
        "scenes": SCALING_SCENES,
        "seconds_by_workers": seconds,
        "ratio": round(seconds["1"] / seconds["2"], 2),
        "load_average_before": round(os.getloadavg()[0], 2),
    }


def main() -> None:
    """Measure the parts that were asked for; others keep what an earlier run found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parts = {"archive": measure_archive, "overhead": measure_overhead, "scaling": measure_scaling}
    parser.add_argument("--parts", nargs="+", choices=list(parts), default=["archive", "overhead"])
    wanted = parser.parse_args().parts
    torch.set_num_threads(1)
    os.environ["OMP_NUM_THREADS"] = "1"
    earlier = RESULTS / "batch.json"
    result = json.loads(earlier.read_text()) if earlier.exists() else {}
    result.setdefault("scaling", "not measured on a free machine")
    for name in wanted:
        with tempfile.TemporaryDirectory() as folder:
            result[name] = parts[name](Path(folder))
        print(name, json.dumps(result[name], indent=2), flush=True)
    save("batch", result | {"machine": machine()})


if __name__ == "__main__":
    main()
