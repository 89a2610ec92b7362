"""Pictures as data addresses, so that a page needs no other file."""

import base64
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from rsmamba.classes import ClassScheme
from rsmamba.evaluation.pictures import NOT_SCORED, ScenePicture

_NO_CLASS = (236, 236, 236)
_RIGHT = (222, 230, 222)
_WRONG = (196, 0, 40)
# The lightest red, so that a single wrong pixel shows among right ones.
_FAINTEST = 0.25
_JPEG_QUALITY = 85


def class_palette(classes: ClassScheme) -> NDArray[np.uint8]:
    """Return the colour of each class index.

    Args:
        classes: The classes.

    Returns:
        Colours (256, 3); grey for indices without a class.
    """
    palette = np.full((256, 3), _NO_CLASS, np.uint8)
    palette[: classes.num_classes] = classes.colours
    return palette


def error_palette() -> NDArray[np.uint8]:
    """Return the colour of each share of wrong pixels.

    Returns:
        Colours (256, 3) from pale green (all right) to red (all wrong); white where nothing is
        scored.
    """
    share = np.linspace(0, 1, NOT_SCORED)
    share[1:] = _FAINTEST + (1 - _FAINTEST) * share[1:]
    right, wrong = np.array(_RIGHT, float), np.array(_WRONG, float)
    palette = np.full((256, 3), 255, np.uint8)
    palette[:NOT_SCORED] = np.rint(right + share[:, None] * (wrong - right))
    return palette


def layers(picture: ScenePicture, classes: ClassScheme) -> dict[str, str]:
    """Encode every layer of a picture.

    Args:
        picture: The picture.
        classes: Its classes.

    Returns:
        Data address by the name of the layer: image (where there is one), map, reference, errors.
    """
    palette = class_palette(classes)
    found = {
        "map": indexed_png(picture.prediction, palette),
        "reference": indexed_png(picture.reference, palette),
        "errors": indexed_png(picture.errors, error_palette()),
    }
    if picture.image is None:
        return found
    return {"image": jpeg(picture.image), **found}


def indexed_png(indices: NDArray[np.uint8], palette: NDArray[np.uint8]) -> str:
    """Encode indices as a PNG with a palette.

    Args:
        indices: Indices (h, w).
        palette: Colour of each (256, 3).

    Returns:
        A data address.
    """
    image = Image.fromarray(indices).convert("L")
    image.putpalette(palette.tobytes())
    return _encoded(image, "PNG", optimize=True)


def jpeg(pixels: NDArray[np.uint8]) -> str:
    """Encode a picture as a JPEG.

    Args:
        pixels: Red, green and blue (h, w, 3).

    Returns:
        A data address.
    """
    return _encoded(Image.fromarray(pixels), "JPEG", quality=_JPEG_QUALITY)


def _encoded(image: Image.Image, form: str, **options: int | bool) -> str:
    buffer = io.BytesIO()
    image.save(buffer, format=form, **options)
    text = base64.b64encode(buffer.getvalue()).decode("ascii")
    return f"data:image/{form.lower()};base64,{text}"
