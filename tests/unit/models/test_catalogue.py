"""What the networks cost."""

import pytest

from rsmamba.errors import OptionError
from rsmamba.models.catalogue import count_costs, describe, list_facts
from rsmamba.models.zoo import list_encoders


def test_the_list_holds_every_network_and_encoder() -> None:
    names = [entry.name for entry in list_facts()]
    assert names == ["cvmh_unet", "cvmh_unet_small", *list_encoders()]


@pytest.mark.parametrize("name", ["cvmh_unet_small", "vssd_micro", "vim_tiny"])
def test_the_kept_list_is_what_counting_gives(name: str) -> None:
    """If this fails, run python -m rsmamba.models.catalogue."""
    entry = next(entry for entry in list_facts() if entry.name == name)
    counted = count_costs(name)
    assert counted == {"parameters": entry.parameters, "multiply_adds": entry.multiply_adds}


def test_an_encoder_is_described_with_both_counts() -> None:
    details = describe("vssd_micro", size=64)
    assert details.classifier_parameters == 13_512_964
    assert details.paper_multiply_adds_224 == pytest.approx(2.306e9, rel=0.01)
    # The paper's rule misses all heads but one of the state-space products.
    assert details.true_multiply_adds_224 == pytest.approx(2.407e9, rel=0.01)
    assert details.strides == (4, 8, 16, 32)
    assert details.options["embed_dim"] == 48


def test_a_network_of_two_parts_is_described() -> None:
    details = describe("vssd_micro+light", size=64)
    assert details.facts.kind == "network"
    assert set(details.options) == {"encoder", "decoder"}
    assert details.facts.parameters > describe("vssd_micro", size=64).facts.parameters


def test_an_unknown_name_is_told() -> None:
    with pytest.raises(OptionError, match="no network is called 'vsd_micro'"):
        describe("vsd_micro")
