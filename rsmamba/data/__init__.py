"""Training samples from images and label rasters."""
