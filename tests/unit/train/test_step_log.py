"""The log of steps: where a resumed run cuts it."""

from pathlib import Path

import pytest

from rsmamba.train.step_log import kept_lines

HEADING = "step,epoch,batch,loss,learning_rate\n"
# Two batches a step: the third has been computed and not stepped, and the fourth is half written.
LINES = ["0,1,1,0.5,0.1\n", "1,1,2,0.4,0.1\n", "1,1,3,0.3,0.1\n", "2,1,4"]


@pytest.mark.parametrize(("batches", "kept"), [(0, 0), (2, 2), (4, 3)])
def test_batches_after_the_checkpoint_are_dropped(tmp_path: Path, batches: int, kept: int) -> None:
    path = tmp_path / "losses.csv"
    path.write_text(HEADING + "".join(LINES), encoding="utf-8")
    assert kept_lines(path, batches=batches) == HEADING + "".join(LINES[:kept])


def test_a_run_begins_with_the_heading(tmp_path: Path) -> None:
    assert kept_lines(tmp_path / "losses.csv", batches=2) == HEADING
