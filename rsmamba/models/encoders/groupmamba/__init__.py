"""GroupMamba: grouped scans in four directions with channel affinity (arXiv 2407.13772)."""

from rsmamba.models.encoders.groupmamba.config import Config
from rsmamba.models.encoders.groupmamba.flops import paper_flops
from rsmamba.models.encoders.groupmamba.network import make_classifier, make_encoder
from rsmamba.models.encoders.groupmamba.variants import VARIANTS

__all__ = ["VARIANTS", "Config", "make_classifier", "make_encoder", "paper_flops"]
