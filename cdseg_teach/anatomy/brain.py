"""Brains: ICBM152 tissue maps, warped into subjects, with veins, iron and traumatic lesions.

From real scans: grey matter, white matter and the brain's outline (ICBM152 2009a symmetric, an
average of 152 adults, shipped in the nilearn package). Modelled: everything else. The average has
no individual folds; variety comes from warps and lesions.
"""

from __future__ import annotations

import functools
import gzip
import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import torch
from torch import Tensor

from cdseg_teach.anatomy import lesions, veins
from cdseg_teach.anatomy.draw import generators
from cdseg_teach.anatomy.grid import Grid
from cdseg_teach.anatomy.lattice import on_lattice
from cdseg_teach.anatomy.maps import TissueMaps
from cdseg_teach.anatomy.warps import random_maps, resample
from cdseg_teach.problems import Problem

TEMPLATE_TISSUES = ("grey", "white", "csf", "iron_rich", "striatum")
LESIONS = ("oedema", "contusion", "haemorrhage", "microbleed")
TISSUES = (*TEMPLATE_TISSUES, "hyperintensity", *LESIONS, "vein")

# Deep nuclei as ellipsoids, one side each and mirrored: (tissue, centre, semi-axes), mm in MNI152,
# order (x, y, z). Centres of putamen, caudate and pallidum: Harvard-Oxford atlas, probability above
# 25 %, both sides averaged; semi-axes that give the volumes of manual tracing (Neuromorphometrics:
# 5.7, 4.4, 1.9 ml a side) at the atlas' proportions. Red nucleus and substantia nigra: recalled
# (about 0.3 and 0.55 ml; Pauli et al. 2018, Sci Data 5:180063).
NUCLEI = (
    ("striatum", (25.2, 0.8, 0.4), (6.5, 16.0, 13.0)),  # putamen
    ("striatum", (13.2, 9.1, 10.3), (5.0, 16.0, 13.0)),  # caudate
    ("iron_rich", (19.6, -4.8, -1.3), (5.0, 11.0, 8.0)),  # globus pallidus
    ("iron_rich", (5.0, -20.0, -9.0), (3.8, 4.0, 4.4)),  # red nucleus
    ("iron_rich", (9.0, -19.0, -11.0), (6.0, 5.0, 4.4)),  # substantia nigra
)


@dataclass(frozen=True)
class BrainMaps(TissueMaps):
    """What fills each voxel of N brains; the tissues are :data:`TISSUES`."""

    names: tuple[str, ...] = TISSUES

    def brain(self) -> Tensor:
        """Voxels of the working grid that are mostly brain: bool [N, Z, Y, X]."""
        return self.filled()

    def label(self) -> Tensor:
        """The reference segmentation, 1 where lesions fill at least half: uint8 [N, Z, Y, X].

        Oedema, contusion, haemorrhage and microbleeds are one class, as in Kamnitsas et al. 2017;
        white-matter hyperintensities of age are not a lesion of the trauma and stay background.
        """
        filled = sum(self.on_working_grid(self[name]) for name in LESIONS)
        return (torch.as_tensor(filled) >= 0.5).to(torch.uint8)


def brain_subjects(
    seeds: Sequence[int], grid: Grid | None = None, device: torch.device | str = "cpu"
) -> BrainMaps:
    """Tissue maps of one new brain a seed, the same whatever is drawn beside it.

    Parameters
    ----------
    seeds
        One non-negative integer a subject.
    grid
        The lattice, :class:`Grid` by default.
    device
        Where the maps live; the random numbers are always drawn on the CPU.
    """
    grid = grid or Grid()
    draws = generators(seeds)
    where = random_maps(grid, draws, device=device)
    return _injured(resample(template(grid)[None].to(device), where), grid, draws)


def patients(healthy: Tensor, seeds: Sequence[int], grid: Grid | None = None) -> BrainMaps:
    """Tissue maps of patients with these very brains: veins and lesions are drawn, nothing warped.

    Parameters
    ----------
    healthy
        [N, 5, Z, Y, X] on the grid's lattice, as :func:`template` gives one.
    seeds
        One non-negative integer a patient.
    grid
        The lattice, :class:`Grid` by default.
    """
    return _injured(healthy, grid or Grid(), generators(seeds))


def _injured(healthy: Tensor, grid: Grid, draws: Sequence[torch.Generator]) -> BrainMaps:
    maps = dict(zip(TEMPLATE_TISSUES, healthy.unbind(1), strict=True))
    blobs = lesions.draw_lesions(maps, grid, draws)
    vein = veins.draw_veins(maps, grid, draws)
    return BrainMaps(_fill(maps, blobs, vein), grid)


