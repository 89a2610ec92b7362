"""VMamba's words for the form of the mixer, such as "v05_noz".

Source: released code (MzeroMiko/VMamba at 2ed52ea). A word is a base, then marks. The bases differ
in which kernel ran and in its precision, which is not our concern: only the scan paths and "v0",
the first release, differ in what is computed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from rsmamba.errors import OptionError
from rsmamba.models.layers.ss2d import SS2DForm
from rsmamba.models.options import closest
from rsmamba.ops.scan_paths import ScanPaths

FIRST_RELEASE = ("v0", "v0seq")
BASES: dict[str, ScanPaths] = {
    **dict.fromkeys((*FIRST_RELEASE, "v01", "v02", "v03", "v04", "v05", "v2", "v3"), "cross"),
    "v051d": "one_way",
    "v052d": "two_ways",
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
    base, *marks = word.split("_")
    if base not in BASES:
        message = (
            f"forward_type is {word!r}; it must start with one of {', '.join(BASES)}"
            f"{closest(base, BASES)}"
        )
        raise OptionError(message)
    if base in FIRST_RELEASE:
        if marks:
            message = f"forward_type is {word!r}; {base} takes no marks, v2 has the same scan"
            raise OptionError(message)
        return Mixer(form=SS2DForm(), paths=BASES[base])
    for mark in marks:
        if mark not in MARKS:
            message = (
                f"forward_type is {word!r}; {mark!r} is none of the marks {', '.join(MARKS)}"
                f"{closest(mark, MARKS)}"
            )
            raise OptionError(message)
        form = replace(form, **MARKS[mark])
    return Mixer(form=form, paths=BASES[base])
