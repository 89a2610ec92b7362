"""Rasters and pixel geometry: NumPy and rasterio, no torch."""
