"""A run that is killed anywhere is taken up again, and ends with the same bytes."""

import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from rsmamba.errors import OutputError, OutputExistsError
from rsmamba.geo import strip_store
from rsmamba.geo.strip_store import StripStore, StripWriter
from rsmamba.prediction.work import SceneWork

Lab = Any
OPTIONS = {"tile": 32, "overlap": 8, "margin": 2}
# Its children stop at the n-th use of the file system, from the first to the last.
KILLED_RUNS = textwrap.dedent(
    """
    import os, signal, sys
    import torch
    from pathlib import Path
    from rsmamba import SceneModel, predict
    from rsmamba.geo import strip_store

    strip_store._PIXELS_OF_A_STRIP = 4096
    scene, folder, num_kills = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    EVENTS = ("open", "os.rename", "os.mkdir", "os.remove", "os.rmdir")
    torch.manual_seed(0)
    torch.set_num_threads(1)
    network = torch.nn.Conv2d(1, 3, 3, padding=1)
    model = SceneModel(network, classes=["a", "b", "c"], in_channels=1)

    def run(name, die_at=None):
        child = os.fork()
        if child:
            return os.waitpid(child, 0)[1]
        seen = 0
        def count(event, arguments):
            nonlocal seen
            # Only what concerns the outputs; imports open files, too.
            if event in EVENTS and name in str(arguments[0]):
                seen += 1
                if seen == die_at:
                    os.kill(os.getpid(), signal.SIGKILL)
        sys.addaudithook(count)
        out = folder / name
        try:
            predict(scene, out, model=model, tile=32, overlap=8, margin=2, device="cpu",
                    confidence=folder / f"sure_{name}", overwrite=die_at is None)
        except BaseException as error:
            print(error, flush=True)
            os._exit(1)
        if die_at is None:
            (folder / "events").write_text(str(seen))
        os._exit(0)

    def content(name):
        names = (name, f"{name}.aux.xml", f"sure_{name}")
        return [(folder / one).read_bytes() for one in names]

    assert run("whole.tif") == 0
    events = int((folder / "events").read_text())
    for kill in range(num_kills):
        name = f"map{kill}.tif"
        status = run(name, die_at=1 + kill * (events - 1) // num_kills)
        assert os.WIFSIGNALED(status), status
        for path in folder.glob(f"*{name}*"):
            assert path.name.startswith(".") or path.read_bytes() == (
                folder / path.name.replace(name, "whole.tif")).read_bytes(), path
        assert run(name) == 0
        assert content(name) == content("whole.tif"), kill
        assert not list(folder.glob(".*")), kill
    print(events)
    """
)


def test_runs_killed_anywhere_end_with_the_same_bytes(lab: Lab) -> None:
    scene = lab.random_scene(200, 90)
    arguments = [KILLED_RUNS, str(scene), str(lab.folder), "24"]
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.stderr == ""
    assert int(result.stdout) > 50


def stopped_half_way(lab: Lab, monkeypatch: pytest.MonkeyPatch, **options: Any) -> Path:  # noqa: ANN401 - as predict
    """Begin ``map.tif`` and stop with a full disk; half of the strips are there."""
    monkeypatch.setattr(strip_store, "_PIXELS_OF_A_STRIP", 4096)
    scene: Path = lab.random_scene(400, 60)
    flush = StripWriter.flush

    def full(writer: StripWriter) -> None:
        if writer._count == 2:
            message = "no room to write"
            raise OutputError(message)
        flush(writer)

    with monkeypatch.context() as patch:
        patch.setattr(StripWriter, "flush", full)
        with pytest.raises(OutputError, match="no room to write"):
            predict_convolved(lab, scene, **options)
    return scene


def predict_convolved(lab: Lab, scene: Path, **options: Any) -> Any:  # noqa: ANN401 - as predict
    model = lab.convolution_model()
    model.gsd_m = options.pop("gsd_m", None)
    return lab.predict(scene, model=model, **OPTIONS | options)


def work_folder(lab: Lab) -> Path:
    (folder,) = (lab.folder / ".map.tif.rsmamba-part").glob("*/")
    return Path(folder)


