"""VSSD, Vision Mamba with non-causal state-space duality (arXiv 2407.18559).

Four stages of blocks whose mixer is a global sum over all pixels, the last with self-attention.
Official code: YuHengsss/VSSD. The ICCV 2025 edition, another network, is a reconstruction.
"""

from rsmamba.models.encoders.vssd.config import VARIANTS, Config
from rsmamba.models.encoders.vssd.encoder import make_classifier, make_encoder
from rsmamba.models.encoders.vssd.flops import paper_flops

__all__ = ["VARIANTS", "Config", "make_classifier", "make_encoder", "paper_flops"]
