"""The thorax around the heart: a model in smooth shapes, since no real one ships with any package.

Each organ is the distance in mm to its surface, negative inside, at places (x, y, z) in mm, RAS+
from the middle of the heart. Vessels are tubes that prolong the stubs of the real heart. Calibres
follow sources; places and sizes of everything else are chosen to fit this heart and to look like
axial CT (vertebrae and lungs behind, liver under the right dome, aorta descending left of the
spine). There are no lung vessels beyond the roots, no arms, no breasts, no scanner's table.
"""

from __future__ import annotations

import functools
import itertools

import numpy as np
import torch
from torch import Tensor

from cdseg_teach.anatomy.atlas import distance_to_heart, sample_at

MIDLINE_MM = 29.0  # x of the spine: two thirds of the heart lie to its left
STEP_MM = 3.0  # of the lattice on which distances are kept
FIRST_MM = (-135.0, -165.0, -75.0)  # its corners (x, y, z); beyond them nothing changes
LAST_MM = (147.0, 105.0, 96.0)

Station = tuple[float, float, float, float]

# Tubes: their stations (x, y, z, radius) in mm. Radii: ascending aorta 15 to 16 at a mean diameter
# of 32 in healthy men and 29 in women (Wolak et al. 2008, JACC Cardiovasc Imaging 1:200, recalled),
# descending 12; pulmonary trunk 13 at a mean of 25 to 27 (Truong et al. 2012, Circ Cardiovasc
# Imaging 5:147, recalled); the others chosen.
TUBES: dict[str, list[list[Station]]] = {
    "ascending": [[(19, -4, 38, 16), (28, 0, 50, 16), (33, -4, 66, 15.5), (29, -12, 86, 15)]],
    "aorta": [
        [
            *((29, -12, 86, 15), (16, -28, 99, 14), (3, -50, 101, 13), (-2, -64, 90, 12.5)),
            *((-1, -69, 70, 12), (2, -69, 40, 12), (4, -68, 0, 11.5), (8, -67, -60, 11)),
            (14, -68, -130, 10.5),
        ]
    ],
    "trunk": [[(-5, 8, 45, 15), (-5, 0, 54, 14.5), (-4, -12, 65, 13.5), (-3, -19, 71, 13)]],
    "pulmonary": [
        [
            (-3, -19, 71, 12),
            (12, -30, 71, 10),
            (30, -35, 70, 10),
            (52, -36, 67, 9),
            (74, -42, 58, 8),
        ],
        [(-3, -19, 71, 12), (-16, -32, 76, 10), (-34, -46, 74, 9), (-54, -54, 62, 7.5)],
    ],
    "cavae": [
        [(48, -9, 30, 8), (53, -12, 44, 9), (57, -17, 60, 9), (58, -19, 90, 9), (56, -15, 145, 9)],
        [(50, -4, -30, 10), (50, -8, -45, 11), (47, -16, -65, 11), (44, -26, -130, 11)],
    ],
    "pulmonary_veins": [
        [(44, -30, 39, 7), (58, -31, 43, 6.5), (82, -28, 52, 5)],
        [(45, -45, 22, 7), (60, -50, 19, 6.5), (84, -58, 10, 5)],
        [(1, -34, 51, 7), (-13, -33, 55, 6.5), (-34, -30, 60, 6), (-54, -26, 68, 5)],
        [(-2, -44, 29, 7), (-18, -49, 27, 6.5), (-42, -58, 20, 5)],
    ],
    "airway": [
        [(29, -54, 145, 9), (28, -53, 86, 8)],
        [(28, -53, 86, 7), (8, -50, 76, 6.5), (-10, -48, 67, 6), (-32, -51, 58, 5)],
        [(28, -53, 86, 7.5), (46, -51, 72, 7), (66, -51, 56, 6)],
    ],
    "oesophagus": [[(22, -60, 145, 6.5), (22, -60, -60, 6.5), (10, -50, -130, 8)]],
}

