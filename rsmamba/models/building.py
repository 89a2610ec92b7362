"""A bound on the network that a model file describes, while it is built."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from torch import Tensor, nn
from torch.nn.modules import module

from rsmamba.errors import ModelFileError

# Networks also hold what is derived from their weights or from their size.
_SPARE_FACTOR = 4
_SPARE_VALUES = 2**26
_SPARE_TENSORS = 4096


@contextmanager
def building_within(path: Path, tensors: Mapping[str, Tensor]) -> Iterator[None]:
    """Stop a network from growing far beyond the weights that are there for it.

    Args:
        path: The file, for messages.
        tensors: The weights of the file.

    Yields:
        Nothing; networks that this thread builds meanwhile are counted.

    Raises:
        ModelFileError: From inside, when a network has far more weights than the file.
    """
    count = _Count(path, tensors)
    hooks = (
        module.register_module_parameter_registration_hook(count.add),
        module.register_module_buffer_registration_hook(count.add),
    )
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


class _Count:
    """Counts what a network registers."""

    def __init__(self, path: Path, tensors: Mapping[str, Tensor]) -> None:
        self._path = path
        self._thread = threading.get_ident()
        stored = sum(tensor.numel() for tensor in tensors.values())
        self._values = _SPARE_FACTOR * stored + _SPARE_VALUES
        self._tensors = _SPARE_FACTOR * len(tensors) + _SPARE_TENSORS
        self._stored = stored

    def add(self, owner: nn.Module, name: str, tensor: Tensor | None) -> None:
        """Count one tensor."""
        del owner
        # Another thread may build a network of its own.
        if tensor is None or threading.get_ident() != self._thread:
            return
        self._values -= tensor.numel()
        self._tensors -= 1
        if self._values < 0 or self._tensors < 0:
            message = (
                f"{self._path} describes a network far larger than its {self._stored:,} weights "
                f"(at {name}); save it again"
            )
            raise ModelFileError(message)
