"""A batch on a real cluster: a scheduler and three workers on this machine, some of them killed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import torch
from affine import Affine

from rsmamba import SceneModel, create_model, predict, run_batch, save_model
from rsmamba.models import describe_architecture

pytest.importorskip("distributed")

Start = Callable[..., "subprocess.Popen[str]"]
OPTIONS: dict[str, Any] = {"tile": 64, "overlap": 8, "margin": 2, "device": "cpu"}
TINY: dict[str, Any] = {
    "dim": 8,
    "d_state": 2,
    "block": "vss",
    "fusion": "add",
    "encoder_depths": (1, 1, 1, 1),
    "decoder_depths": (1, 1, 1, 1),
}
WORDS = ["--tile", "64", "--overlap", "8", "--margin", "2", "--device", "cpu"]


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A folder with two scenes, and a small model beside it."""
    folder = tmp_path / "imagery"
    folder.mkdir()
    random = np.random.default_rng(0)
    for name, height in (("a.tif", 1500), ("b.tif", 2000)):
        pixels = random.integers(0, 256, (1, height, 64), dtype=np.uint8)
        profile = {"driver": "GTiff", "count": 1, "dtype": "uint8", "crs": "EPSG:32633"}
        profile |= {"height": height, "width": 64, "transform": Affine(2, 0, 5e5, 0, -2, 5e6)}
        with rasterio.open(folder / name, "w", **profile) as file:
            file.write(pixels)
    torch.manual_seed(0)
    network = create_model("cvmh_unet", num_classes=3, in_channels=1, **TINY)
    architecture = describe_architecture("cvmh_unet", **TINY)
    model = SceneModel(network, classes=["a", "b", "c"], in_channels=1, architecture=architecture)
    save_model(model, tmp_path / "model.safetensors")
    return tmp_path


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start Python with a module in a process that ends with the test."""
    with ExitStack() as stack:

        def begin(*words: str) -> "subprocess.Popen[str]":
            process = subprocess.Popen(
                [sys.executable, "-W", "ignore", "-m", *words],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                cwd=tmp_path,
            )
            stack.enter_context(process)
            stack.callback(process.kill)
            return process

        yield begin


def wait_until(condition: Callable[[], object], process: "subprocess.Popen[str]") -> None:
    stop = time.monotonic() + 240
    while not condition():
        if process.poll() is not None or time.monotonic() > stop:
            process.kill()
            pytest.fail(f"it ended or took too long: {process.communicate()[0]}")
        time.sleep(0.02)


@pytest.fixture
def workers(tmp_path: Path, start: Start) -> list["subprocess.Popen[str]"]:
    """A scheduler, and three workers behind it."""
    options = ("--no-dashboard", "--scheduler-file", "scheduler.json")
    scheduler = start(
        "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0", *options
    )
    file = tmp_path / "scheduler.json"
    wait_until(lambda: file.exists() and file.read_text().endswith("}"), scheduler)
    worker = ("distributed.cli.dask_worker", "--no-nanny", "--nthreads", "1", *options)
    return [scheduler, *(start(*worker) for _ in range(3))]


def writers(maps: Path, name: str) -> list[int]:
    """Return the processes that have finished a strip of a scene."""
    journals = maps.glob(f".{name}.rsmamba-part/*/journal-*.jsonl")
    return [int(journal.stem.split("-")[-2]) for journal in journals]


@pytest.mark.slow
def test_lost_workers_and_a_lost_scheduler_cost_no_finished_work(
    archive: Path, start: Start, workers: list["subprocess.Popen[str]"]
) -> None:
    maps, model = archive / "maps", archive / "model.safetensors"
    words = ["--out", "maps", "--model", model.name, "--scheduler", "scheduler.json", *WORDS]
    first = start("rsmamba.cli.app", "batch", "imagery/a.tif", *words)
    wait_until(lambda: writers(maps, "a.tif"), first)
    victim = writers(maps, "a.tif")[0]
    assert victim in {worker.pid for worker in workers[1:]}
    os.kill(victim, signal.SIGKILL)
    assert "done     1" in first.communicate(timeout=300)[0]

    second = start("rsmamba.cli.app", "batch", "imagery/b.tif", *words)
    wait_until(lambda: writers(maps, "b.tif"), second)
    workers[0].kill()
    assert "is gone; what is finished stays" in second.communicate(timeout=300)[0]
    assert second.returncode == 1

    result = run_batch([archive / "imagery"], maps, model=model, **OPTIONS)
    assert [scene.status for scene in result.scenes] == ["skipped", "done"]
    assert result.scenes[1].facts["resumed_pixels"] > 0
    for name in ("a.tif", "b.tif"):
        predict(archive / "imagery" / name, archive / name, model=model, **OPTIONS)
        assert (archive / name).read_bytes() == (maps / name).read_bytes()
