"""Creation options of output rasters: which of GDAL's are allowed, and what they become."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Self, get_args

from rsmamba.errors import OptionError

Format = Literal["COG", "GTiff"]
_CHOICES = {
    # Only lossless methods: a class index that changes by one is another class.
    "COMPRESS": ("NONE", "LZW", "DEFLATE", "ZSTD"),
    "PREDICTOR": ("AUTO", "YES", "NO"),
    "BIGTIFF": ("IF_SAFER", "IF_NEEDED", "YES", "NO"),
    "OVERVIEWS": ("AUTO", "NONE"),
    "SPARSE_OK": ("NO", "YES"),
}
_MAX_LEVEL = {"DEFLATE": 9, "ZSTD": 22}
_NAMES = (*_CHOICES, "LEVEL", "BLOCKSIZE", "NUM_THREADS")


@dataclass(frozen=True, slots=True, kw_only=True)
class Creation:
    """How an output raster is stored.

    Attributes:
        format: COG, or GTiff for a tiled file without overviews.
        compress: NONE, LZW, DEFLATE or ZSTD.
        level: Effort of DEFLATE (1 to 9) or ZSTD (1 to 22); None for GDAL's default.
        predictor: YES stores differences of neighbours; AUTO does so for scores, not for classes.
        blocksize: Side of a storage block, pixels, a multiple of 16.
        bigtiff: When to write a file that may exceed 4 GiB.
        num_threads: Threads that compress: a number, or ALL_CPUS.
        overviews: AUTO, or NONE for a file without.
        sparse_ok: YES leaves blocks without data out of the file.
    """

    format: Format = "COG"
    compress: str = "LZW"
    level: int | None = None
    predictor: str = "AUTO"
    blocksize: int = 512
    bigtiff: str = "IF_SAFER"
    num_threads: str = "1"
    overviews: str = "AUTO"
    sparse_ok: str = "NO"

    @classmethod
    def parse(cls, options: Mapping[str, str] | None = None, *, output_format: str = "COG") -> Self:
        """Check creation options that somebody gave.

        Args:
            options: GDAL's names and values, in any case.
            output_format: COG or GTiff, in any case.

        Returns:
            The checked options.

        Raises:
            OptionError: If a format, name or value is not allowed.

        Example:
            >>> Creation.parse({"compress": "zstd"}).compress
            'ZSTD'
        """
        formats = {name.lower(): name for name in get_args(Format)}
        if output_format.lower() not in formats:
            message = f"format {output_format!r} is not known; give COG or GTiff"
            raise OptionError(message)
        given = {_name(name): str(value).strip().upper() for name, value in (options or {}).items()}
        return cls(
            format=formats[output_format.lower()],
            compress=_choice(given, "COMPRESS"),
            level=_level(given),
            predictor=_choice(given, "PREDICTOR"),
            blocksize=_blocksize(given),
            bigtiff=_choice(given, "BIGTIFF"),
            num_threads=_num_threads(given),
            overviews=_choice(given, "OVERVIEWS"),
            sparse_ok=_choice(given, "SPARSE_OK"),
        )

    def cog_options(self, *, is_score: bool, has_overviews: bool) -> dict[str, str]:
        """Return the options in the words of GDAL's COG driver.

        Args:
            is_score: True for probabilities and confidence, False for classes.
            has_overviews: True if the source brings overviews along.

        Returns:
            Names and values.
        """
        options = self._shared_options() | {
            "BLOCKSIZE": str(self.blocksize),
            "PREDICTOR": "YES" if self._predicts(is_score=is_score) else "NO",
            "OVERVIEWS": "FORCE_USE_EXISTING" if has_overviews else "NONE",
        }
        if self.level is not None:
            options["LEVEL"] = str(self.level)
        return options

    def gtiff_options(self, *, is_score: bool, is_float: bool) -> dict[str, str]:
        """Return the options in the words of GDAL's GTiff driver.

        Args:
            is_score: True for probabilities and confidence, False for classes.
            is_float: True if pixels are floating-point numbers.

        Returns:
            Names and values.
        """
        options = self._shared_options() | {
            "TILED": "YES",
            "BLOCKXSIZE": str(self.blocksize),
            "BLOCKYSIZE": str(self.blocksize),
        }
        if self._predicts(is_score=is_score):
            options["PREDICTOR"] = "3" if is_float else "2"
        if self.level is not None:
            options["ZLEVEL" if self.compress == "DEFLATE" else "ZSTD_LEVEL"] = str(self.level)
        return options

    def _shared_options(self) -> dict[str, str]:
        return {
            "COMPRESS": self.compress,
            "BIGTIFF": self.bigtiff,
            "NUM_THREADS": self.num_threads,
            "SPARSE_OK": self.sparse_ok,
        }

    def _predicts(self, *, is_score: bool) -> bool:
        wanted = is_score if self.predictor == "AUTO" else self.predictor == "YES"
        return wanted and self.compress != "NONE"


def _name(name: str) -> str:
    upper = name.strip().upper()
    if upper not in _NAMES:
        close = difflib.get_close_matches(upper, _NAMES, n=1)
        hint = f"did you mean {close[0]}? " if close else ""
        message = f"creation option {name!r} is not known; {hint}allowed are {', '.join(_NAMES)}"
        raise OptionError(message)
    return upper


def _choice(given: Mapping[str, str], name: str) -> str:
    choices = _CHOICES[name]
    default = "LZW" if name == "COMPRESS" else choices[0]
    value = given.get(name, default)
    if value not in choices:
        message = f"creation option {name}={value} is not allowed; give {' or '.join(choices)}"
        raise OptionError(message)
    return value


def _level(given: Mapping[str, str]) -> int | None:
    if "LEVEL" not in given:
        return None
    compress = _choice(given, "COMPRESS")
    limit = _MAX_LEVEL.get(compress)
    if limit is None:
        message = f"LEVEL has no meaning for COMPRESS={compress}; give COMPRESS=DEFLATE or ZSTD"
        raise OptionError(message)
    return _whole_number(given, "LEVEL", allowed=range(1, limit + 1))


def _blocksize(given: Mapping[str, str]) -> int:
    if "BLOCKSIZE" not in given:
        return 512
    return _whole_number(given, "BLOCKSIZE", allowed=range(64, 4096 + 1, 16))


def _num_threads(given: Mapping[str, str]) -> str:
    if given.get("NUM_THREADS", "1") == "ALL_CPUS":
        return "ALL_CPUS"
    if "NUM_THREADS" not in given:
        return "1"
    return str(_whole_number(given, "NUM_THREADS", allowed=range(1, 1025)))


def _whole_number(given: Mapping[str, str], name: str, *, allowed: range) -> int:
    text = given[name]
    if not text.isdecimal() or int(text) not in allowed:
        step = f" in steps of {allowed.step}" if allowed.step > 1 else ""
        message = (
            f"creation option {name}={text} is not allowed; give a whole number from "
            f"{allowed.start} to {allowed[-1]}{step}"
        )
        raise OptionError(message)
    return int(text)
