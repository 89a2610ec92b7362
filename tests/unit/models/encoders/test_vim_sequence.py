"""Where class tokens of ViM stand, and what becomes of their positions."""

import math
from typing import Any

import pytest
import torch

from rsmamba.models.encoders.vim import Config, make_classifier, make_encoder
from rsmamba.models.encoders.vim.sequence import (
    class_positions,
    insert_entries,
    rotation,
    split_entries,
)
from rsmamba.models.upstream.vim import adapt

TINY: dict[str, Any] = {"embed_dim": 8, "depth": 1, "out_indices": (0,), "img_size": (32, 48)}
HEAD: dict[str, Any] = {"use_middle_cls_token": False}
DOUBLE: dict[str, Any] = {"use_double_cls_token": True}


@pytest.mark.parametrize(
    ("options", "patches", "positions"),
    [
        ({}, 196, (98,)),
        ({}, 77, (38,)),
        (HEAD, 196, (0,)),
        (DOUBLE, 196, (0, 197)),
        ({"if_cls_token": False}, 196, ()),
    ],
)
def test_class_tokens_stand_where_the_official_code_puts_them(
    options: dict[str, Any], patches: int, positions: tuple[int, ...]
) -> None:
    assert class_positions(Config(**options), patches) == positions


@pytest.mark.parametrize("positions", [(), (0,), (3,), (6,), (0, 7)])
def test_entries_come_out_as_they_went_in(positions: tuple[int, ...]) -> None:
    patches, entries = torch.randn(2, 6, 3), torch.randn(2, len(positions), 3)
    sequence = insert_entries(patches, entries, positions)
    for index, position in enumerate(positions):
        assert torch.equal(sequence[:, position], entries[:, index])
    for got, expected in zip(split_entries(sequence, positions), (patches, entries), strict=True):
        assert torch.equal(got, expected)


@pytest.mark.parametrize("options", [{}, HEAD, DOUBLE])
def test_resizing_does_not_mix_patches_with_class_tokens(options: dict[str, Any]) -> None:
    backbone = make_classifier(Config(**TINY, **options), in_channels=3, num_classes=2).backbone
    for parameter in (backbone.patch_embed.proj.weight, backbone.cls_token, backbone.pos_embed):
        assert parameter is not None
        torch.nn.init.zeros_(parameter)
    assert backbone.pos_embed is not None
    with torch.no_grad():
        backbone.pos_embed[:, list(backbone.positions(6))] = 7.0
    tokens, grid = backbone.embed(torch.randn(1, 3, 80, 70))
    assert grid == (5, 5)
    expected = torch.zeros_like(tokens)
    expected[:, list(backbone.positions(25))] = 7.0
    torch.testing.assert_close(tokens, expected)


def test_dense_form_takes_a_checkpoint_without_the_class_entry() -> None:
    module = make_encoder(Config(**{**TINY, "img_size": (80, 48)}), in_channels=3)
    position = torch.full((1, 197, 8), 2.0)
    position[:, 98] = 9.0
    state = adapt(
        {
            "backbone.pos_embed": position,
            "backbone.cls_token": torch.ones(1, 1, 8),
            "norm_f.weight": torch.ones(8),
        },
        module,
    )
    assert list(state) == ["backbone.pos_embed"]
    torch.testing.assert_close(state["backbone.pos_embed"], torch.full((1, 15, 8), 2.0))


def test_classifier_of_another_size_takes_the_class_entry_along() -> None:
    module = make_classifier(Config(**TINY), in_channels=3, num_classes=2)
    position = torch.full((1, 197, 8), 2.0)
    position[:, 98] = 9.0
    names = ("backbone.cls_token", "backbone.pos_embed", "norm_f.weight")
    values = (torch.ones(1, 1, 8), position, torch.ones(8))
    state = adapt(dict(zip(names, values, strict=True)), module)
    assert state["backbone.pos_embed"][0, :, 0].tolist() == pytest.approx([2, 2, 2, 9, 2, 2, 2])
    assert "norm_f.weight" in state


def test_two_official_class_tokens_become_one_parameter() -> None:
    module = make_classifier(Config(**TINY, **DOUBLE), in_channels=3, num_classes=2)
    state = adapt(
        {
            "backbone.cls_token_head": torch.full((1, 1, 8), 1.0),
            "backbone.cls_token_tail": torch.full((1, 1, 8), 2.0),
        },
        module,
    )
    assert state["backbone.cls_token"][0, :, 0].tolist() == [1, 2]


def test_rotation_turns_pairs_by_row_and_column() -> None:
    """Of eight channels, the first two pairs turn with the row at frequencies 1 and 0.01."""
    like = torch.zeros(1, dtype=torch.float64)
    turn = rotation(Config(embed_dim=8), rows=2, cols=7, positions=(), like=like)
    tokens = torch.tensor([1.0, 0, 1, 0, 1, 0, 1, 0], dtype=torch.float64).expand(1, 14, 8)
    row, col = 1, 3
    angles = [row * 14 / 2, row * 14 / 2 * 0.01, col * 14 / 7, col * 14 / 7 * 0.01]
    expected = [value for angle in angles for value in (math.cos(angle), math.sin(angle))]
    assert turn(tokens)[0, row * 7 + col].tolist() == pytest.approx(expected)


def test_first_entry_does_not_turn_beside_a_class_token() -> None:
    like = torch.zeros(1)
    with_class = rotation(Config(embed_dim=8), rows=2, cols=3, positions=(3,), like=like)
    without = rotation(Config(embed_dim=8), rows=2, cols=3, positions=(), like=like)
    assert torch.equal(with_class.cos[1:], without.cos)
    assert bool((with_class.sin[0] == 0).all())
