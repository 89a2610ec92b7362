"""Start a segmentation network from official weights."""

from collections.abc import Mapping

from torch import nn

from rsmamba.errors import OptionError
from rsmamba.models.cvmh_unet import CVMHUNet
from rsmamba.models.segmenter import Segmenter
from rsmamba.models.upstream.reading import load_official, read_checkpoint
from rsmamba.models.upstream.vmamba import cvmh_unet_state
from rsmamba.models.zoo import Weights, find_encoder


def start_from(network: nn.Module, name: str, *, weights: Weights) -> None:
    """Put official weights into the encoder of a network that ``create_model`` made.

    Args:
        network: The network, changed in place. A CVMH-UNet takes weights of VMamba's first
            release; a network of encoder and decoder takes those of its encoder.
        name: Its name in the registry.
        weights: Official checkpoint, or a file that ``rsmamba models convert`` wrote.

    Raises:
        OptionError: If the network has no encoder that weights exist for.
        ModelFileError: If the weights cannot be read or do not fit.
    """
    state = weights if isinstance(weights, Mapping) else read_checkpoint(weights)
    if isinstance(network, CVMHUNet):
        network.load_state_dict(cvmh_unet_state(state, network))
    elif isinstance(network, Segmenter):
        family, _ = find_encoder(name.partition("+")[0])
        load_official(network.encoder, state, family=family, part="encoder")
    else:
        message = f"network {name} has no encoder that official weights fit; leave weights out"
        raise OptionError(message)
