"""Scenes in, class maps out."""