# The chest as superellipses in the axial plane: half widths in x and y in mm.
WALL_OUTSIDE = (152.0, 102.0)  # outer surface of the muscles, below subcutaneous fat
WALL_MM = 14.0
WALL_Y_MM = -29.0  # y of its middle
SHARPNESS = 2.4  # 2 is an ellipse

RIB_SPACING_MM = 30.0
RIB_SLOPE = 0.8  # mm down for each mm forward
VERTEBRA_MM = 27.0  # height of a vertebra with its disc
DISC_MM = 5.0

# Domes of the diaphragm, right, left, and the middle that the heart lies on: x, y, z of the top,
# radius at which the paraboloid has fallen by 45 mm.
DOMES = ((88.0, -28.0, -26.0, 88.0), (-46.0, -34.0, -40.0, 74.0), (12.0, 5.0, -58.0, 80.0))


def thorax_at(points: Tensor) -> dict[str, Tensor]:
    """Distance in mm to the surface of each organ at points in mm.

    Parameters
    ----------
    points
        [N, Z, Y, X, 3], order (x, y, z).

    Returns
    -------
    name to [N, Z, Y, X], negative inside. "ascending" and "trunk" are the labelled beginnings of
    "aorta" and "pulmonary"; "ribs", "sternum" and "spine" are whole bones; "abdomen" lies below the
    diaphragm, "liver" is its right part; "wall" is all inside the muscles' outer surface, "cavity"
    all inside the ribs, "mediastinum" what the lungs leave free.
    """
    names, distances = _on_lattice()
    affine = np.diag([STEP_MM, STEP_MM, STEP_MM, 1.0])
    affine[:3, 3] = FIRST_MM
    read = sample_at(distances.to(points.device), affine, points, outside="border")
    return dict(zip(names, read.unbind(1), strict=True))


@functools.lru_cache(maxsize=1)
def _on_lattice() -> tuple[tuple[str, ...], Tensor]:
    """All organs once on a lattice: distances are smooth, so that reading between voxels is."""
    axes = [
        first + STEP_MM * torch.arange(round((last - first) / STEP_MM) + 1)
        for first, last in zip(FIRST_MM, LAST_MM, strict=True)
    ]
    z, y, x = torch.meshgrid(*axes[::-1], indexing="ij")
    organs = _tubes(torch.stack([x, y, z], dim=-1))
    organs |= _bones(x, y, z)
    organs |= _soft(x, y, z)
    organs["mediastinum"] = _mediastinum(organs, x, y, z)
    return tuple(organs), torch.stack(list(organs.values()))


def _tubes(places: Tensor) -> dict[str, Tensor]:
    """Distances [Z, Y, X] of places [Z, Y, X, 3] to the lumina of :data:`TUBES`."""
    found = {}
    for name, courses in TUBES.items():
        pieces = [_tube(places, *ends) for course in courses for ends in itertools.pairwise(course)]
        found[name] = torch.stack(pieces).amin(0)
    found["aorta"] = torch.minimum(found["aorta"], found["ascending"])
    found["pulmonary"] = torch.minimum(found["pulmonary"], found["trunk"])
    return found


def _tube(places: Tensor, start: Station, end: Station) -> Tensor:
    """Distance to a straight piece of tube with round ends whose radius changes along it."""
    a, b = places.new_tensor(start), places.new_tensor(end)
    course = (b - a)[:3]
    along = (((places - a[:3]) @ course) / course.square().sum()).clamp(0, 1)
    off = places - torch.lerp(a[:3], b[:3], along[..., None])
    return off.norm(dim=-1) - torch.lerp(a[3], b[3], along)


