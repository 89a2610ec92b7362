"""Work is cut so that workers share it, and taken up again where one dies."""

from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Future
from pathlib import Path
from typing import Any

import pytest

from rsmamba import BatchResult, SceneModel, run_batch
from rsmamba.batch import crew
from rsmamba.batch.blocks import Survey
from rsmamba.batch.distribution import cut_rows
from rsmamba.batch.pools import ProcessPool
from rsmamba.errors import ClusterError, OptionError, RsmambaError
from rsmamba.geo import strip_store

Archive = Any
OPTIONS: dict[str, Any] = {"tile": 32, "overlap": 8, "margin": 2, "device": "cpu"}


class PoolHere:
    """Does every task at once, in this process; some tasks meet a worker that dies."""

    def __init__(self, dying: tuple[int, ...] = ()) -> None:
        self.size = 3
        self.names: list[str] = []
        self._dying = dying

    def submit(self, function: Callable[..., Any], *arguments: Any) -> "Future[Any]":  # noqa: ANN401 - any function
        """Do it now."""
        future: Future[Any] = Future()
        self.names.append(function.__name__)
        if len(self.names) - 1 in self._dying:
            future.set_exception(BrokenExecutor())
            return future
        try:
            future.set_result(function(*arguments))
        except Exception as error:  # noqa: BLE001 - as an executor
            future.set_exception(error)
        return future

    def check(self) -> None:
        """Be there."""

    def close(self) -> None:
        """Have nothing to stop."""


def batch(
    archive: Archive,
    monkeypatch: pytest.MonkeyPatch,
    pool: PoolHere,
    **options: Any,  # noqa: ANN401 - as run_batch
) -> BatchResult:
    monkeypatch.setattr(crew, "ProcessPool", lambda _: pool)
    arguments: dict[str, Any] = {"model": archive.model, "threads": 1, **OPTIONS, **options}
    return run_batch([archive.imagery], archive.maps, workers=3, **arguments)


def alone(archive: Archive, name: str) -> bytes:
    """Return the map that one process makes."""
    out = archive.folder / "alone"
    run_batch([archive.imagery], out, model=archive.model, threads=1, **OPTIONS)
    return (out / name).read_bytes()


def test_one_scene_is_spread_over_all_workers(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive.add("a.tif", height=200)
    pool = PoolHere()
    assert batch(archive, monkeypatch, pool).counts["done"] == 1
    assert pool.names == ["survey", *["compute_block"] * 3, "assemble_scene"]
    assert archive.bytes_of("a.tif") == alone(archive, "a.tif")


def test_many_scenes_are_not_cut(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "abcd":
        archive.add(f"{name}.tif")
    pool = PoolHere()
    assert batch(archive, monkeypatch, pool).counts["done"] == 4
    assert pool.names.count("compute_block") == 4


def test_what_a_dying_worker_had_is_done_by_another(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive.add("a.tif", height=200)
    pool = PoolHere(dying=(0, 2, 3))
    assert batch(archive, monkeypatch, pool).counts["done"] == 1
    assert pool.names.count("compute_block") == 5
    assert archive.bytes_of("a.tif") == alone(archive, "a.tif")


def test_a_scene_that_kills_its_workers_fails(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive.add("a.tif")
    result = batch(archive, monkeypatch, PoolHere(dying=(1, 2, 3)))
    assert "3 workers died while this scene was computed" in result.scenes[0].reason


def test_a_failing_block_leaves_the_others_to_the_next_run(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive.add("a.tif", height=200)
    flush = strip_store.StripWriter.flush

    def fail_below(writer: Any) -> None:  # noqa: ANN401 - a writer
        if writer._row > 0:
            message = "no room"
            raise RsmambaError(message)
        flush(writer)

    with monkeypatch.context() as patch:
        patch.setattr(strip_store.StripWriter, "flush", fail_below)
        assert batch(archive, monkeypatch, PoolHere()).scenes[0].reason == "no room"
    again = batch(archive, monkeypatch, PoolHere())
    assert again.scenes[0].facts["resumed_pixels"] > 0
    assert archive.bytes_of("a.tif") == alone(archive, "a.tif")


@pytest.mark.slow
def test_real_processes_make_the_same_bytes(archive: Archive) -> None:
    archive.add("a.tif", height=120)
    (archive.imagery / "bad.tif").write_text("no raster")
    result = run_batch(
        [archive.imagery], archive.maps, model=archive.model, workers=2, threads=1, **OPTIONS
    )
    assert [scene.status for scene in result.scenes] == ["done", "failed"]
    assert archive.bytes_of("a.tif") == alone(archive, "a.tif")


@pytest.mark.parametrize(("rows", "blocks"), [(100, 1), (100, 3), (100, 12), (5, 2)])
def test_blocks_cover_the_scene_once(rows: int, blocks: int) -> None:
    cuts = tuple(range(7, rows, 10))
    found = Survey(identity={}, tags={}, height=rows, width=4, cuts=cuts)
    windows = cut_rows(found, blocks)
    assert [window.row for window in windows] == [0, *[window.row_stop for window in windows[:-1]]]
    assert windows[-1].row_stop == rows
    assert len(windows) <= blocks


def test_a_crew_that_cannot_work_is_refused(archive: Archive, tmp_path: Path) -> None:
    archive.add("a.tif")
    for options, message in (
        ({"workers": 0}, "workers 0 is not a number of processes"),
        ({"workers": 2, "scheduler": "tcp://a:1"}, "are two ways; give one of them"),
    ):
        with pytest.raises(OptionError, match=message):
            run_batch([archive.imagery], tmp_path / "o", model=archive.model, **OPTIONS, **options)


def test_workers_need_a_model_file(archive: Archive) -> None:
    model = SceneModel(pytest.importorskip("torch").nn.Identity(), classes=["a"], in_channels=1)
    archive.add("a.tif")
    with pytest.raises(OptionError, match="workers read the model from a file; save it"):
        run_batch([archive.imagery], archive.maps, model=model, workers=2, **OPTIONS)


def test_an_absent_scheduler_is_one_line(archive: Archive) -> None:
    pytest.importorskip("distributed")
    archive.add("a.tif")
    with pytest.raises(ClusterError, match=r"no Dask scheduler answers at /absent\.json"):
        run_batch(
            [archive.imagery],
            archive.maps,
            model=archive.model,
            scheduler="/absent.json",
            **OPTIONS,
        )


def test_a_pool_has_workers() -> None:
    with pytest.raises(OptionError, match="workers 0 is not a number of processes; give 1 or more"):
        ProcessPool(0)
