"""The ViM2 (MambaMixer) family."""

from rsmamba.models.encoders.mambamixer.config import VARIANTS, Config
from rsmamba.models.encoders.mambamixer.flops import paper_flops
from rsmamba.models.encoders.mambamixer.network import make_classifier, make_encoder

__all__ = ["VARIANTS", "Config", "make_classifier", "make_encoder", "paper_flops"]
