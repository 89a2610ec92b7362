"""Turn an official checkpoint into a small safe file that is known to fit."""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import save

from rsmamba.errors import OutputExistsError
from rsmamba.models.files import write_atomically
from rsmamba.models.upstream.reading import read_checkpoint
from rsmamba.models.zoo import create_classifier, find_encoder

FORMAT_NAME = "rsmamba-encoder-weights"


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """What a conversion made.

    Attributes:
        out: The file.
        name: Name of the encoder that it fits.
        num_classes: Classes of the classifier in it.
        in_channels: Bands that it takes.
        parameters: Number of its parameters.
        licence: Licence of the released weights.
        source: Name of the official file.
        sha256: Checksum of the official file.
    """

    out: str
    name: str
    num_classes: int
    in_channels: int
    parameters: int
    licence: str
    source: str
    sha256: str


def convert_checkpoint(
    path: str | os.PathLike[str],
    name: str,
    *,
    out: str | os.PathLike[str],
    wrapper: str | None = None,
    overwrite: bool = False,
    **options: Any,  # noqa: ANN401 - options of any network
) -> Conversion:
    """Check that an official classifier checkpoint fits an encoder and write its weights alone.

    The file keeps the official names, so that it is read like the official one; it holds no
    optimiser state and no Python objects.

    Args:
        path: Official checkpoint.
        name: Encoder that it belongs to, see ``list_encoders``.
        out: File to write, ``.safetensors``.
        wrapper: Key of the weights in the checkpoint, see ``read_checkpoint``.
        overwrite: Whether an existing file may be replaced.
        **options: Fields of the family's configuration that differ from the published size.

    Returns:
        What was written.

    Raises:
        OptionError: If there is no such encoder or option.
        ModelFileError: If the checkpoint cannot be read or does not fit.
        OutputExistsError: If the output exists and may not be replaced.
        OutputError: If it cannot be written.
    """
    out = Path(out)
    if out.exists() and not overwrite:
        message = f"{out} exists; give --overwrite or another --out"
        raise OutputExistsError(message)
    _, variant = find_encoder(name)
    state = read_checkpoint(path, wrapper=wrapper)
    num_classes, in_channels = _head_and_stem(state)
    classifier = create_classifier(
        name, num_classes=num_classes, in_channels=in_channels, weights=state, **options
    )
    conversion = Conversion(
        out=str(out),
        name=name,
        num_classes=num_classes,
        in_channels=in_channels,
        parameters=sum(parameter.numel() for parameter in classifier.parameters()),
        licence=variant.weights_licence,
        source=Path(path).name,
        sha256=hashlib.sha256(Path(path).read_bytes()).hexdigest(),
    )
    header = {"format": FORMAT_NAME, **asdict(conversion), "options": options}
    tensors = {key: tensor.contiguous().clone() for key, tensor in state.items()}
    write_atomically(out, save(tensors, metadata={"rsmamba": json.dumps(header, sort_keys=True)}))
    return conversion


def _head_and_stem(state: Mapping[str, Any]) -> tuple[int, int]:
    """Read the number of classes and of bands from the shapes of a classifier's weights."""
    heads = [
        tensor for name, tensor in state.items() if name.endswith(("head.weight", "head.fc.weight"))
    ]
    stems = [
        tensor
        for name, tensor in state.items()
        if name.startswith("patch_embed") and tensor.ndim == 4
    ]
    return (
        int(heads[0].shape[0]) if heads else 1000,
        min((int(stem.shape[1]) for stem in stems), default=3),
    )