def _bones(x: Tensor, y: Tensor, z: Tensor) -> dict[str, Tensor]:
    """Spine, sternum, ribs, and what is soft in the spine: its canal and the discs."""
    across = x - MIDLINE_MM
    along = torch.remainder(z, VERTEBRA_MM) - VERTEBRA_MM / 2
    body = _ellipse(across, y + 89, 19, 16)
    canal = _ellipse(across, y + 113, 9, 8)
    arch = _ellipse(across, y + 113, 15, 13)
    spinous = _box(across, y + 129, along, 3, 7, 9)
    transverse = _box(across, y + 112, along, 32, 4, 6)
    sternum = _box(across, y - 64.5, (z - 62).clamp(max=0), 17, 5.5, 95)
    ring = torch.remainder(z + RIB_SLOPE * y, RIB_SPACING_MM) - RIB_SPACING_MM / 2
    # Between sternum and ribs lies cartilage, which is taken for muscle.
    cartilage = torch.maximum(across.abs() - 48, 30 - y)
    return {
        "spine": torch.stack([body, arch, spinous, transverse]).amin(0),
        "disc": torch.maximum(body, (VERTEBRA_MM - DISC_MM) / 2 - along.abs()),
        "canal": canal,
        "sternum": sternum,
        "ribs": torch.maximum(_ellipse(_wall(x, y) + 9, ring, 4.5, 7), -cartilage),
    }


def _soft(x: Tensor, y: Tensor, z: Tensor) -> dict[str, Tensor]:
    """Chest wall and its inside, what lies below the diaphragm, the outside of the heart."""
    wall = _wall(x, y)
    dome = 6 * torch.stack([_dome(x, y, *dome) / 6 for dome in DOMES]).logsumexp(0)
    abdomen = 0.7 * (z - dome)  # 0.7: a dome is steep, and its distance less than its depth
    # The left lobe reaches across the midline in front, behind the liver ends at the vena cava.
    left_end = -15 + 0.6 * (20 - y).clamp_min(0)
    return {
        "wall": wall,
        "cavity": wall + WALL_MM,
        "abdomen": abdomen,
        "liver": torch.maximum(abdomen + 4, 0.85 * (left_end - x)),
        "spleen": torch.maximum(abdomen + 6, 0.85 * (x - left_end) + 8),
        "heart": distance_to_heart(torch.stack([x, y, z], dim=-1)[None])[0],
    }


def _mediastinum(organs: dict[str, Tensor], x: Tensor, y: Tensor, z: Tensor) -> Tensor:
    """What the lungs leave free: heart and vessels in fat, fat above the heart and before it."""
    above = torch.maximum(_ellipse(x - 24, y + 24, 34, 42), 38 - z)
    before = torch.maximum(_ellipse(x - 8, y - 51, 40, 12), z - 35)
    around = {"heart": 4, "aorta": 4, "pulmonary": 3, "cavae": 4, "oesophagus": 5, "airway": 3}
    parts = [organs[name] - thickness for name, thickness in around.items()]
    return torch.stack([above, before, *parts]).amin(0)


def _wall(x: Tensor, y: Tensor) -> Tensor:
    """Distance to the outer surface of the chest's muscles, along the ray from its middle."""
    across, forward = x - MIDLINE_MM, y - WALL_Y_MM
    half_x, half_y = WALL_OUTSIDE
    p = SHARPNESS
    stretch = ((across / half_x).abs() ** p + (forward / half_y).abs() ** p) ** (1 / p)
    return torch.hypot(across, forward) * (1 - 1 / stretch.clamp_min(1e-3))


def _dome(x: Tensor, y: Tensor, x0: float, y0: float, top: float, radius: float) -> Tensor:
    """Height z of a dome of the diaphragm."""
    return top - 45 * ((x - x0) ** 2 + (y - y0) ** 2) / radius**2


def _ellipse(a: Tensor, b: Tensor, half_a: float, half_b: float) -> Tensor:
    """About the distance to an elliptic cylinder."""
    return (torch.hypot(a / half_a, b / half_b) - 1) * min(half_a, half_b)


def _box(a: Tensor, b: Tensor, c: Tensor, half_a: float, half_b: float, half_c: float) -> Tensor:
    """Distance to a box, its edges rounded on the outside."""
    over = torch.stack([a.abs() - half_a, b.abs() - half_b, c.abs() - half_c])
    return over.clamp_min(0).norm(dim=0) + over.amax(0).clamp(max=0)
