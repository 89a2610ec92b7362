"""Decoders: from the feature maps of an encoder to logits."""
