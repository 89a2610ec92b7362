"""A batch does what is not done, once, and no scene stops the others."""

import os
from pathlib import Path
from typing import Any

import pytest

from rsmamba import BatchResult, predict, run_batch
from rsmamba.batch import crew
from rsmamba.batch.records import RECORDS_NAME
from rsmamba.errors import DataError, ModelFileError, OutputError
from rsmamba.geo.part_folder import PartFolder

Archive = Any
OPTIONS: dict[str, Any] = {"tile": 32, "overlap": 8, "margin": 2, "device": "cpu"}


def batch(archive: Archive, **options: Any) -> BatchResult:  # noqa: ANN401 - as run_batch
    arguments: dict[str, Any] = {"model": archive.model, **OPTIONS, **options}
    return run_batch([archive.imagery], archive.maps, **arguments)


def statuses(result: BatchResult) -> list[str]:
    return [scene.status for scene in result.scenes]


def test_a_batch_makes_the_maps_of_predict(archive: Archive) -> None:
    scene = archive.add("north/a.tif")
    archive.add("b.tif")
    result = batch(archive, extra=["confidence"])
    assert result.counts == {"done": 2, "skipped": 0, "failed": 0}
    assert result.pixels == 2 * 40 * 48
    alone = archive.folder / "alone.tif"
    predict(scene, alone, model=archive.model, **OPTIONS)
    assert archive.bytes_of("north/a.tif") == alone.read_bytes()
    assert (archive.maps / "b_confidence.tif").exists()


def test_a_second_batch_does_nothing(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    archive.add("a.tif")
    batch(archive)
    before = archive.bytes_of("a.tif")
    with monkeypatch.context() as patch:
        patch.setattr(crew, "load_model", None)
        result = batch(archive)
    assert [(scene.status, scene.reason) for scene in result.scenes] == [("skipped", "is done")]
    assert archive.bytes_of("a.tif") == before


def test_bad_scenes_are_told_and_do_not_stop_the_others(archive: Archive) -> None:
    archive.add("a.tif")
    (archive.imagery / "b.tif").write_text("no raster")
    whole = archive.add("c.tif", height=400).read_bytes()
    (archive.imagery / "c.tif").write_bytes(whole[:9000])
    archive.add("d.tif")
    result = batch(archive)
    assert statuses(result) == ["done", "failed", "failed", "done"]
    assert all("b.tif" in scene.reason or "c.tif" in scene.reason for scene in result.scenes[1:3])
    assert result.to_dict()["failed"] == 2
    assert sorted(path.name for path in archive.maps.iterdir() if path.suffix == ".tif") == [
        "a.tif",
        "d.tif",
    ]


def test_a_surprise_in_one_scene_is_its_own(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    def surprise(*_: object, **__: object) -> None:
        message = "odd\nthing"
        raise ZeroDivisionError(message)

    archive.add("a.tif")
    monkeypatch.setattr(crew, "predict_scene", surprise)
    (scene,) = batch(archive).scenes
    assert (scene.status, scene.reason) == ("failed", "ZeroDivisionError: odd thing")


@pytest.mark.parametrize("change", ["scene", "options", "map"])
def test_what_changed_is_not_taken_for_done(change: str, archive: Archive) -> None:
    scene = archive.add("a.tif")
    batch(archive)
    options = {}
    if change == "scene":
        archive.add("a.tif", height=44)
    if change == "options":
        options = {"tile": 40}
    if change == "map":
        (archive.maps / "a.tif").write_bytes(b"other")
    (outcome,) = batch(archive, **options).scenes
    assert outcome.status == "failed"
    assert "exists already; give another name or --overwrite" in outcome.reason
    assert statuses(batch(archive, overwrite=True, **options)) == ["done"]
    assert statuses(batch(archive, **options)) == ["skipped"]
    assert scene.exists()


def test_a_map_without_a_record_is_known_by_its_tags(archive: Archive) -> None:
    scene = archive.add("a.tif")
    batch(archive)
    (archive.maps / RECORDS_NAME).unlink()
    os.utime(scene)
    assert statuses(batch(archive)) == ["skipped"]
    assert (archive.maps / RECORDS_NAME).exists()


def test_what_another_run_has_is_left_to_it(archive: Archive) -> None:
    archive.add("a.tif")
    archive.maps.mkdir()
    other = PartFolder(archive.maps / "a.tif")
    other.acquire()
    (scene,) = batch(archive).scenes
    assert scene.status == "skipped"
    assert "is writing" in scene.reason
    other.release()
    assert statuses(batch(archive)) == ["done"]


def test_progress_counts_scenes(archive: Archive) -> None:
    archive.add("a.tif")
    archive.add("b.tif")
    reports: list[tuple[int, int]] = []
    batch(archive, progress=lambda done, total: reports.append((done, total)))
    assert reports == [(1, 2), (2, 2)]


def test_a_batch_that_cannot_begin_is_refused(archive: Archive, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="imagery holds no scene"):
        batch(archive)
    archive.add("a.tif")
    with pytest.raises(ModelFileError, match=r"no model file at .*absent"):
        batch(archive, model=tmp_path / "absent.safetensors")
    archive.maps.write_text("a file")
    with pytest.raises(OutputError, match=r"output folder .*maps cannot be made: .*; give another"):
        batch(archive)
