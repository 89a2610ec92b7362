"""SceneWork: the unfinished work on one scene, taken up where an earlier run stopped."""

import json
import logging
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rsmamba.geo.output import write_errors
from rsmamba.geo.part_folder import PartFolder
from rsmamba.prediction.assembly import Assembled, find_assembled
from rsmamba.prediction.identity import differences, key_of
from rsmamba.prediction.outputs import OutputPaths

log = logging.getLogger(__name__)

_HEADER = "identity.json"


class SceneWork:
    """The hidden folders of a scene's outputs; one run at a time has them.

    Use it as a context manager. What is finished stays for the next run; a folder without a
    finished strip is removed.

    Args:
        paths: Where the outputs go.

    Attributes:
        paths: Where the outputs go.
        assembled: What an earlier run left complete, after ``begin``.
        key: Name of the folder of the strips, after ``begin``.

    Raises:
        OutputBusyError: If another run is writing one of the outputs.
        OutputError: If a folder cannot be made.
    """

    def __init__(self, paths: OutputPaths) -> None:
        self.paths = paths
        self.assembled: Assembled | None = None
        self._parts = [PartFolder(target) for target in paths.rasters().values()]
        self.key = ""
        taken: list[PartFolder] = []
        try:
            for part in self._parts:
                part.acquire()
                taken.append(part)
        except BaseException:
            for part in taken:
                part.release()
            raise

    @property
    def folder(self) -> Path:
        """Where the strips are, after ``begin``."""
        return self._parts[0].path / self.key

    def begin(self, identity: Mapping[str, Any]) -> None:
        """Keep what an earlier run of the same identity left, and discard anything else.

        Args:
            identity: All that the outputs depend on.

        Raises:
            OutputError: If the folders cannot be written.
        """
        self.key = key_of(identity)
        self._tell_of_others(identity)
        with write_errors(self.paths.class_map):
            for part in self._parts:
                part.discard(keep=[self.key])
                (part.path / self.key).mkdir(exist_ok=True)
            (self.folder / _HEADER).write_text(json.dumps(identity, default=str), encoding="utf-8")
        self.assembled = find_assembled(self.folder, paths=self.paths)
        place = self.assembled.place if self.assembled else None
        for part in self._parts:
            for path in (part.path / self.key).glob("assembly-*"):
                if path.name != place:
                    shutil.rmtree(path, ignore_errors=True)

    def publish(self, done: Assembled) -> None:
        """Give the outputs their names and remove the folders.

        Args:
            done: The complete outputs.

        Raises:
            OutputError: If one cannot be renamed.
        """
        done.publish(self.paths, self.key)
        # The folder of the class map goes last, because it tells that outputs are this run's.
        for part in reversed(self._parts):
            part.remove()

    def close(self) -> None:
        """Leave finished strips to the next run; without any, remove the folders."""
        holds_strips = any(self._parts[0].path.glob("*/*.jsonl"))
        for part in self._parts:
            if holds_strips:
                part.release()
            else:
                part.remove()

    def __enter__(self) -> Self:
        """Return the work itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave finished strips to the next run."""
        self.close()

    def _tell_of_others(self, identity: Mapping[str, Any]) -> None:
        for path in self._parts[0].path.glob(f"*/{_HEADER}"):
            if path.parent.name == self.key or not any(path.parent.glob("*.jsonl")):
                continue
            try:
                found = differences(json.loads(path.read_text(encoding="utf-8")), _plain(identity))
            except ValueError:
                found = "state"
            log.warning(
                "%s: unfinished work of an earlier run with another %s is discarded",
                self.paths.class_map,
                found,
            )


def _plain(identity: Mapping[str, Any]) -> Any:  # noqa: ANN401 - JSON
    return json.loads(json.dumps(identity, default=str))
