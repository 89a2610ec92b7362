"""Write the sample scenes, their labels and their checksums beside this script.

Run it with the project's environment: `python sample_data/make_sample_data.py [FOLDER]`.
"""

import hashlib
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from sample_data.town.canal_town import canal_town
from sample_data.town.files import write_labels, write_scene
from sample_data.town.lagoon_town import lagoon_town
from sample_data.town.scene import photograph
from sample_data.town.sensor import to_uint8, to_uint16

HERE = Path(__file__).resolve().parent


def make(folder: Path) -> list[Path]:
    """Write both scenes and their labels into a folder and return the files."""
    jobs = (("town_rgb", lagoon_town(), to_uint8), ("town_4band_uint16", canal_town(), to_uint16))
    written = []
    for name, plan, convert in jobs:
        picture = photograph(plan)
        scene, labels = folder / f"{name}.tif", folder / f"{name}_labels.tif"
        write_scene(scene, plan, convert(picture.pixels, picture.inside))
        write_labels(labels, plan, picture.labels)
        written += [scene, labels]
    return written


def write_checksums(files: list[Path]) -> None:
    """List the SHA-256 of files in `SHA256SUMS` beside them."""
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files]
    (files[0].parent / "SHA256SUMS").write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE
    target.mkdir(parents=True, exist_ok=True)
    made = make(target)
    write_checksums(made)
    for path in made:
        print(f"{path.name}  {path.stat().st_size / 1e3:.0f} kB")
