"""The header of a model file: everything but the weights, read without torch."""

import hashlib
import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any, Protocol, Self

from safetensors import SafetensorError, safe_open

from rsmamba.classes import ClassScheme, is_control
from rsmamba.errors import ModelFileError, RsmambaError
from rsmamba.models.model_limits import check_header_bytes, check_options

FORMAT_NAME = "rsmamba-model"
FORMAT_VERSION = 1
BUNDLED_MODELS = ("default",)
# Inputs are padded up to it, so a large one costs memory.
_LARGEST_MULTIPLE = 1024
_LONGEST_NAME = 200
_INPUT_DTYPES = (
    "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64",
    "float16", "float32", "float64",
)  # fmt: skip
_PICKLE_MARKS = (b"\x80", b"PK\x03\x04")


class ModelFacts(Protocol):
    """What a prediction has to know of a model before the network runs."""

    @property
    def name(self) -> str:
        """Name shown in summaries."""

    @property
    def num_classes(self) -> int:
        """Number of classes K."""

    @property
    def in_channels(self) -> int:
        """Bands C that the network takes."""

    @property
    def gsd_m(self) -> float | None:
        """Ground sample distance in metres that it was trained at; None if unknown."""

    @property
    def input_dtype(self) -> str | None:
        """Data type of the training images; None takes any."""


@dataclass(frozen=True, kw_only=True)
class ModelHeader:
    """What a model file says of itself; the attributes are those of ``SceneModel``.

    Attributes:
        path: The file.
        name: Name shown in summaries.
        classes: Class scheme.
        architecture: Name and options for ``create_model``.
        in_channels: Bands that the network takes.
        band_names: Their names.
        mean: Mean of each band in pixel values; None leaves values unchanged.
        std: Standard deviation of each band.
        gsd_m: Ground sample distance in metres of the training images; None if unknown.
        input_multiple: Number that both sides of an input are padded to.
        input_dtype: Data type of the training images; None takes any.
        metadata: Whatever else is kept.
    """

    path: Path
    name: str
    classes: ClassScheme
    architecture: Mapping[str, Any]
    in_channels: int
    band_names: tuple[str, ...]
    mean: tuple[float, ...] | None
    std: tuple[float, ...] | None
    gsd_m: float | None
    input_multiple: int
    input_dtype: str | None
    metadata: Mapping[str, Any]

    @classmethod
    def parse(cls, path: Path, values: Mapping[str, Any]) -> Self:
        """Read the plain values that ``SceneModel.header`` gives.

        Args:
            path: The file that holds them.
            values: The values.

        Returns:
            The header.

        Raises:
            ModelFileError: If a value is missing or of the wrong kind.
        """
        try:
            check_options(path, {name: values[name] for name in ("architecture", "in_channels")})
            return cls(
                path=path,
                name=_text(values["name"]),
                classes=ClassScheme.from_dict(values["classes"]),
                architecture=dict(values["architecture"]),
                in_channels=int(values["in_channels"]),
                band_names=tuple(_text(name) for name in values["band_names"]),
                mean=_numbers(values["mean"]),
                std=_numbers(values["std"]),
                gsd_m=_distance(values["gsd_m"]),
                input_multiple=_multiple(values["input_multiple"]),
                input_dtype=_dtype(values["input_dtype"]),
                metadata=dict(values["metadata"]),
            )
        except ModelFileError:
            raise
        except (RsmambaError, KeyError, TypeError, ValueError, OverflowError) as error:
            raise misfit(path, error) from error

    @property
    def num_classes(self) -> int:
        """Number of classes K."""
        return self.classes.num_classes

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the file, hexadecimal."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


def read_header(path_or_name: str | os.PathLike[str] = "default") -> ModelHeader:
    """Read what a model file says of itself; its weights stay unread.

    Args:
        path_or_name: A file, or the name of a model that the package carries: "default".

    Returns:
        The header.

    Raises:
        ModelFileError: If there is no such file or name, or the file is not a model file.
    """
    path = locate(path_or_name)
    _refuse_pickles(path)
    try:
        check_header_bytes(path)
        with safe_open(path, framework="numpy") as file:
            values = json.loads((file.metadata() or {}).get("rsmamba", "null"))
    except ModelFileError:
        raise
    except (SafetensorError, OSError, ValueError, RecursionError) as error:
        raise unreadable(path, error) from error
    _check_format(path, values)
    return ModelHeader.parse(path, values)


