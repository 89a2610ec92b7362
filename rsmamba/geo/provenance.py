"""Provenance in the tags of an output: which model made it, with which options, of what."""

from collections.abc import Mapping

_PREFIX = "RSMAMBA_"


def tags_of_provenance(provenance: Mapping[str, str]) -> dict[str, str]:
    """Name the tags of an output.

    Args:
        provenance: Texts by name, such as "model".

    Returns:
        The same by tag.

    Example:
        >>> tags_of_provenance({"model": "default"})
        {'RSMAMBA_MODEL': 'default'}
    """
    return {f"{_PREFIX}{name.upper()}": text for name, text in provenance.items()}


def provenance_of_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Find the provenance among the tags of a file.

    Args:
        tags: All tags of a file.

    Returns:
        Texts by name, such as "model"; empty if rsmamba did not write it.

    Example:
        >>> provenance_of_tags({"RSMAMBA_MODEL": "default", "AREA_OR_POINT": "Area"})
        {'model': 'default'}
    """
    return {
        tag.removeprefix(_PREFIX).lower(): text
        for tag, text in tags.items()
        if tag.startswith(_PREFIX)
    }
