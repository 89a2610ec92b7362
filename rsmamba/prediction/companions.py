"""Companions of a class map that are made from it: a picture, and polygons."""

from rsmamba.geo.quicklook import write_quicklook
from rsmamba.geo.vector_output import write_vectors
from rsmamba.models.scene_model import SceneModel
from rsmamba.prediction.assembly import Assembled
from rsmamba.prediction.outputs import OutputPaths
from rsmamba.prediction.preparation import Prepared


def write_companions(
    prepared: Prepared, done: Assembled, *, paths: OutputPaths, key: str, model: SceneModel
) -> None:
    """Write what is wanted beside the rasters; each appears under its name when it is complete.

    Args:
        prepared: The prediction.
        done: Its finished rasters, which may wait for their names still.
        paths: Where the outputs go.
        key: Key of the work.
        model: The model.
    """
    class_map, config = done.raster("class_map", paths=paths, key=key), prepared.config
    if paths.quicklook is not None:
        write_quicklook(
            paths.quicklook,
            scene=prepared.scene,
            class_map=class_map,
            classes=model.classes,
            counts=done.class_pixels,
            window=prepared.region.window,
            caption=f"model {model.name}",
            overwrite=True,
        )
    if paths.vectors is not None:
        scores = None
        if paths.confidence is not None:
            scores = done.raster("confidence", paths=paths, key=key)
        write_vectors(
            paths.vectors,
            class_map=class_map,
            classes=model.classes,
            confidence=scores,
            simplify_px=config.simplify,
            min_pixels=config.min_pixels,
            overwrite=True,
        )