def locate(path_or_name: str | os.PathLike[str]) -> Path:
    """Find a model file.

    Args:
        path_or_name: A file, or the name of a bundled model.

    Returns:
        The file.

    Raises:
        ModelFileError: If there is neither.
    """
    if path_or_name in BUNDLED_MODELS:
        bundled = resources.files("rsmamba.models.weights") / f"{path_or_name}.safetensors"
        path = Path(str(bundled))
    else:
        path = Path(path_or_name)
    if not path.is_file():
        message = (
            f"no model file at {path_or_name!s}; give a .safetensors file "
            f"or one of the bundled models: {', '.join(BUNDLED_MODELS)}"
        )
        raise ModelFileError(message)
    return path


def unreadable(path: Path, error: Exception) -> ModelFileError:
    """Make the error for a file that is no safetensors file.

    Args:
        path: The file.
        error: What reading it said.

    Returns:
        The error to raise.
    """
    return ModelFileError(
        f"{path} is not a readable model file ({error}); download or save it again"
    )


def misfit(path: Path, error: Exception) -> ModelFileError:
    """Make the error for a file from which no model can be built.

    Args:
        path: The file.
        error: What building it said.

    Returns:
        The error to raise.
    """
    reason = " ".join(str(error).split())
    return ModelFileError(f"{path}: the model file does not fit this version of rsmamba: {reason}")


def _refuse_pickles(path: Path) -> None:
    with path.open("rb") as file:
        start = file.read(9)
    # A safetensors file starts with eight bytes of any value, the length of its JSON header.
    if start.startswith(_PICKLE_MARKS) and not start.endswith(b"{"):
        message = (
            f"{path} is a pickled checkpoint, which can run code when read and is never loaded; "
            "give a .safetensors model file"
        )
        raise ModelFileError(message)


def _check_format(path: Path, values: object) -> None:
    if not isinstance(values, dict) or values.get("format") != FORMAT_NAME:
        message = f"{path} is a safetensors file without the header of an rsmamba model"
        if isinstance(values, dict) and values.get("format") == "rsmamba-encoder-weights":
            message = (
                f"{path} holds weights of the encoder {values.get('name')}, which has no classes "
                "of its own; train it with a decoder (model.weights in a training configuration)"
            )
        raise ModelFileError(message)
    version = values.get("format_version", 0)
    if not isinstance(version, int) or version > FORMAT_VERSION:
        message = (
            f"{path} has model format {version}, this rsmamba reads up to {FORMAT_VERSION}; "
            "upgrade rsmamba"
        )
        raise ModelFileError(message)


def _numbers(values: Any) -> tuple[float, ...] | None:  # noqa: ANN401 - from JSON
    return None if values is None else tuple(_finite(value) for value in values)


def _finite(value: Any) -> float:  # noqa: ANN401 - from JSON
    number = float(value)
    if not math.isfinite(number):
        message = f"{number} is not a finite number"
        raise ValueError(message)
    return number


def _distance(value: Any) -> float | None:  # noqa: ANN401 - from JSON
    return None if value is None else _finite(value)


def _multiple(value: Any) -> int:  # noqa: ANN401 - from JSON
    multiple = int(value)
    if not 1 <= multiple <= _LARGEST_MULTIPLE:
        message = f"input_multiple is {multiple}; it may be 1 to {_LARGEST_MULTIPLE}"
        raise ValueError(message)
    return multiple


def _dtype(value: Any) -> str | None:  # noqa: ANN401 - from JSON
    if value is not None and value not in _INPUT_DTYPES:
        message = f"input_dtype is {value!r}; it may be {', '.join(_INPUT_DTYPES)}"
        raise ValueError(message)
    return None if value is None else str(value)


def _text(value: Any) -> str:  # noqa: ANN401 - from JSON
    """A name that a terminal and an XML file take."""
    text = str(value)
    if len(text) > _LONGEST_NAME or any(map(is_control, text)):
        message = f"the name {text[:_LONGEST_NAME]!r} is too long or has control characters"
        raise ValueError(message)
    return text
