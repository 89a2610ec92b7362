"""VMamba's words for the form of the mixer, such as "v05_noz".

Source: released code (MzeroMiko/VMamba at 2ed52ea, and words of before 2024-04, which had no
underscores). A word is a base, then marks. The bases differ in which kernel ran and in its
precision, which is not our concern: only the scan paths and "v0", the first release, differ in what
is computed. Not here: the experiments "xv...", "m0", "v052dc" and "v052d3", of which no weights are
released.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from rsmamba.errors import OptionError
from rsmamba.models.layers.ss2d import SS2DForm
from rsmamba.models.options import closest
from rsmamba.ops.scan_paths import ScanPaths

FIRST_RELEASE = ("v0", "v0seq")
BASES: dict[str, ScanPaths] = {
    **dict.fromkeys((*FIRST_RELEASE, "v01", "v02", "v03", "v04", "v05"), "cross"),
    **dict.fromkeys(("v1", "v2", "v3", "v4"), "cross"),
    **dict.fromkeys(("v051d", "v31d"), "one_way"),
    **dict.fromkeys(("v052d", "v32d"), "two_ways"),
}
MARKS: Mapping[str, Mapping[str, Any]] = {
    "no32": {},
    "noz": {"gate": "none"},
    "nozact": {"gate": "linear"},
    "oact": {"out_activation": True},
    "onnone": {"out_norm": "none"},
    "ondwconv3": {"out_norm": "depthwise"},
    "oncnorm": {"out_norm": "layer_depthwise"},
    "onsoftmax": {"out_norm": "softmax"},
    "onsigmoid": {"out_norm": "sigmoid"},
}

# As they were before they were told from the other words by "on".
_OLD_MARKS = {
    "none": "onnone",
    "dwconv3": "ondwconv3",
    "softmax": "onsoftmax",
    "sigmoid": "onsigmoid",
}


def _one_of(words: Iterable[str]) -> str:
    """Write a pattern of words, the longer ones first."""
    return "|".join(sorted(words, key=len, reverse=True))


_MARK = re.compile(f"_?({_one_of([*MARKS, *_OLD_MARKS])})")
_WORD = re.compile(rf"(?P<base>{_one_of(BASES)})(?P<marks>(?:{_MARK.pattern})*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixer:
    """What a word stands for.

    Attributes:
        form: Parts around the scan.
        paths: The set of scan paths.
    """

    form: SS2DForm
    paths: ScanPaths


def read_forward_type(word: str, form: SS2DForm) -> Mixer:
    """Apply a word to a mixer.

    Args:
        word: A base and marks, joined by underscores.
        form: Activation and convolution that the configuration asks for; the first release has
            its own and takes no notice of them.

    Returns:
        The mixer that the official code builds.

    Raises:
        OptionError: If the base or a mark is not known.

    Example:
        >>> read_forward_type("v05_noz", SS2DForm()).form.gate
        'none'
    """
    parts = _WORD.fullmatch(word)
    if parts is None:
        message = (
            f"forward_type is {word!r}{closest(word, BASES)}; give one of {', '.join(BASES)}, "
            f"then any of the marks _{', _'.join(MARKS)}"
        )
        raise OptionError(message)
    base, marks = parts["base"], _MARK.findall(parts["marks"])
    if base in FIRST_RELEASE:
        if marks:
            message = f"forward_type is {word!r}; {base} takes no marks, v2 has the same scan"
            raise OptionError(message)
        return Mixer(form=SS2DForm(), paths=BASES[base])
    for mark in marks:
        form = replace(form, **MARKS[_OLD_MARKS.get(mark, mark)])
    return Mixer(form=form, paths=BASES[base])
