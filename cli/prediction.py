"""Options of prediction, which ``predict`` and ``batch`` share."""

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from . import options

Status = TypeVar("Status")


def prediction_options(
    *,
    model: options.Model = "default",
    bidx: options.Bidx = None,
    tile: Annotated[int, typer.Option(help="Side of a tile in pixels.")] = 512,
    overlap: Annotated[int, typer.Option(help="Pixels shared by neighbouring tiles.")] = 64,
    margin: Annotated[
        int, typer.Option(help="Pixels next to inner tile edges that are not used.")
    ] = 16,
    batch_size: Annotated[
        int | None, typer.Option(help="Tiles a batch; chosen from the memory limit by default.")
    ] = None,
    device: options.Device = "auto",
    mem_limit: Annotated[
        str | None,
        typer.Option(help="Memory to use: 2GB, 512MB [default: a quarter]."),
    ] = None,
    tta: Annotated[
        str, typer.Option(help="Test-time augmentation: none, flips (4x) or d4 (8x the time).")
    ] = "none",
    prune: Annotated[
        str | None,
        typer.Option(
            metavar="RATIO|auto", help="Share of the tokens to keep; auto decides by content."
        ),
    ] = None,
    prune_flops: Annotated[
        float | None,
        typer.Option(metavar="SHARE", help="Drop tokens to save this share of the encoder's work."),
    ] = None,
    amp: Annotated[bool, typer.Option("--amp", help="Compute in bfloat16 where possible.")] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace outputs that exist.")
    ] = False,
    prob_dtype: Annotated[
        str, typer.Option(help="Data type of probabilities and confidence: uint8 or float32.")
    ] = "uint8",
    bounds: Annotated[
        str | None,
        typer.Option(metavar="LEFT,BOTTOM,RIGHT,TOP", help="Predict this part, map coordinates."),
    ] = None,
    bounds_crs: Annotated[
        str | None, typer.Option(help="CRS of --bounds, such as EPSG:4326 [default: the scene's].")
    ] = None,
    window: Annotated[
        str | None,
        typer.Option(metavar="COL,ROW,WIDTH,HEIGHT", help="Predict this part, pixels."),
    ] = None,
    aoi: Annotated[
        Path | None, typer.Option(help="Predict inside the polygons of this vector file.")
    ] = None,
    src_nodata: Annotated[
        float | None, typer.Option(help="Nodata value of the scene, over the one it states.")
    ] = None,
    unscale: Annotated[
        bool, typer.Option("--unscale", help="Apply the scale and offset stored in the scene.")
    ] = False,
    stretch: Annotated[
        str,
        typer.Option(
            help="Values of another data type than the model's: auto (2-98 %), none, LOW,HIGH."
        ),
    ] = "auto",
    ignore_gsd: Annotated[
        bool, typer.Option("--ignore-gsd", help="Accept a scene of another ground sample distance.")
    ] = False,
    resample: Annotated[
        bool, typer.Option("--resample", help="Predict at the model's ground sample distance.")
    ] = False,
    allow_remote: options.AllowRemote = False,
    simplify: Annotated[
        float, typer.Option(metavar="PX", help="Let outlines of --vectors leave the pixels so far.")
    ] = 0.0,
    min_pixels: Annotated[
        int, typer.Option(metavar="N", help="Smallest region of --vectors; others join neighbours.")
    ] = 1,
    output_format: Annotated[str, typer.Option("--format", "-f", help="COG or GTiff.")] = "COG",
    creation: Annotated[
        list[str] | None,
        typer.Option("--co", metavar="NAME=VALUE", help="GDAL creation option; may repeat."),
    ] = None,
) -> dict[str, Any]:
    """Turn the options into keyword arguments of ``rsmamba.predict``."""
    return {
        "model": model,
        "bidx": options.parse_bidx(bidx),
        "tile": tile,
        "overlap": overlap,
        "margin": margin,
        "batch_size": batch_size,
        "device": device,
        "mem_limit": options.parse_size(mem_limit),
        "tta": tta,
        "prune": options.parse_prune(prune),
        "prune_flops": prune_flops,
        "amp": amp,
        "overwrite": overwrite,
        "prob_dtype": prob_dtype,
        "bounds": options.parse_numbers(bounds, option="--bounds", names="LEFT,BOTTOM,RIGHT,TOP"),
        "bounds_crs": bounds_crs,
        "window": options.parse_numbers(window, option="--window", names="COL,ROW,WIDTH,HEIGHT"),
        "aoi": aoi,
        "src_nodata": src_nodata,
        "unscale": unscale,
        "stretch": stretch,
        "ignore_gsd": ignore_gsd,
        "resample": resample,
        "simplify": simplify,
        "min_pixels": min_pixels,
        "allow_remote": allow_remote,
        "format": output_format,
        "co": options.parse_pairs(creation),
    }


def with_prediction_options(command: Callable[..., Status]) -> Callable[..., Status]:
    """Give a command the options of prediction.

    Args:
        command: A command with a parameter ``arguments``, in whose place the options stand.

    Returns:
        A function with the parameters of both; ``arguments`` holds what the options say.
    """
    shared = inspect.signature(prediction_options).parameters
    own = inspect.signature(command).parameters

    @functools.wraps(command)
    def run(**given: Any) -> Status:  # noqa: ANN401 - typer checks them
        values = {name: given.pop(name) for name in shared}
        return command(**given, arguments=prediction_options(**values))

    parameters = []
    for name, parameter in own.items():
        parameters += list(shared.values()) if name == "arguments" else [parameter]
    keyword_only = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in parameters]
    run.__signature__ = inspect.Signature(keyword_only)  # type: ignore[attr-defined] # inspect reads it
    run.__annotations__ = {one.name: one.annotation for one in keyword_only}
    return run
