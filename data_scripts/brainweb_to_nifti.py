"""Raw files of BrainWeb's 20 normal models become NIfTI, which has their grid with them.

    python data_scripts/brainweb_to_nifti.py subject04_crisp.rawb.gz ... --out FOLDER

Takes what its download form gives as «raw byte» or «raw short», packed or not, and what the package
`brainweb` keeps in ~/.brainweb (subject_04.bin.gz), and writes FOLDER/subject04.nii.gz. Then
`cdseg-teach data get brainweb --from FOLDER --out OUT --accept-licence`.
"""

from __future__ import annotations

import argparse
import gzip
import re
import sys
import zlib
from pathlib import Path

import nibabel as nib
import numpy as np

# z, y, x, the last one fastest: brainweb.bic.mni.mcgill.ca/brainweb/about_data_formats.html. Length
# and start of the 20 models: the packages brainweb and brainweb-dl.
SHAPE = (362, 434, 362)
STEP_MM = 0.5
START_MM = (-90.25, -126.25, -72.25)  # x, y, z
LABELS = 12


def labels_of(file: Path) -> np.ndarray:
    """The label map of a raw file, uint8 [z, y, x]."""
    content = file.read_bytes()
    if content[:2] == b"\x1f\x8b":
        content = gzip.decompress(content)
    voxels = int(np.prod(SHAPE))
    if len(content) == voxels:
        labels = np.frombuffer(content, np.uint8)
    elif len(content) == 2 * voxels:  # a label stands in the upper 8 of 12 bits
        labels = (np.frombuffer(content, "<u2") >> 4).astype(np.uint8)
    else:
        raise ValueError(f"has {len(content)} bytes, not {voxels} or twice that; download it again")
    if labels.max() >= LABELS:
        raise ValueError(f"holds the label {labels.max()}; take the discrete («crisp») model")
    return labels.reshape(SHAPE)


def main(arguments: list[str] | None = None) -> int:
    """Convert every file; 2 when one was not what it should be."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--out", required=True, type=Path, metavar="FOLDER")
    given = parser.parse_args(arguments)
    affine = np.diag([STEP_MM, STEP_MM, STEP_MM, 1.0])
    affine[:3, 3] = START_MM
    status = 0
    for file in given.files:
        number = re.search(r"subject_?(\d\d)", file.name)
        try:
            if not number:
                raise ValueError("says no subject; name it subject04 or the like")
            image = nib.Nifti1Image(labels_of(file).T, affine)
            given.out.mkdir(parents=True, exist_ok=True)
            done = given.out / f"subject{number[1]}.nii.gz"
            part = done.with_name(f".{done.name}")
            nib.save(image, part)
            part.replace(done)
            print(f"written: {done}")
        except (OSError, EOFError, ValueError, zlib.error) as error:
            print(f"{file}: {error}", file=sys.stderr)
            status = 2
    return status


if __name__ == "__main__":
    sys.exit(main())
