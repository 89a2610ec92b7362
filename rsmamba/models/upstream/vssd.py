"""Names of the official VSSD checkpoints (YuHengsss/VSSD): ours are the same."""

from typing import Literal

NEW_IN_ENCODER: tuple[str, ...] = (r"outnorm\d+\.(weight|bias)$",)


def rename(key: str, *, part: Literal["classifier", "encoder"]) -> str | None:
    """Return our key for an official one.

    Args:
        key: Key of the official state dict, without the prefix of a wrapper.
        part: What the key is for.

    Returns:
        The key in our module, or None for what it does not hold: the head of the classifier in
        an encoder, and tables of rotary angles, which follow from the size of the map.
    """
    if key.endswith(".ropes.rotations"):
        return None
    if part == "encoder" and key.startswith(("norm.", "head.")):
        return None
    return key
