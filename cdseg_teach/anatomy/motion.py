"""How one heart becomes another: its size, its pose, and where in the beat it is.

Each is a smooth velocity in mm, all are added and integrated as one flow, so that nothing folds and
the chest around the heart gives way.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from cdseg_teach.anatomy.draw import normal, uniform
from cdseg_teach.anatomy.warps import exponential

SIZE_STD = 0.06  # of the logarithm of the heart's length
POSE_STD_DEGREES = 6.0  # about each axis
REACH_MM = 110.0  # size and pose fade as exp(−(distance / reach)⁶)

# Long axes (x, y, z) in mm of the real heart, from the valve plane to the apex.
LEFT_BASE, LEFT_APEX = (-10.0, -28.0, 6.0), (-55.0, 21.0, -54.0)
RIGHT_BASE, RIGHT_APEX = (18.0, 15.0, 17.0), (-22.0, 40.0, -48.0)

# Radius in mm and rate of the squeeze, and how far the plane of the valves descends: chosen so that
# the ventricles of this heart empty as healthy ones do; LVEF 58 ± 5 % in men, 61 ± 5 % in women,
# RVEF 54 ± 6 and 58 ± 6 (Petersen et al. 2017, JCMR 19:18; the last two recalled), descent 13 ± 2
# mm on the left (recalled).
LEFT_SQUEEZE = (14.0, 1.4)
RIGHT_SQUEEZE = (18.0, 1.1)
DESCENT_MM = 13.0

CUBE_MM = 160.0  # the flow is integrated this far on each side of the heart's middle,
STEP_MM = 5.0  # on a lattice of this step


def move(points: Tensor, draws: Sequence[torch.Generator]) -> Tensor:
    """Where each place of N subjects lies in the real heart: [N, Z, Y, X, 3] mm to the same.

    Parameters
    ----------
    points
        mm from the middle of the heart, order (x, y, z).
    draws
        One generator a subject, for size, pose and the phase of the beat.
    """
    size = SIZE_STD * normal((1,), draws)
    pose = torch.deg2rad(POSE_STD_DEGREES * normal((3,), draws))
    phase = uniform(0.0, 1.0, (1,), draws)
    return flow(points, size, pose, phase)


def flow(points: Tensor, size: Tensor, pose: Tensor, phase: Tensor) -> Tensor:
    """Places in the real heart that given sizes, poses and phases bring to `points`.

    The velocity v is integrated backwards, exp(−v), since a place of the subject looks up where it
    came from.

    Parameters
    ----------
    points
        [N, Z, Y, X, 3] mm, order (x, y, z).
    size
        [N, 1], logarithm of the heart's length relative to the real one.
    pose
        [N, 3], rotation about x, y, z in radians.
    phase
        [N, 1], 0 is end-diastole, 1 end-systole.
    """
    device = points.device
    steps = torch.arange(-CUBE_MM, CUBE_MM + 1, STEP_MM, device=device)
    z, y, x = torch.meshgrid(steps, steps, steps, indexing="ij")
    place = torch.stack([x, y, z], dim=-1)
    here = torch.exp(-((place.norm(dim=-1, keepdim=True) / REACH_MM) ** 6))
    beat = _contraction(place)
    velocities = []
    for s, p, f in zip(size.to(device), pose.to(device), phase.to(device), strict=True):
        turned = torch.linalg.cross(p.expand_as(place), place)
        velocities.append(((s * place + turned) * here + f * beat).permute(3, 0, 1, 2))
    displacement = exponential(-torch.stack(velocities) / CUBE_MM) * CUBE_MM
    moved = F.grid_sample(displacement, points / CUBE_MM, padding_mode="border", align_corners=True)
    return points + moved.permute(0, 2, 3, 4, 1)


def _contraction(place: Tensor) -> Tensor:
    """Velocity [Z, Y, X, 3] of systole, in mm from end-diastole to end-systole."""
    return (
        _squeeze(place, LEFT_BASE, LEFT_APEX, *LEFT_SQUEEZE)
        + _squeeze(place, RIGHT_BASE, RIGHT_APEX, *RIGHT_SQUEEZE)
        + _shorten(place)
    )


def _squeeze(
    place: Tensor, base: tuple[float, ...], apex: tuple[float, ...], radius: float, rate: float
) -> Tensor:
    """Towards a ventricle's long axis: −rate·ρ / √(1 + (ρ/r)⁴) between base and apex.

    Beyond r, the cavity's radius at end-systole, the flow falls as 1/ρ, which keeps the volume of
    the wall and so thickens it. r shrinks towards the apex as an ellipsoid does.
    """
    along, off, length = _about_axis(place, base, apex)
    between = torch.sigmoid((along - 8) / 7) * torch.sigmoid((length - 4 - along) / 6)
    cavity = radius * (1 - (along / length).clamp(0, 1) ** 2).clamp_min(0.03).sqrt()
    distance = off.norm(dim=-1, keepdim=True)
    return -rate * off * between / (1 + (distance / cavity) ** 4).sqrt()


def _shorten(place: Tensor) -> Tensor:
    """The valves' plane descends towards the apex, which stays; the walls widen in exchange."""
    along, off, length = _about_axis(place, LEFT_BASE, LEFT_APEX)
    near = torch.exp(-((off.norm(dim=-1, keepdim=True) / 70) ** 6))
    inside = torch.sigmoid(along / 8) * torch.sigmoid((length - along) / 8)
    down = ((length - along) / length).clamp(0, 1) * torch.exp(-((along.clamp(max=0) / 45) ** 2))
    axis = F.normalize(place.new_tensor(LEFT_APEX) - place.new_tensor(LEFT_BASE), dim=0)
    return near * DESCENT_MM * (down * axis + inside * off / (2 * length))


def _about_axis(
    place: Tensor, base: tuple[float, ...], apex: tuple[float, ...]
) -> tuple[Tensor, Tensor, float]:
    """Cylinder coordinates: mm along the axis [..., 1], the vector off it [..., 3], its length."""
    start, end = place.new_tensor(base), place.new_tensor(apex)
    axis = F.normalize(end - start, dim=0)
    along = ((place - start) * axis).sum(-1, keepdim=True)
    return along, place - start - along * axis, float((end - start).norm())
