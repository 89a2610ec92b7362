"""What became of the scenes of a batch."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

Status = Literal["done", "skipped", "failed"]
# Reasons of skipped scenes whose maps are there.
IS_DONE = "is done"
DONE_BY_ANOTHER = "is done by another run"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """Summary of one finished scene.

    Attributes:
        seconds: Time from its start to its outputs' names.
        cpu_seconds: Processor time of the computation.
        pixels: Pixels of the map.
        masked_pixels: Pixels without a class.
        resumed_pixels: Pixels that an earlier run had finished.
        class_pixels: Pixels of each class.
    """

    seconds: float
    cpu_seconds: float
    pixels: int
    masked_pixels: int
    resumed_pixels: int
    class_pixels: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneOutcome:
    """What became of one scene.

    Attributes:
        scene: The scene as it was found.
        out: Its class map.
        status: "done" now, "skipped" because it is done or another run has it, or "failed".
        reason: Why it was skipped or failed.
        seconds: Time that it took.
        facts: Summary of the prediction, plain values.
    """

    scene: str
    out: Path
    status: Status
    reason: str = ""
    seconds: float = 0.0
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def has_map(self) -> bool:
        """True if the class map is there and is what was asked for."""
        return self.status == "done" or self.reason in {IS_DONE, DONE_BY_ANOTHER}

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values for JSON.

        Returns:
            A dictionary.
        """
        values = {"scene": self.scene, "out": str(self.out), "status": self.status}
        optional: dict[str, Any] = {"reason": self.reason, "seconds": self.seconds, **self.facts}
        return values | {name: value for name, value in optional.items() if value}


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchResult:
    """Summary of a batch.

    Attributes:
        out: Folder of the outputs.
        scenes: What became of each scene, in the order of the inputs.
        seconds: Time of the whole batch.
    """

    out: Path
    scenes: tuple[SceneOutcome, ...]
    seconds: float

    @property
    def counts(self) -> dict[Status, int]:
        """Number of scenes by status."""
        found = Counter(scene.status for scene in self.scenes)
        statuses: tuple[Status, ...] = ("done", "skipped", "failed")
        return {status: found[status] for status in statuses}

    @property
    def pixels(self) -> int:
        """Pixels of the maps that were made now."""
        return sum(scene.facts.get("pixels", 0) for scene in self.scenes)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values for JSON.

        Returns:
            A dictionary.
        """
        counts: dict[str, int] = dict(self.counts.items())
        return {
            "out": str(self.out),
            **counts,
            "pixels": self.pixels,
            "seconds": self.seconds,
            "scenes": [scene.to_dict() for scene in self.scenes],
        }
