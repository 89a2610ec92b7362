"""PlainMamba: a state-space network of one width and one resolution, with continuous 2-D scans."""

from rsmamba.models.encoders.plainmamba.config import VARIANTS, Config
from rsmamba.models.encoders.plainmamba.flops import paper_flops
from rsmamba.models.encoders.plainmamba.network import make_classifier, make_encoder

__all__ = ["VARIANTS", "Config", "make_classifier", "make_encoder", "paper_flops"]
