"""Configuration files: the only package that knows YAML and pydantic."""

from rsmamba.config.load import load_config

__all__ = ["load_config"]
