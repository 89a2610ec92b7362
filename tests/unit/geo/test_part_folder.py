"""The hidden folder of an output where none can be made."""

from pathlib import Path

import pytest

from rsmamba.errors import OutputError
from rsmamba.geo.part_folder import PartFolder


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a file system like /proc")
def test_a_place_where_no_folder_can_be_made_is_told() -> None:
    """Making one there says that the folder above is missing, which it is not."""
    with pytest.raises(OutputError, match=r"cannot write beside /proc/map.tif: "):
        PartFolder(Path("/proc/map.tif")).make()
