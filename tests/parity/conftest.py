"""Fixtures that the parity tests of every family use: official cases and key lists.

A case is `data/<name>.json` (the official constructor's arguments) and `data/<name>.safetensors`
(official weights, inputs, outputs). For annotations import the classes under `TYPE_CHECKING`:
`from tests.parity.conftest import CloseToGolden, Golden`.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

DATA = Path(__file__).resolve().parent / "data"
# Names under which the stored cases keep the arguments of the official class.
CONFIG_KEYS = ("config", "constructor", "classifier_config")

# "key<tab>(48, 3)<tab>dtype" or "key -> [48, 3] dtype".
KEY_ROW = re.compile(r"(?P<key>\S+)(?:\t| -> )[(\[](?P<shape>[^)\]]*)[)\]]")

Rename = Callable[[str], str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Golden:
    """One official case.

    Attributes:
        facts: The whole JSON file.
        config: Arguments of the official class, by their official names.
        weights: Official state dict in float64, without the prefix "weight.".
        extra_weights: What only the official dense backbone holds, without "extra_weight.".
        tensors: Inputs and outputs in float64, by their stored names.
    """

    facts: dict[str, Any]
    config: dict[str, Any]
    weights: dict[str, Tensor]
    extra_weights: dict[str, Tensor]
    tensors: dict[str, Tensor]

    @property
    def prefixes(self) -> list[str]:
        """What stands before "input" and before the outputs that belong to it, such as "odd."."""
        return sorted(name.removesuffix("input") for name in self.tensors if name.endswith("input"))

    def image(self, prefix: str = "") -> Tensor:
        """Return the input that is stored under a prefix."""
        return self.tensors[f"{prefix}input"]

    def expected(self, name: str, *, prefix: str = "") -> Tensor:
        """Return an output that is stored under a prefix."""
        return self.tensors[f"{prefix}{name}"]


class CloseToGolden(Protocol):
    """Compare with a stored output."""

    def __call__(self, actual: Tensor, expected: Tensor, tolerance: float = 1e-6) -> None:
        """Fail when the largest difference exceeds the tolerance times the largest value."""


class LoadOfficial(Protocol):
    """Load official weights into one of our modules, strictly, and make it ready to compare."""

    def __call__(
        self, module: nn.Module, weights: Mapping[str, Tensor], rename: Rename
    ) -> nn.Module:
        """Return the module in float64 and evaluation mode."""
        ...


def _without(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


@pytest.fixture(scope="session")
def golden() -> Callable[[str], Golden]:
    """Read an official case by its name."""

    def read(name: str) -> Golden:
        facts = json.loads((DATA / f"{name}.json").read_text(encoding="utf-8"))
        stored = {
            key: tensor.double() if tensor.is_floating_point() else tensor
            for key, tensor in load_file(DATA / f"{name}.safetensors").items()
        }
        return Golden(
            facts=facts,
            config=next(facts[key] for key in CONFIG_KEYS if key in facts),
            weights=_without("weight.", stored),
            extra_weights=_without("extra_weight.", stored),
            tensors={k: v for k, v in stored.items() if not k.startswith(("weight.", "extra_"))},
        )

    return read


@pytest.fixture(scope="session")
def assert_close_to_golden() -> CloseToGolden:
    """Compare shapes, and values relative to the largest expected one."""

    def check(actual: Tensor, expected: Tensor, tolerance: float = 1e-6) -> None:
        assert actual.shape == expected.shape
        error = (actual.detach().double() - expected).abs().max() / expected.abs().max()
        # Written so that NaN fails too.
        assert error.item() <= tolerance, f"relative error {error.item():.2e} > {tolerance:.0e}"

    return check


@pytest.fixture(scope="session")
def load_official() -> LoadOfficial:
    """Rename, load strictly, and return the module in float64 and evaluation mode."""

    def load(module: nn.Module, weights: Mapping[str, Tensor], rename: Rename) -> nn.Module:
        renamed = {rename(key): tensor for key, tensor in weights.items()}
        state = {key: tensor for key, tensor in renamed.items() if key is not None}
        module.double().load_state_dict(state, strict=True)
        return module.eval()

    return load


@pytest.fixture(scope="session")
def official_keys() -> Callable[[str], dict[str, torch.Size]]:
    """Read a list of official keys and shapes, `data/<name>.txt`."""

    def read(name: str) -> dict[str, torch.Size]:
        lines = (DATA / f"{name}.txt").read_text(encoding="utf-8").splitlines()
        rows = [KEY_ROW.match(line) for line in lines if line and not line.startswith("#")]
        assert rows
        assert None not in rows
        return {row["key"]: _size(row["shape"]) for row in rows if row is not None}

    return read


def _size(shape: str) -> torch.Size:
    """Read what stands inside the brackets: "48, 3", "48," or nothing."""
    return torch.Size(int(number) for number in shape.split(",") if number.strip())
