"""The ViM family."""
