"""Small data sets in the exact layouts of the public ones."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
from faulty_server import Server, files_below

from cdseg_teach.datasets.catalogue import PublicSet, public_set
from cdseg_teach.datasets.columns import rows_of
from cdseg_teach.datasets.fetch import RemoteFile

SHAPE = (16, 18, 12)
AFFINE = np.array([[-3.0, 0, 0, 24], [0, 3.0, 0, -27], [0, 0, 3.0, -18], [0, 0, 0, 1]])


def save(file: Path, data: np.ndarray) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(data, AFFINE), file)


def image(seed: int, *more: int) -> np.ndarray:
    data = np.zeros((*SHAPE, *more), np.float32)
    data[2:14, 2:16, 1:11] = np.random.default_rng(seed).uniform(40, 90, (12, 14, 10, *more))
    return data


def mask(*values: int) -> np.ndarray:
    """Each value fills a slab of two voxels."""
    data = np.zeros(SHAPE, np.int16)
    for place, value in enumerate(values):
        data[3:13, 3 + 2 * place : 5 + 2 * place, 2:10] = value
    return data


def by_columns(folder: Path, name: str, subjects: tuple[str, ...], *values: int) -> None:
    """The files that the set's own column map names, for subjects called like its."""
    for number, subject in enumerate(subjects):
        for row in rows_of(public_set(name).columns, name):
            begin, _, end = row.subject.partition("*")
            if subject.startswith(begin) and subject.endswith(end):
                file = folder / row.path.replace("*", subject[len(begin) :])
                seed = 100 * number + len(row.channel)
                save(file, mask(*values) if row.channel == "label" else image(seed))


def decathlon(folder: Path, prefix: str, modalities: tuple[str, ...], *values: int) -> None:
    """As a task of the Decathlon unpacks: dataset.json, imagesTr, labelsTr, macOS's dust."""
    cases = [f"{prefix}_{number:03d}" for number in (1, 2, 3, 4)]
    for number, case in enumerate(cases):
        more = (len(modalities),) if len(modalities) > 1 else ()
        save(folder / "imagesTr" / f"{case}.nii.gz", image(number, *more))
        save(folder / "labelsTr" / f"{case}.nii.gz", mask(*values).astype(np.uint8))
        (folder / "imagesTr" / f"._{case}.nii.gz").write_bytes(b"Mac OS X")
    card = {
        "modality": {str(index): name for index, name in enumerate(modalities)},
        "training": [
            {"image": f"./imagesTr/{case}.nii.gz", "label": f"./labelsTr/{case}.nii.gz"}
            for case in cases
        ],
    }
    (folder / "dataset.json").write_text(json.dumps(card))


def brain(seed: int, csf: int, grey: int, white: int) -> nib.Nifti1Image:
    """A label map at 4 mm, LIA as SynthSeg's: shells the size of a brain, none like another."""
    z, y, x = np.meshgrid(*(4.0 * (np.arange(n) - n / 2) for n in (44, 48, 44)), indexing="ij")
    a, b, c = np.random.default_rng(seed).uniform(0.95, 1.05, 3)
    away = np.sqrt((z / (62 * a)) ** 2 + (y / (80 * b)) ** 2 + (x / (64 * c)) ** 2)
    labels = np.select([away < 0.75, away < 0.95, away < 1.02], [white, grey, csf], 0)
    straight = nib.Nifti1Image(labels.T.astype(np.int32), np.diag([4.0, 4, 4, 1]))
    to_lia = nib.orientations.ornt_transform(
        nib.orientations.io_orientation(straight.affine), nib.orientations.axcodes2ornt("LIA")
    )
    return straight.as_reoriented(to_lia)


def lay_out(name: str, folder: Path) -> None:
    """The files of a set, as they lie once downloaded and unpacked."""
    if name == "open_ms":
        by_columns(folder, name, ("patient01", "patient15", "patient16", "patient30"), 1)
    elif name == "msd_brain":
        modalities = ("FLAIR", "T1w", "t1gd", "T2w")
        decathlon(folder / "Task01_BrainTumour", "BRATS", modalities, 1, 2, 3)
    elif name == "msd_heart":
        decathlon(folder / "Task02_Heart", "la", ("MRI",), 1)
    elif name == "wmh2017":
        by_columns(folder, name, ("Utrecht-0", "Utrecht-2", "Singapore-50", "Amsterdam-100"), 1, 2)
    elif name == "mm_whs":
        subjects = ("mr-1001", "mr-1002", "ct-1001", "ct-1002")
        by_columns(folder, name, subjects, 500, 600, 420, 550, 205)
    elif name == "synthseg":
        place = folder / "data" / "training_label_maps"
        place.mkdir(parents=True)
        for number in (1, 10, 11, 20):
            nib.save(brain(number, 24, 3, 41), place / f"training_seg_{number:02d}.nii.gz")
    elif name == "brainweb":
        folder.mkdir(parents=True)
        for number in (4, 44, 45, 54):
            nib.save(brain(number, 1, 2, 3), folder / f"subject{number:02d}.nii.gz")


def served(name: str, server: Server, tmp: Path) -> PublicSet:
    """The set, at the address of a local server that has it."""
    chosen, folder = public_set(name), tmp / "on-the-server"
    lay_out(name, folder)
    content = files_below(folder)
    if chosen.unpacked_bytes:
        content = {chosen.files[0].name: _tar(content)}
    server.content |= content
    files = tuple(
        RemoteFile(path, server.address(path), f"sha256:{hashlib.sha256(data).hexdigest()}")
        for path, data in content.items()
    )
    return replace(chosen, files=files)


def _tar(content: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for name, data in content.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return stream.getvalue()
