"""From found scenes to jobs: one scene, its outputs and its options each."""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from rsmamba.batch.inputs import SceneInput
from rsmamba.errors import OptionError, RsmambaError
from rsmamba.prediction.config import PredictConfig

DEFAULT_NAME = "{folder}/{stem}.tif"
EXTRA_OUTPUTS = {
    "probabilities": "_probabilities.tif",
    "confidence": "_confidence.tif",
    "quicklook": ".png",
    "vectors.gpkg": ".gpkg",
    "vectors.parquet": ".parquet",
    "vectors.geojson": ".geojson",
}
# A table cannot say where outputs go, but by its column "out", nor what concerns the machine; and
# whether it is trusted is not for it to say.
_NOT_IN_TABLES = {
    *(kind.partition(".")[0] for kind in EXTRA_OUTPUTS),
    "overwrite", "mem_limit", "batch_size", "format", "co", "allow_remote",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneJob:
    """One scene of a batch.

    Attributes:
        scene: Path of the scene.
        out: The class map.
        config: The options.
        reason: Why it cannot be predicted, known beforehand; None if it may.
    """

    scene: str
    out: Path
    config: PredictConfig
    reason: str | None = None


def make_jobs(
    scenes: Sequence[SceneInput],
    out: Path,
    *,
    config: PredictConfig,
    name: str = DEFAULT_NAME,
    extra: Sequence[str] = (),
) -> list[SceneJob]:
    """Give every scene its outputs and options.

    Args:
        scenes: The scenes.
        out: Folder of the outputs.
        config: Options of all scenes; a table may change some for one.
        name: Name of a class map below the folder; ``{folder}``, ``{stem}``, ``{suffix}`` and
            ``{number}`` stand for the scene's own, the last for its place in the list from 1.
        extra: Other outputs to write beside each class map: "probabilities", "confidence",
            "quicklook", and one of "vectors.gpkg", "vectors.parquet", "vectors.geojson".

    Returns:
        The jobs, in the same order.

    Raises:
        OptionError: If the name has an unknown field, two scenes get the same output, or another
            output is not known.
    """
    for kind in extra:
        if kind not in EXTRA_OUTPUTS:
            message = f"output {kind!r} is not known; give {', '.join(EXTRA_OUTPUTS)}"
            raise OptionError(message)
    jobs = [
        _job(scene, out, config=config, name=name, extra=extra, number=number)
        for number, scene in enumerate(scenes, start=1)
    ]
    owners: dict[Path, str] = {}
    for job in jobs:
        other = owners.setdefault(job.out, job.scene)
        if other != job.scene:
            message = (
                f"{other} and {job.scene} would both become {job.out}; give a name that tells them "
                "apart, such as --name '{folder}/{stem}_{number}.tif'"
            )
            raise OptionError(message)
    return jobs


def _job(
    scene: SceneInput,
    out: Path,
    *,
    config: PredictConfig,
    name: str,
    extra: Sequence[str],
    number: int,
) -> SceneJob:
    cells, reason = dict(scene.options), scene.reason
    given = cells.pop("out", None)
    target = out / (given or _filled(name, scene, number))
    target = Path(os.path.normpath(target))
    if not target.is_relative_to(os.path.normpath(out)):
        reason = reason or f"its output {target} lies outside {out}"
    changed: dict[str, Any] = {
        kind.partition(".")[0]: target.with_name(target.stem + EXTRA_OUTPUTS[kind])
        for kind in extra
    }
    try:
        config = replace(config, **changed, **_parsed(cells))
    except RsmambaError as error:
        reason = reason or str(error)
    return SceneJob(scene=scene.scene, out=target, config=config, reason=reason)


def _filled(name: str, scene: SceneInput, number: int) -> str:
    path = Path(scene.scene)
    values = {
        "folder": scene.folder or ".",
        "stem": path.stem,
        "suffix": path.suffix.lstrip("."),
        "number": str(number),
    }

    def value(match: re.Match[str]) -> str:
        if match[1] not in values:
            known = ", ".join(f"{{{field}}}" for field in values)
            message = f"name {name!r} has the unknown field {match[0]}; it may have {known}"
            raise OptionError(message)
        return values[match[1]]

    return re.sub(r"\{([^{}]*)\}", value, name)


def _numbers(kind: Callable[[str], Any]) -> Callable[[str], tuple[Any, ...]]:
    return lambda text: tuple(kind(part) for part in re.split(r"[,; ]+", text))


def _truth(text: str) -> bool:
    return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}[
        text.lower()
    ]


_READERS: dict[str, Callable[[str], Any]] = {
    "tile": int,
    "overlap": int,
    "margin": int,
    "extra_bands": lambda text: tuple(part.strip() for part in text.split(";")),
    "src_nodata": float,
    "simplify": float,
    "min_pixels": int,
    "prune": lambda text: text if text == "auto" else float(text),
    "prune_flops": float,
    "amp": _truth,
    "unscale": _truth,
    "ignore_gsd": _truth,
    "resample": _truth,
    "bidx": _numbers(int),
    "bounds": _numbers(float),
    "window": _numbers(int),
}


def _parsed(cells: Mapping[str, str]) -> dict[str, Any]:
    allowed = {field.name for field in fields(PredictConfig)} - _NOT_IN_TABLES
    values: dict[str, Any] = {}
    for name, text in cells.items():
        if name not in allowed:
            message = (
                f"column {name!r} of the table is not an option of a scene; it may be out, "
                f"{', '.join(sorted(allowed))}"
            )
            raise OptionError(message)
        try:
            values[name] = _READERS.get(name, str)(text)
        except (ValueError, KeyError) as error:
            message = f"column {name!r} of the table holds {text!r}, which has another form"
            raise OptionError(message) from error
    return values
