"""ViM: a state-space network that reads the patches of an image forwards and backwards."""

from rsmamba.models.encoders.vim.config import VARIANTS, Config
from rsmamba.models.encoders.vim.flops import paper_flops
from rsmamba.models.encoders.vim.network import make_classifier, make_encoder

__all__ = ["VARIANTS", "Config", "make_classifier", "make_encoder", "paper_flops"]
