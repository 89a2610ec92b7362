"""The ViM2 (MambaMixer) family."""
