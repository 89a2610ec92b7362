"""The folder of a run: the names in it, and whether a configuration may write there."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import MISSING, asdict, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

from rsmamba.data import DataConfig
from rsmamba.errors import ConfigError, OutputError, OutputExistsError
from rsmamba.train.checkpoints import Checkpoint, part_of
from rsmamba.train.config import ModelConfig, TrainConfig
from rsmamba.train.recipe import (
    DistillationConfig,
    LossConfig,
    OptimiserConfig,
    ScheduleConfig,
)

# Sections that decide what is computed; a run cannot be resumed with other ones.
_FIXED_SECTIONS = {
    "data": DataConfig,
    "model": ModelConfig,
    "optimiser": OptimiserConfig,
    "schedule": ScheduleConfig,
    "loss": LossConfig,
    "distillation": DistillationConfig,
}
# Values that decide it in the section that may change, and some in the others that do not.
_FIXED_TRAINER_KEYS = ("batch_size", "seed")
_FREE_KEYS = ("data.root", "data.cache_mb")
_MOST_NAMED, _MOST_CHARACTERS = 3, 40


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFolder:
    """Names of what a run writes.

    Attributes:
        path: The folder.
    """

    path: Path

    @property
    def best_model(self) -> Path:
        """Model file of the validated epoch with the highest mIoU."""
        return self.path / "best.safetensors"

    @property
    def last_model(self) -> Path:
        """Model file of the last epoch."""
        return self.path / "last.safetensors"

    @property
    def history(self) -> Path:
        """One line an epoch."""
        return self.path / "history.csv"

    @property
    def step_log(self) -> Path:
        """Loss of every batch."""
        return self.path / "losses.csv"

    @property
    def checkpoint(self) -> Path:
        """Everything that is needed to go on."""
        return self.path / "last.ckpt"

    @property
    def configuration(self) -> Path:
        """The configuration with all its values."""
        return self.path / "config.json"

    @property
    def environment(self) -> Path:
        """Packages, machine, code and data of each session."""
        return self.path / "environment.json"

    @property
    def curves(self) -> Path:
        """Picture of loss, learning rate and accuracy."""
        return self.path / "curves.png"

    @property
    def samples(self) -> Path:
        """Folder of pictures of validation scenes, as the best model sees them."""
        return self.path / "samples"

    def check(self, config: TrainConfig) -> Checkpoint | None:
        """Say where a run continues, or refuse it; writes nothing.

        Args:
            config: The run.

        Returns:
            Where it goes on; None where it begins.

        Raises:
            OutputExistsError: If the folder holds a run and `trainer.resume` is off, or no
                checkpoint of it.
            OutputError: If the path is a file.
            ConfigError: If the run cannot be continued with this configuration.
        """
        if self.path.exists() and not self.path.is_dir():
            msg = f"trainer.run_dir {self.path} is a file; give a folder, which may be new"
            raise OutputError(msg)
        held = any(p.exists() for p in (self.checkpoint, self.best_model, self.last_model))
        if held and not config.trainer.resume:
            msg = (
                f"{self.path} already holds a run; continue it with trainer.resume=true "
                "(--resume) or choose another trainer.run_dir"
            )
            raise OutputExistsError(msg)
        if not self.checkpoint.exists():
            self._refuse_to_replace()
            return None
        self._check_same_run(config)
        checkpoint = Checkpoint.read(self.checkpoint)
        self._check_epochs(config, done=checkpoint.epoch)
        return checkpoint

    def begin(self, config: TrainConfig) -> None:
        """Make the folder and store the configuration in it.

        Args:
            config: The run.

        Raises:
            OutputError: If that cannot be written.
        """
        part = self.configuration.with_suffix(".part")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            part.write_text(json.dumps(plain(config), indent=2) + "\n", encoding="utf-8")
            part.replace(self.configuration)
        except OSError as error:
            msg = f"cannot write to trainer.run_dir {self.path}: {error.strerror or error}"
            raise OutputError(msg) from error

    def discard_unless_begun(self) -> None:
        """Remove what a run wrote that did not come to its first checkpoint."""
        if self.checkpoint.exists() or not self.path.is_dir():
            return
        files = (
            self.configuration,
            self.environment,
            self.last_model,
            self.best_model,
            self.history,
            self.step_log,
            self.curves,
        )
        for path in files:
            path.unlink(missing_ok=True)
            part_of(path).unlink(missing_ok=True)
        (self.path / "mlflow.db").unlink(missing_ok=True)
        for name in ("samples", "tensorboard", "wandb"):
            shutil.rmtree(self.path / name, ignore_errors=True)
        if not any(self.path.iterdir()):
            self.path.rmdir()

    def _refuse_to_replace(self) -> None:
        """Keep the models of a run whose checkpoint somebody has removed."""
        # A run that was killed as it wrote its first checkpoint has told one epoch and begins anew.
        if self.history.exists() and len(self.history.read_bytes().splitlines()) > 2:
            msg = (
                f"{self.path} holds the models of a run and no {self.checkpoint.name} to go on "
                "from; choose another trainer.run_dir, or move them away"
            )
            raise OutputExistsError(msg)

    def _check_same_run(self, config: TrainConfig) -> None:
        """Refuse to continue with other data, network, loss or steps."""
        try:
            before = json.loads(self.configuration.read_text(encoding="utf-8"))
            then = _deciding(before)
        except (OSError, ValueError, TypeError, AttributeError, KeyError) as error:
            msg = (
                f"{self.configuration} cannot be read ({error}), so the run cannot be continued; "
                "choose another trainer.run_dir"
            )
            raise ConfigError(msg) from error
        now = _deciding(plain(config))
        changed = [
            f"{name} {_short(then.get(name))} and not {_short(now.get(name))}"
            for name in sorted({*then, *now})
            if then.get(name) != now.get(name)
        ]
        if changed:
            rest = len(changed) - _MOST_NAMED
            named = ", ".join(changed[:_MOST_NAMED]) + (f" and {rest} more" if rest > 0 else "")
            msg = (
                f"the run in {self.path} was started with {named}; "
                "change them back, or begin another run in another trainer.run_dir"
            )
            raise ConfigError(msg)

    def _check_epochs(self, config: TrainConfig, *, done: int) -> None:
        """Refuse fewer epochs than are done."""
        if done > config.trainer.epochs:
            msg = (
                f"trainer.epochs is {config.trainer.epochs} and the run in {self.path} has done "
                f"{done}; give {done} or more"
            )
            raise ConfigError(msg)


def plain(config: TrainConfig) -> dict[str, Any]:
    """Turn a configuration into what JSON holds.

    Args:
        config: The run.

    Returns:
        Sections of plain values.
    """
    values: dict[str, Any] = json.loads(json.dumps(asdict(config), default=str))
    return values


def _deciding(values: dict[str, Any]) -> dict[str, Any]:
    """Values by dotted name that decide what is computed."""
    flat: dict[str, Any] = {}
    for name, section in _FIXED_SECTIONS.items():
        given = flattened(values.get(name, {}), name)
        flat |= dict(flattened(_defaults(section), name)) | dict(given)
    flat |= {f"trainer.{key}": values["trainer"][key] for key in _FIXED_TRAINER_KEYS}
    return {name: value for name, value in flat.items() if name not in _FREE_KEYS}


def flattened(values: dict[str, Any], name: str) -> Iterator[tuple[str, Any]]:
    """Give nested dictionaries dotted names.

    Args:
        values: Values or dictionaries by key.
        name: Name of the dictionary itself.

    Yields:
        Dotted name and value of each leaf.
    """
    for key, value in values.items():
        if isinstance(value, dict):
            yield from flattened(value, f"{name}.{key}")
        else:
            yield f"{name}.{key}", value


def _short(value: object) -> str:
    """A value in a few characters."""
    text = repr(value)
    return text if len(text) <= _MOST_CHARACTERS else text[:_MOST_CHARACTERS] + "..."


def _defaults(section: Any) -> dict[str, Any]:  # noqa: ANN401 - any dataclass
    """Plain defaults: what a run of an older version had in fields that it did not know."""
    values = {
        field.name: field.default if field.default_factory is MISSING else field.default_factory()
        for field in fields(section)
    }
    known = {
        name: asdict(value) if is_dataclass(value) and not isinstance(value, type) else value
        for name, value in values.items()
        if value is not MISSING
    }
    plain: dict[str, Any] = json.loads(json.dumps(known, default=str))
    return plain