def _fill(maps: dict[str, Tensor], blobs: dict[str, Tensor], vein: Tensor) -> Tensor:
    """Fractions [N, T, Z, Y, X]: lesions replace parenchyma, never CSF; veins whatever is there."""
    parenchyma = sum(fraction for name, fraction in maps.items() if name != "csf")
    lesioned = {name: blobs[name] * parenchyma for name in ("hyperintensity", *LESIONS)}
    intact = 1 - sum(blobs.values())
    healthy = {name: f if name == "csf" else f * intact for name, f in maps.items()}
    tissues = torch.stack([*healthy.values(), *lesioned.values()], dim=1)
    inside = tissues.sum(1, keepdim=True).clamp(max=1)
    vein = (vein[:, None] * inside).clamp(max=0.9)
    return torch.cat([tissues * (1 - vein), vein], dim=1)


@functools.lru_cache(maxsize=4)
def template(grid: Grid) -> Tensor:
    """Healthy tissue of the ICBM152 average on the lattice: [5, Z, Y, X], :data:`TEMPLATE_TISSUES`.

    CSF is what lies inside the brain's outline and is neither grey nor white. The probabilities of
    152 people are squared and renormalised, which halves the width of the blurred boundaries and
    moves none.
    """
    grey, white, outline = on_lattice(*icbm152(), grid)
    inside = (outline > 0.5).float()
    tissues = torch.stack([grey, white, (1 - grey - white).clamp_min(0)]).square()
    tissues = tissues / tissues.sum(0).clamp_min(1e-6) * inside
    return with_nuclei(tissues, grid)


def with_nuclei(tissues: Tensor, grid: Grid) -> Tensor:
    """Grey matter, white matter and CSF [3, Z, Y, X] with the deep nuclei drawn in: [5, Z, Y, X].

    They are ellipsoids where they lie in MNI152, and take the place of parenchyma, never of CSF.
    """
    nuclei = {name: torch.zeros_like(tissues[0]) for name in ("iron_rich", "striatum")}
    for name, centre, axes in NUCLEI:
        nuclei[name] = torch.maximum(nuclei[name], _ellipsoid_pair(grid, centre, axes))
    iron, striatum = nuclei["iron_rich"], nuclei["striatum"] * (1 - nuclei["iron_rich"])
    parenchyma = tissues[0] + tissues[1]
    rest = 1 - iron - striatum
    return torch.stack(
        [tissues[0] * rest, tissues[1] * rest, tissues[2], iron * parenchyma, striatum * parenchyma]
    )


def icbm152() -> tuple[Tensor, np.ndarray]:
    """Grey matter, white matter, the brain's outline at 1 mm: [3, Z, Y, X], 0..1; and the affine.

    Read from the installed nilearn's files, not through its loaders, whose import alone takes
    seconds (a test compares the two). The outline is 1 where the skull-stripped T1 template is
    above zero.
    """
    spec = importlib.util.find_spec("nilearn")
    if spec is None or not spec.submodule_search_locations:
        raise Problem(
            "the ICBM152 brain comes with the package nilearn, which is not installed: "
            "pip install nilearn"
        )
    folder = Path(spec.submodule_search_locations[0], "datasets", "data")
    volumes = []
    for kind in ("gm", "wm", "t1"):
        path = folder / f"mni_icbm152_{kind}_tal_nlin_sym_09a_converted.nii.gz"
        try:
            image = nib.Nifti1Image.from_bytes(gzip.decompress(path.read_bytes()))
        except (OSError, EOFError, nib.filebasedimages.ImageFileError) as error:
            raise Problem(
                f"{path.name} of the package nilearn can't be read ({error}): reinstall nilearn"
            ) from error
        volumes.append(np.asarray(image.dataobj, dtype=np.float32).T)
    grey, white, t1 = volumes
    return torch.from_numpy(
        np.stack([grey / grey.max(), white / white.max(), t1 > 0])
    ), image.affine


def _ellipsoid_pair(
    grid: Grid, centre: tuple[float, float, float], axes: tuple[float, float, float]
) -> Tensor:
    """An ellipsoid and its mirror image, with an edge one voxel wide: [Z, Y, X], 0..1."""
    z, y, x = grid.coordinates()
    offset = torch.stack(
        [(x.abs() - centre[0]) / axes[0], (y - centre[1]) / axes[1], (z - centre[2]) / axes[2]]
    )
    inside_mm = (1 - offset.square().sum(0).sqrt()) * min(axes)
    return (inside_mm / grid.fine_spacing_mm[1] + 0.5).clamp(0, 1)
