"""Which classes an evaluation is about."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from rsmamba.classes import IGNORE_INDEX, ClassScheme
from rsmamba.errors import DataError, OptionError
from rsmamba.evaluation.labels import LabelForm, largest_label
from rsmamba.evaluation.naming import raster_classes, raster_colours, read_classes
from rsmamba.evaluation.protocols import Protocol
from rsmamba.evaluation.scenes import PathLike, ScenePaths, reference_is_vector
from rsmamba.geo.scene import Scene


def choose_classes(
    scenes: Sequence[ScenePaths],
    protocol: Protocol,
    *,
    given: ClassScheme | Sequence[str] | PathLike | None,
    labels: LabelForm,
    label_map: Mapping[int, int] | None = None,
) -> ClassScheme:
    """Find the classes: the protocol's, those given, those that the files name, or by number.

    Args:
        scenes: Files of every scene.
        protocol: What is counted.
        given: Classes of the user, a CSV file of them, or None.
        labels: How labels are written.
        label_map: Class index by value of the references.

    Returns:
        The classes in the order of the confusion matrix.

    Raises:
        OptionError: If classes are given for a protocol that fixes them.
        DataError: If nothing tells the classes.
        SceneError: If a file cannot be read.
    """
    if protocol.classes is not None:
        if given is not None:
            message = (
                f"protocol {protocol.name} fixes the classes "
                f"({', '.join(protocol.classes.names)}); leave --classes out"
            )
            raise OptionError(message)
        return protocol.classes
    if given is not None:
        return read_classes(given) if isinstance(given, str | Path) else ClassScheme.coerce(given)
    maps = [scene.map for scene in scenes]
    references = [scene.reference for scene in scenes if not reference_is_vector(scene)]
    if labels != "index":
        for path in (*maps, *references):
            named = raster_classes(path)
            if named is not None:
                return named
    return _by_number(maps, references, label_map=label_map or {})


def _by_number(
    maps: Sequence[PathLike], references: Sequence[PathLike], *, label_map: Mapping[int, int]
) -> ClassScheme:
    """Classes 0 to the largest index of any raster, in the colours of a colour table."""
    colours = dict[int, tuple[int, int, int]]()
    targets = [target for target in label_map.values() if target < IGNORE_INDEX]
    largest = max(targets, default=-1)
    moved = tuple(label_map)
    for path, left_out in [*((path, ()) for path in maps), *((path, moved) for path in references)]:
        with Scene.open(path) as scene:
            if scene.num_bands == 1:
                largest = max(largest, largest_label(scene, left_out=left_out))
                colours = colours or raster_colours(path)
    if largest < 0:
        message = (
            f"nothing tells the classes of {maps[0]}; give --classes, as names or as a CSV file "
            "with name, red, green, blue, or an ISPRS --protocol"
        )
        raise DataError(message)
    scheme = ClassScheme.from_names([f"class {index}" for index in range(largest + 1)])
    shown = tuple(colours.get(index, scheme.colours[index]) for index in range(largest + 1))
    return ClassScheme(names=scheme.names, colours=shown)
