"""Lesions of traumatic brain injury, and the hyperintensities of age that look like them.

A contusion is a haemorrhagic core in bruised tissue inside oedema, at the poles and base of the
frontal and temporal lobes. Microbleeds of diffuse axonal injury sit at the border of grey and white
matter and in the corpus callosum. How many, how large and where follows :class:`LesionStatistics`;
the shapes are ellipsoids with a smooth random surface, a model.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cdseg_teach.anatomy.draw import smooth_field
from cdseg_teach.anatomy.grid import Grid, box_mean


@dataclass(frozen=True)
class LesionStatistics:
    """How many lesions, how large, how made up.

    «Assumed» marks what no source that we could read gives.

    Attributes
    ----------
    contusions
        Mean number beyond the first, Poisson; assumed (all subjects have at least one: the cohorts
        are patients).
    contusion_ml, contusion_log_std
        Median of the total volume of contusions with their oedema on FLAIR, log-normal. 15.8 ml in
        moderate, 13.6 ml in severe injury, 7.1 to 37.8 ml by outcome, 301 patients (Moe et al.
        2020); the spread puts 95 % of subjects between 2 and 90 ml.
    frontal_weight, temporal_weight
        Share of patients with contusions there, 75 % and 82 % (Moe et al. 2020).
    contusion_share
        The core as a share of the volume, uniform; oedema to haemorrhage 0.8 to 2.2 (Beaumont and
        Gennarelli 2006, Acta Neurochir Suppl 96:30).
    haemorrhage_share
        Bleeding as a share of the core, uniform; assumed.
    axonal_injury, microbleeds, microbleed_log_std
        Share of patients with microbleeds, 24 of 46, and their number in those, log-normal with
        mean 22 and standard deviation 42, at most 190 (TBI cohort on 3 T SWI, NIH Research Festival
        2013, NEURO-21; the maximum from Moenninghoff et al. 2015, PLOS ONE 10:e0122329).
    microbleed_mm
        Diameter in mm, uniform; most below 4 mm, by definition below 5 (Stehling et al. 2008, Acad
        Radiol 15:895).
    aged
        Share of subjects with white-matter hyperintensities; assumed.
    hyperintensities, hyperintensity_ml, hyperintensity_log_std
        Mean number (Poisson) and median volume in ml of one, log-normal; 19.6 lesions and 4.9 ml
        together at 60 to 64 years (Wen and Sachdev 2004, NeuroImage 22:144).
    """

    contusions: float = 1.0
    contusion_ml: float = 14.0
    contusion_log_std: float = 0.95
    frontal_weight: float = 0.75
    temporal_weight: float = 0.82
    contusion_share: tuple[float, float] = (1 / 3.2, 1 / 1.8)
    haemorrhage_share: tuple[float, float] = (0.2, 0.7)
    axonal_injury: float = 24 / 46
    microbleeds: float = 10.2
    microbleed_log_std: float = 1.24
    microbleed_mm: tuple[float, float] = (2.0, 5.0)
    aged: float = 0.5
    hyperintensities: float = 19.6
    hyperintensity_ml: float = 0.18
    hyperintensity_log_std: float = 0.8


def draw_lesions(
    maps: dict[str, Tensor],
    grid: Grid,
    draws: Sequence[torch.Generator],
    statistics: LesionStatistics | None = None,
) -> dict[str, Tensor]:
    """Lesions of N subjects on their healthy tissue.

    Parameters
    ----------
    maps
        Healthy tissue fractions by name, each [N, Z, Y, X].
    grid
        The lattice of anatomy.
    draws
        One generator a subject.
    statistics
        Numbers and sizes.

    Returns
    -------
    Shares of a voxel 0..1, each [N, Z, Y, X]: oedema, contusion, haemorrhage, microbleed,
    hyperintensity; together at most 1.
    """
    statistics = statistics or LesionStatistics()
    likely = _likely_places(maps, grid, statistics)
    rough = smooth_field(grid.fine_shape, grid.fine_spacing_mm, 12.0, draws)[:, 0].to(
        maps["grey"].device
    )
    subjects = [
        _one_subject({k: v[i] for k, v in likely.items()}, rough[i], grid, draw, statistics)
        for i, draw in enumerate(draws)
    ]
    return {name: torch.stack([subject[name] for subject in subjects]) for name in subjects[0]}


def _likely_places(
    maps: dict[str, Tensor], grid: Grid, statistics: LesionStatistics
) -> dict[str, Tensor]:
    """Relative density of the centres of each kind of lesion, each [N, Z, Y, X]."""
    z, y, x = grid.coordinates(maps["grey"].device)
    # Boxes in MNI152 mm, read off the template by eye: the base and pole of the frontal lobe; the
    # pole and side of the temporal lobe.
    frontal = ((y > 25) & (z < 25)).float()
    temporal = ((x.abs() > 30) & (y < 20) & (y > -45) & (z < 0)).float()
    callosum = ((x.abs() < 12) & (y > -45) & (y < 35) & (z > 0) & (z < 30)).float()
    ventricle = ((x.abs() < 35) & (y > -60) & (y < 35) & (z > -5) & (z < 35)).float()
    grey, white = maps["grey"], maps["white"]
    per_place = [
        weight * grey * box / (grey * box).flatten(1).sum(1).clamp_min(1e-6).view(-1, 1, 1, 1)
        for weight, box in (
            (statistics.frontal_weight, frontal),
            (statistics.temporal_weight, temporal),
        )
    ]
    near_ventricle = box_mean(maps["csf"] * ventricle, 7)
    return {
        "contusion": per_place[0] + per_place[1],
        # The border of grey and white matter, two thirds of it frontal, and the corpus callosum
        # (NEURO-21).
        "microbleed": grey * white * (0.3 + 0.7 * (y > 10)) + 0.25 * white * callosum,
        "hyperintensity": white * (near_ventricle + 0.02),
    }


def _one_subject(
    likely: dict[str, Tensor], rough: Tensor, grid: Grid, draw: torch.Generator, s: LesionStatistics
) -> dict[str, Tensor]:
    canvas = {
        name: torch.zeros_like(rough)
        for name in ("outer", "bruise", "blood", "microbleed", "hyperintensity")
    }

    number = 1 + int(torch.poisson(torch.tensor(s.contusions), generator=draw))
    total_ml = s.contusion_ml * math.exp(s.contusion_log_std * _normal(draw))
    # Exponential: uniform on the simplex once normalised.
    shares = -torch.rand(number, generator=draw).clamp_min(1e-6).log()
    for share, centre in zip(
        (shares / shares.sum()).tolist(), _places(likely["contusion"], number, draw), strict=True
    ):
        radius = _radius_mm(total_ml * share)
        bruise = radius * _uniform(*s.contusion_share, draw) ** (1 / 3)
        blood = bruise * _uniform(*s.haemorrhage_share, draw) ** (1 / 3)
        axes = torch.exp(0.2 * torch.randn(3, generator=draw))
        for name, size in (("outer", radius), ("bruise", bruise), ("blood", blood)):
            _stamp(canvas[name], centre, size, axes, rough, grid)

    if torch.rand((), generator=draw) < s.axonal_injury:
        number = min(190, round(s.microbleeds * math.exp(s.microbleed_log_std * _normal(draw))))
        for centre in _places(likely["microbleed"], number, draw):
            _stamp(
                canvas["microbleed"],
                centre,
                _uniform(*s.microbleed_mm, draw) / 2,
                torch.ones(3),
                None,
                grid,
            )

    if torch.rand((), generator=draw) < s.aged:
        number = int(torch.poisson(torch.tensor(s.hyperintensities), generator=draw))
        for centre in _places(likely["hyperintensity"], number, draw):
            radius = _radius_mm(
                s.hyperintensity_ml * math.exp(s.hyperintensity_log_std * _normal(draw))
            )
            _stamp(
                canvas["hyperintensity"],
                centre,
                radius,
                torch.exp(0.3 * torch.randn(3, generator=draw)),
                rough,
                grid,
            )

    outer, bruise, blood = canvas["outer"], canvas["bruise"], canvas["blood"]
    bleed = canvas["microbleed"] * (1 - outer)
    return {
        "oedema": outer * (1 - bruise),
        "contusion": outer * bruise * (1 - blood),
        "haemorrhage": outer * bruise * blood,
        "microbleed": bleed,
        "hyperintensity": canvas["hyperintensity"] * (1 - outer) * (1 - bleed),
    }


def _stamp(
    canvas: Tensor,
    centre: list[int],
    radius_mm: float,
    axes: Tensor,
    rough: Tensor | None,
    grid: Grid,
    roughness: float = 0.2,
) -> None:
    """Draw one ellipsoid into `canvas` [Z, Y, X] in place; a smooth field moves its surface."""
    spacing = grid.fine_spacing_mm
    reach = [
        math.ceil(radius_mm * 1.8 * float(a) / s) + 1 for a, s in zip(axes, spacing, strict=True)
    ]
    box = tuple(slice(max(0, c - r), c + r + 1) for c, r in zip(centre, reach, strict=True))
    part = canvas[box]
    offsets = [
        (torch.arange(b.start, b.start + n, device=canvas.device) - c) * s / float(a)
        for b, n, c, s, a in zip(box, part.shape, centre, spacing, axes, strict=True)
    ]
    z, y, x = torch.meshgrid(*offsets, indexing="ij")
    distance = (z**2 + y**2 + x**2).sqrt()
    edge_mm = radius_mm if rough is None else radius_mm * (1 + roughness * rough[box])
    edge_width = sum(spacing) / 3
    # A sphere smaller than a voxel fills only its share of it.
    share = min(1.0, (4 / 3 * math.pi * radius_mm**3) / grid.fine_voxel_mm3)
    part.copy_(torch.maximum(part, ((edge_mm - distance) / edge_width + 0.5).clamp(0, 1) * share))


def _places(density: Tensor, number: int, draw: torch.Generator) -> list[list[int]]:
    """`number` voxels [z, y, x] drawn with probability proportional to `density` [Z, Y, X]."""
    if number == 0:
        return []
    cumulative = density.flatten().double().cumsum(0)
    at = torch.rand(number, generator=draw, dtype=torch.float64).to(density.device) * cumulative[-1]
    flat = torch.searchsorted(cumulative, at).clamp(max=density.numel() - 1)
    return torch.stack(torch.unravel_index(flat, density.shape), dim=1).tolist()


def _radius_mm(volume_ml: float) -> float:
    """Radius of the sphere of that volume."""
    return (3 * volume_ml * 1000 / (4 * math.pi)) ** (1 / 3)


def _normal(draw: torch.Generator) -> float:
    return float(torch.randn((), generator=draw))


def _uniform(low: float, high: float, draw: torch.Generator) -> float:
    return low + (high - low) * float(torch.rand((), generator=draw))
