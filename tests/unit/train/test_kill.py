"""kill -9 in the middle of an epoch: the run goes on, and its curve is that of one never killed."""

import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

import rsmamba
from rsmamba.train import ModelConfig, TrainConfig, TrainResult, fit
from rsmamba.train.checkpoints import Checkpoint

MakeConfig = Callable[..., TrainConfig]
# Dropped blocks, batch norms and averages: everything that has a state.
PAPER = {"encoder_depths": [1] * 4, "decoder_depths": [1] * 4, "dim": 8, "d_state": 1}

# Five batches an epoch and a checkpoint every two steps: the one after step 6 is in epoch 2, and
# the one after step 8 is cut in two.
KILLED_AS_IT_WRITES = """
import os, pickle, signal, sys
from pathlib import Path
import lightning
from rsmamba.train import fit

save = lightning.Trainer.save_checkpoint

def save_checkpoint(self, path, *rest):
    save(self, path, *rest)
    if self.global_step == 8:
        Path(path).write_bytes(Path(path).read_bytes()[:999])
        os.kill(os.getpid(), signal.SIGKILL)

lightning.Trainer.save_checkpoint = save_checkpoint
fit(pickle.loads(Path(sys.argv[1]).read_bytes()))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """All that does not depend on the clock."""

    curve: str
    records: list[dict[str, Any]]
    models: list[str]
    moments: list[float]

    @classmethod
    def of(cls, result: TrainResult) -> "Outcome":
        """Collect what a run left."""
        timed = {"chips_per_second", "seconds", "cpu_seconds"}
        records = [asdict(record) for record in result.records]
        state = torch.load(result.run_dir / "last.ckpt", weights_only=True)
        moments = state["optimizer_states"][0]["state"].values()
        models = (result.last_model, result.best_model)
        return cls(
            curve=(result.run_dir / "losses.csv").read_text(encoding="utf-8"),
            records=[{k: v for k, v in record.items() if k not in timed} for record in records],
            models=[rsmamba.load_model(path, "cpu").fingerprint() for path in models],
            moments=[number for m in moments for number in m["exp_avg_sq"].flatten().tolist()],
        )


def config_in(make_config: MakeConfig, run_dir: Path) -> TrainConfig:
    model = ModelConfig(name="cvmh_unet", options={**PAPER, "drop_path": 0.3})
    config = make_config(run_dir, model=model, epochs=2, checkpoint_steps=2)
    return replace(config, data=replace(config.data, chips_per_epoch=10))


def test_a_killed_run_ends_like_one_that_was_not(make_config: MakeConfig, tmp_path: Path) -> None:
    """The loss of every step, the records, the weights and the moments are the same numbers."""
    config = config_in(make_config, tmp_path / "run")
    (tmp_path / "config").write_bytes(pickle.dumps(config))
    command = [sys.executable, "-c", KILLED_AS_IT_WRITES, str(tmp_path / "config")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    ended = subprocess.run(command, env=environment, capture_output=True, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()
    checkpoint = Checkpoint.read(config.trainer.run_dir / "last.ckpt")
    assert (checkpoint.epoch, checkpoint.batches) == (1, 1)
    result = fit(replace(config, trainer=replace(config.trainer, resume=True)))
    whole = Outcome.of(fit(config_in(make_config, tmp_path / "whole")))
    assert Outcome.of(result) == whole
    assert (whole.curve.count("\n"), len(whole.records)) == (11, 2)
    assert not list(result.run_dir.glob(".*"))
