"""Look-alike folders, made once."""

from collections.abc import Callable
from pathlib import Path

import pytest

from rsmamba.data.isprs.lookalike import IsprsLayout, Lookalike, make_isprs
from rsmamba.data.isprs.tiles import IsprsDataset

MakeFolder = Callable[..., Lookalike]


@pytest.fixture(scope="session")
def lookalike(tmp_path_factory: pytest.TempPathFactory) -> MakeFolder:
    """Folder of four tiles by data set and layout; tests must not change it."""
    made: dict[tuple[IsprsDataset, IsprsLayout], Lookalike] = {}

    def make(dataset: IsprsDataset, layout: IsprsLayout = "society") -> Lookalike:
        if (dataset, layout) not in made:
            root = tmp_path_factory.mktemp(f"{dataset}_{layout}")
            made[dataset, layout] = make_isprs(root, dataset=dataset, size=64, layout=layout)
        return made[dataset, layout]

    return make


@pytest.fixture
def vaihingen(tmp_path: Path) -> Path:
    """Folder of two small tiles, 1 and 30, that a test may spoil."""
    return make_isprs(tmp_path / "v", dataset="vaihingen", size=48, tiles=2).root
