"""VMamba: visual state-space model with a cross-scan (arXiv 2401.10166)."""

from rsmamba.models.encoders.vmamba.config import Config
from rsmamba.models.encoders.vmamba.flops import paper_flops
from rsmamba.models.encoders.vmamba.network import make_classifier, make_encoder
from rsmamba.models.encoders.vmamba.variants import VARIANTS

__all__ = ["VARIANTS", "Config", "make_classifier", "make_encoder", "paper_flops"]
