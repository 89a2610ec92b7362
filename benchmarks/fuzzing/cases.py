"""One case: a damaged file, one command, and what must hold afterwards."""

import os
import re
import shutil
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.fuzzing.mutations import damaged_model, damaged_scene, make_scenes

_REMARKS = r"\A(rsmamba: (?!error:)[^\n]+\n)*"
_ERROR = re.compile(_REMARKS + r"rsmamba: error: [^\n]+\n\Z")
_NO_ERROR = re.compile(_REMARKS + r"\Z")
_TILE = ("--tile", "256", "--overlap", "32", "--margin", "8", "--mem-limit", "1GB")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A damaged file.

    Attributes:
        kind: "scene" or "model"; anything else damages nothing.
        number: Which damage.
    """

    kind: str
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a command did.

    Attributes:
        status: Exit status; -1 if there was none.
        fault: What went wrong, empty if all held.
        message: Its error line.
    """

    status: int
    fault: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seeds:
    """Whole files.

    Attributes:
        scenes: GeoTIFFs.
        model: A model file.
    """

    scenes: tuple[bytes, ...]
    model: bytes


def make_seeds(folder: Path) -> Seeds:
    """Write small scenes and a tiny model.

    Args:
        folder: Where they are written.

    Returns:
        Their bytes.
    """
    from rsmamba import SceneModel, create_model, save_model
    from rsmamba.models.registry import describe_architecture

    options = {"dim": 4, "d_state": 1, "encoder_depths": [1] * 4, "decoder_depths": [1] * 4}
    architecture = describe_architecture("cvmh_unet_small", **options)
    network = create_model("cvmh_unet_small", num_classes=3, **architecture.options)
    model = SceneModel(
        network,
        classes=["land", "water", "<b>&"],
        in_channels=3,
        mean=[100.0] * 3,
        std=[50.0] * 3,
        gsd_m=0.5,
        input_multiple=32,
        input_dtype="uint8",
        band_names=["red", "green", "blue"],
        architecture=architecture,
        metadata={"licence": "none", "protocol": {"chip": 64}},
    )
    path = save_model(model, folder / "model.safetensors")
    return Seeds(scenes=tuple(make_scenes(folder)), model=path.read_bytes())


def run_case(case: Case, seeds: Seeds, folder: Path) -> Outcome:
    """Predict with a damaged file and judge what happened.

    Args:
        case: The damage.
        seeds: The whole files.
        folder: An own, existing folder; emptied first.

    Returns:
        What happened.
    """
    from rsmamba.cli.app import run

    shutil.rmtree(folder)
    for part in ("in", "out", "elsewhere"):
        (folder / part).mkdir(parents=True)
    scene, model = folder / "in" / "scene.tif", folder / "in" / "model.safetensors"
    scene.write_bytes(seeds.scenes[0])
    model.write_bytes(seeds.model)
    if case.kind == "scene":
        scene.write_bytes(damaged_scene(seeds.scenes, case.number))
    elif case.kind == "model":
        model.write_bytes(damaged_model(seeds.model, case.number))
    out = folder / "out" / "map.tif"
    words = ["predict", str(scene), "--out", str(out), "--model", str(model), "--device", "cpu"]
    words += [*_TILE, "--confidence", str(folder / "out" / "confidence.tif")]
    before = _listing(folder)
    trace = ""
    with _standard_streams(folder / "out" / "stderr"), _inside(folder / "elsewhere"):
        try:
            status = int(run(words))
        except BaseException:  # noqa: BLE001 - that is what is sought
            status, trace = -1, traceback.format_exc()
    printed = (folder / "out" / "stderr").read_text(errors="replace")
    fault = _fault(status, printed, trace=trace, is_there=out.exists())
    outside = {name for name in _listing(folder) - before if not name.startswith("out/")}
    if outside:
        fault = f"files outside the output folder: {sorted(outside)[:3]}; {fault}"
    return Outcome(status=status, fault=fault, message=printed[-500:])


def _fault(status: int, printed: str, *, trace: str, is_there: bool) -> str:
    if trace:
        return f"traceback: {trace[-1500:]}"
    if "Traceback" in printed:
        return f"traceback: {printed[-1500:]}"
    if status not in (0, 1, 2):
        return f"exit status {status}"
    if is_there != (status == 0):
        return f"exit status {status} and {'a' if is_there else 'no'} map"
    if not (_ERROR if status else _NO_ERROR).match(printed):
        return f"not one line: {printed[-1500:]!r}"
    return ""


def _listing(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


@contextmanager
def _standard_streams(target: Path) -> Iterator[None]:
    """Send standard error to a file, also what libraries print, and standard output nowhere."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = os.dup(1), os.dup(2)
    streams = sys.stdout, sys.stderr
    with target.open("w") as errors, Path(os.devnull).open("w") as nothing:
        os.dup2(nothing.fileno(), 1)
        os.dup2(errors.fileno(), 2)
        sys.stdout, sys.stderr = nothing, errors
        try:
            yield
        finally:
            errors.flush()
            sys.stdout, sys.stderr = streams
            for number, copy in enumerate(kept, start=1):
                os.dup2(copy, number)
                os.close(copy)


@contextmanager
def _inside(folder: Path) -> Iterator[None]:
    """Work in a folder, where files without a folder would appear."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
