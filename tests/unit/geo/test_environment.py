"""GDAL's block cache is small inside and as before outside."""

import rasterio
from rasterio.env import getenv

from rsmamba.geo.environment import raster_environment


def test_cache_is_small_while_working() -> None:
    with raster_environment(cache_bytes=32 * 2**20):
        assert getenv()["GDAL_CACHEMAX"] == 32 * 2**20
    with rasterio.Env():
        assert "GDAL_CACHEMAX" not in getenv()