def predict_again(lab: Lab, scene: Path, **options: Any) -> Any:  # noqa: ANN401 - as predict
    """Finish ``map.tif``, and compare with a run in one go."""
    result = predict_convolved(lab, scene, **options)
    predict_convolved(lab, scene, out="whole.tif", **options)
    whole, again = (lab.folder / name for name in ("whole.tif", "map.tif"))
    assert whole.read_bytes() == again.read_bytes()
    assert sorted(path.name for path in lab.folder.glob(".*")) == []
    return result


def test_finished_strips_are_not_computed_again(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = stopped_half_way(lab, monkeypatch)
    assert len(list(work_folder(lab).glob("strip-*.tif"))) == 2
    result = predict_again(lab, scene)
    assert result.resumed_pixels == 2 * 69 * 60
    assert result.tiles_computed == 36 < 17 * 3


@pytest.mark.parametrize("mem_limit", [None, 150 * 2**20])
def test_the_rest_may_be_cut_otherwise(
    mem_limit: int | None, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = stopped_half_way(lab, monkeypatch)
    assert predict_again(lab, scene, mem_limit=mem_limit).resumed_pixels > 0


def test_damaged_strips_are_made_again(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    scene = stopped_half_way(lab, monkeypatch)
    damaged = min(work_folder(lab).glob("strip-*.tif"))
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"?")
    assert predict_again(lab, scene).resumed_pixels == 69 * 60
    assert "1 of 2 finished strips are damaged and made again" in caplog.text


def test_a_torn_line_of_the_journal_is_left_out(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = stopped_half_way(lab, monkeypatch)
    (journal,) = work_folder(lab).glob("journal-*.jsonl")
    journal.write_bytes(journal.read_bytes()[:-30])
    assert predict_again(lab, scene).resumed_pixels == 69 * 60


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"tile": 40}, "options"),
        ({"prob_dtype": "float32"}, "outputs"),
        ({"co": {"BLOCKSIZE": "256"}}, "options"),
    ],
)
def test_work_with_other_options_is_discarded_with_a_line(
    options: dict[str, Any],
    word: str,
    lab: Lab,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    scene = stopped_half_way(lab, monkeypatch)
    assert predict_again(lab, scene, **options).resumed_pixels == 0
    assert f"earlier run with another {word} is discarded" in caplog.text


def test_work_on_another_scene_is_discarded(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    scene = stopped_half_way(lab, monkeypatch)
    changed = lab.read(scene)
    changed[0, 0, 0] ^= 1
    lab.scene(changed, name=scene.name)
    assert predict_again(lab, scene).resumed_pixels == 0
    assert "earlier run with another scene is discarded" in caplog.text


def test_an_output_that_exists_is_refused_also_where_work_is_left(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = stopped_half_way(lab, monkeypatch)
    (lab.folder / "map.tif").write_text("old")
    with pytest.raises(OutputExistsError, match="exists already"):
        predict_convolved(lab, scene)
    assert work_folder(lab).is_dir()


def test_two_runs_on_one_output_do_not_meet(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    scene, model = lab.random_scene(40, 40), lab.value_model()
    begin = SceneWork.begin

    def begin_twice(work: SceneWork, identity: dict[str, Any]) -> None:
        begin(work, identity)
        with pytest.raises(OutputExistsError, match=r"process \d+ on .* is writing .*map\.tif now"):
            SceneWork(work.paths)

    monkeypatch.setattr(SceneWork, "begin", begin_twice)
    lab.predict(scene, model=model)
    assert (lab.folder / "map.tif").exists()


def test_an_output_folder_that_vanishes_is_one_line(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    scene = lab.random_scene(60, 40)
    out = lab.folder / "maps"
    out.mkdir()
    flush = StripWriter.flush

    def vanish(writer: StripWriter) -> None:
        shutil.rmtree(out)
        flush(writer)

    monkeypatch.setattr(StripWriter, "flush", vanish)
    with pytest.raises(OutputError, match=r"cannot write .*map.tif: its folder is gone; make it"):
        lab.predict(scene, out="maps/map.tif", model=lab.value_model())


def test_a_disk_that_spoils_every_strip_is_told(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(StripStore, "strips", lambda *_, **__: [])
    with pytest.raises(OutputError, match="damaged as soon as they are written; check the disk"):
        lab.predict(lab.random_scene(20, 20), model=lab.value_model())


def test_resampled_work_is_taken_up_as_well(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    coarse = {"resample": True, "gsd_m": 3.1}
    scene = stopped_half_way(lab, monkeypatch, **coarse)
    assert predict_again(lab, scene, **coarse).resumed_pixels > 0
