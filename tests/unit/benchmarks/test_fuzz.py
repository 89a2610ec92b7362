"""A few of the damaged files that ``benchmarks/fuzz.py`` makes by the thousand."""

import json
import os
import signal
from pathlib import Path

import pytest

pytest.importorskip("benchmarks.fuzzing.cases", reason="runs from the root of the checkout")
from benchmarks.fuzz import summary
from benchmarks.fuzzing import cases
from benchmarks.fuzzing.cases import Case, Outcome, Seeds, make_seeds, run_case
from benchmarks.fuzzing.mutations import damaged_model, damaged_scene, header_length
from benchmarks.fuzzing.pool import Finished, run_cases


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> Seeds:
    """Whole files."""
    return make_seeds(tmp_path_factory.mktemp("seeds"))


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


def test_damage_is_repeatable_and_differs(seeds: Seeds) -> None:
    scenes = [damaged_scene(seeds.scenes, number) for number in range(60)]
    models = [damaged_model(seeds.model, number) for number in range(60)]
    assert scenes == [damaged_scene(seeds.scenes, number) for number in range(60)]
    assert models == [damaged_model(seeds.model, number) for number in range(60)]
    assert sum(scene in seeds.scenes for scene in scenes) < 6
    assert models.count(seeds.model) < 6
    assert json.loads(seeds.model[8 : 8 + header_length(seeds.model)])


def test_whole_files_are_predicted(seeds: Seeds, tmp_path: Path) -> None:
    (tmp_path / "case").mkdir()
    outcome = run_case(Case(kind="whole", number=0), seeds, tmp_path / "case")
    assert (outcome.status, outcome.fault) == (0, "")


@pytest.mark.parametrize(("kind", "count"), [("scene", 12), ("model", 8)])
def test_damaged_files_end_in_a_map_or_one_line(
    seeds: Seeds, tmp_path: Path, kind: str, count: int
) -> None:
    (tmp_path / "case").mkdir()
    for number in range(count):
        outcome = run_case(Case(kind=kind, number=5000 + number), seeds, tmp_path / "case")
        assert not outcome.fault, (number, outcome)


def test_what_goes_wrong_is_noticed(
    seeds: Seeds, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(words: list[str]) -> int:
        Path("stray.txt").write_text(words[0])
        message = "unforeseen"
        raise KeyError(message)

    monkeypatch.setattr("rsmamba.cli.app.run", crash)
    (tmp_path / "case").mkdir()
    outcome = run_case(Case(kind="scene", number=0), seeds, tmp_path / "case")
    assert "outside the output folder: ['elsewhere/stray.txt']" in outcome.fault
    assert "KeyError: 'unforeseen'" in outcome.fault


@pytest.mark.parametrize(
    ("status", "printed", "fault"),
    [(0, "", "exit status 0 and no map"), (3, "", "exit status 3"), (1, "a\nb\n", "not one line")],
)
def test_other_faults(status: int, printed: str, fault: str) -> None:
    found = cases._fault(status, printed, trace="", is_there=False)
    assert found.startswith(fault)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_children_that_hang_grow_or_die_are_replaced(
    seeds: Seeds, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(case: Case, *_: object) -> Outcome:
        if case.number == 0:
            signal.pause()
        if case.number == 1:
            os._exit(3)
        return Outcome(status=0)

    monkeypatch.setattr("benchmarks.fuzzing.pool.run_case", run)
    monkeypatch.setattr("benchmarks.fuzzing.pool.LONGEST_SECONDS", 0.5)
    given = [Case(kind="scene", number=number) for number in range(4)]
    done = {one.case.number: one for one in run_cases(given, seeds, tmp_path, workers=1)}
    assert done[0].outcome.fault.startswith("hang")
    assert done[1].outcome.fault.startswith("died")
    assert [done[number].outcome.fault for number in (2, 3)] == ["", ""]
    assert isinstance(done[3], Finished)
    assert [fault["number"] for fault in summary(list(done.values()))["faults"]] == [0, 1]
