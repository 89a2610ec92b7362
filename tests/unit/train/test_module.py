"""What training adds to a model: averaged weights and groups of parameters."""

import pytest
import torch
from torch import nn

from rsmamba.models import create_encoder, create_model
from rsmamba.train.module import average_of
from rsmamba.train.parameters import parameter_groups


def test_the_average_follows_quickly_first_and_slowly_later() -> None:
    model = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(model.weight)
    average = average_of(model, 0.5)
    seen = []
    for value in (8.0, 8.0, 8.0):
        nn.init.constant_(model.weight, value)
        average.update_parameters(model)
        seen.append(float(next(average.module.parameters()).detach()))
    # The first update copies; a ramp (1 + n) / (10 + n) weighs the past until it reaches the decay.
    assert seen == [8.0, 8.0, 8.0]
    nn.init.zeros_(model.weight)
    for past in (4 / 13, 5 / 14, 6 / 15, 7 / 16, 8 / 17, 0.5, 0.5):
        before = float(next(average.module.parameters()).detach())
        average.update_parameters(model)
        now = float(next(average.module.parameters()).detach())
        assert now == pytest.approx(before * past, rel=1e-6)


def test_running_statistics_are_averaged_and_counters_copied() -> None:
    model = nn.BatchNorm2d(1)
    average = average_of(model, 0.9)
    for _ in range(3):
        model(torch.randn(2, 1, 4, 4) + 5)
        average.update_parameters(model)
    averaged = average.module
    assert isinstance(averaged, nn.BatchNorm2d)
    assert averaged.num_batches_tracked is not None
    assert int(averaged.num_batches_tracked) == 3
    assert averaged.running_mean is not None
    assert model.running_mean is not None
    assert 0 < float(averaged.running_mean) < float(model.running_mean)


def test_vectors_and_state_matrices_are_not_decayed() -> None:
    network = create_model("cvmh_unet", num_classes=2, dim=8, d_state=1)
    decayed, free = parameter_groups(network, 0.1)
    assert (decayed["weight_decay"], free["weight_decay"]) == (0.1, 0.0)
    undecayed = {id(parameter) for parameter in free["params"]}
    state_terms = ("A_logs", "Ds", "dt_projs_bias")
    seen = set()
    for name, parameter in network.named_parameters():
        last = name.rpartition(".")[2]
        seen.add(last)
        assert (id(parameter) in undecayed) == (parameter.ndim < 2 or last in state_terms), name
    assert seen.issuperset(state_terms)


@pytest.mark.parametrize("name", ["plainmamba_l1", "vim_tiny"])
def test_sequence_encoders_keep_states_and_positions(name: str) -> None:
    encoder = create_encoder(name)
    _, free = parameter_groups(encoder, 0.1)
    undecayed = {id(parameter) for parameter in free["params"]}
    kept = {n.rpartition(".")[2] for n, p in encoder.named_parameters() if id(p) in undecayed}
    assert {"A_log", "D", "bias", "pos_embed"} <= kept
    assert all(p.ndim < 2 for n, p in encoder.named_parameters() if id(p) in undecayed and "w" in n)


def test_frozen_parameters_are_left_out() -> None:
    network = nn.Sequential(nn.Conv2d(1, 1, 1), nn.Conv2d(1, 1, 1))
    network[0].requires_grad_(False)
    decayed, free = parameter_groups(network, 0.1)
    assert len(decayed["params"]) == len(free["params"]) == 1
