"""Computed tomography: tissue attenuation, contrast phases, noise of a counted dose, windows.

Numbers are for 120 kV. Seen in the source named: unmarked; «chosen»: no table was found, the value
lies inside the range that the comment gives. None was ever changed for what a network made of it.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch
from torch import Tensor

from cdseg_teach.anatomy.draw import normal
from cdseg_teach.anatomy.grid import Grid
from cdseg_teach.anatomy.maps import TissueMaps
from cdseg_teach.problems import Problem
from cdseg_teach.scanners.artefacts import slice_profile

AIR_HU = -1000.0

# HU without contrast: the mean and the standard deviation between people (the latter chosen, but
# for fat's). Blood 40, muscle 10 to 55, liver 40 to 60, lung -700 to -800, bone about 1000:
# radiology references. Fat around the coronary arteries -90 ± 11: Eur Radiol 2020 30:6838. Chosen:
# myocardium and vessel walls, which cannot be told from blood without contrast; an adult vertebra's
# marrow with its trabeculae.
UNENHANCED_HU = {
    "left_blood": (40.0, 5.0),
    "right_blood": (40.0, 5.0),
    "myocardium": (45.0, 5.0),
    "vessel_wall": (45.0, 5.0),
    "fat": (-90.0, 11.0),
    "muscle": (50.0, 5.0),
    "lung": (-750.0, 30.0),
    "cortical_bone": (1000.0, 100.0),
    "marrow": (150.0, 30.0),
    "liver": (50.0, 5.0),
}

# HU that iodine adds. Aorta with and without a saline chaser 327 and 325 HU, pulmonary artery
# without one 357: Cademartiri et al. 2004, Eur Radiol 14:178. Right ventricle 175: of 40 coronary
# scans 19 lay below and 21 above (PMID 19167178). Myocardium 95: 79.4 in three and 103.9 in five
# regions of the middle slice (J Cardiovasc Comput Tomogr 2011 5:406). The first pass has hardly
# reached the other tissues.
ENHANCEMENT_HU: dict[str, dict[str, float]] = {
    "unenhanced": {},
    "coronary": {"left_blood": 287.0, "right_blood": 135.0, "myocardium": 50.0},
    "no chaser": {"left_blood": 285.0, "right_blood": 317.0, "myocardium": 50.0},
}

# Standard deviation of the enhancement between people over its mean: 514 ± 102 HU in coronary
# arteries (Diagn Interv Radiol 2023 29:268).
ENHANCEMENT_SPREAD = 0.2

# What a scanner's noise is stated for: the median dose-length product of coronary CT in 2017
# (Stocker et al. 2018, Eur Heart J 39:3715); thickness and in-plane resolution of a thin slice, and
# a chest's diameter in water: chosen.
REFERENCE_DLP = 195.0
REFERENCE_MM = (0.9, 1.0)
REFERENCE_WATER_MM = 250.0

WATER_PER_MM = 0.0193  # attenuation of water near 70 keV, the mean of 120 kV (NIST, recalled)
MSV_PER_DLP = 0.014  # of a chest, per mGy·cm
VIEWS = 96  # angles of the projections that carry the noise


@final
@dataclass(frozen=True)
class CtScanner:
    """A CT scanner with its protocol: a domain.

    Parameters
    ----------
    name
        e.g. "64-slice CT".
    phase
        Where the contrast medium is, a key of :data:`ENHANCEMENT_HU`.
    dlp_mgy_cm
        Dose-length product in mGy·cm, the dose on the scanner's display.
    noise_hu
        Standard deviation in HU at the reference dose, in a thin slice of a chest of water
        (:data:`REFERENCE_DLP`, :data:`REFERENCE_MM`, :data:`REFERENCE_WATER_MM`); 0 is no noise.
    slice_mm
        Slice thickness in mm.
    level_hu, width_hu
        The window in which the images are read.

    Raises
    ------
    Problem
        For an unknown phase, or a number outside its range.
    """

    name: str
    phase: str
    dlp_mgy_cm: float
    noise_hu: float
    slice_mm: float
    level_hu: float
    width_hu: float

    def __post_init__(self) -> None:
        if self.phase not in ENHANCEMENT_HU:
            raise Problem(
                f"{self.name}: phase {self.phase!r}; choose one of {', '.join(ENHANCEMENT_HU)}"
            )
        if not all(0 < x < math.inf for x in (self.dlp_mgy_cm, self.slice_mm)):
            raise Problem(
                f"{self.name}: {self.dlp_mgy_cm} mGy·cm, slice {self.slice_mm} mm; "
                "both are above 0 and finite"
            )
        if not 0 <= self.noise_hu < math.inf:
            raise Problem(f"{self.name}: noise {self.noise_hu} HU; choose a finite one from 0 up")
        _check_window(self.level_hu, self.width_hu)

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the channels: one."""
        return ("CT",)

    @property
    def effective_dose_msv(self) -> float:
        """Effective dose in mSv, 0.014 mSv/(mGy·cm) times the dose-length product.

        The usual estimate, and a low one: it gave 1.8 mSv where 4.4 to 8.2 were measured.

        References
        ----------
        Einstein et al. 2010, Radiology 254:698.
        """
        return MSV_PER_DLP * self.dlp_mgy_cm

    def noise_on(self, grid: Grid) -> float:
        """Standard deviation in HU at the centre of a chest of water, in a voxel of a working grid.

        σ² ∝ 1 / (dose · h · w³), with slice thickness h and in-plane resolution w: twice the noise
        at a quarter of the dose. Thin slices are averaged up to the grid's.

        References
        ----------
        Brooks and Di Chiro 1976, Med Phys 3:237.
        """
        thick_mm, thin_mm = max(self.slice_mm, grid.spacing_mm[0]), REFERENCE_MM[0]
        wide_mm, fine_mm = math.sqrt(grid.spacing_mm[1] * grid.spacing_mm[2]), REFERENCE_MM[1]
        photons = self.dlp_mgy_cm / REFERENCE_DLP * thick_mm / thin_mm * (wide_mm / fine_mm) ** 3
        return self.noise_hu / math.sqrt(photons)


def attenuation(names: Sequence[str], phase: str) -> tuple[Tensor, Tensor]:
    """HU of tissues in a contrast phase: the mean [T] and the standard deviation between people.

    Examples
    --------
    >>> attenuation(["left_blood", "right_blood", "fat"], "coronary")[0].tolist()
    [327.0, 175.0, -90.0]
    """
    unknown = [name for name in names if name not in UNENHANCED_HU]
    if unknown:
        raise Problem(f"tissue {unknown[0]!r} has no HU; known are {', '.join(UNENHANCED_HU)}")
    base = torch.tensor([UNENHANCED_HU[name] for name in names])
    added = torch.tensor([ENHANCEMENT_HU[phase].get(name, 0.0) for name in names])
    return base[:, 0] + added, torch.hypot(base[:, 1], ENHANCEMENT_SPREAD * added)


def window(hu: Tensor, level: float, width: float) -> Tensor:
    """Grey values 0..1 of a window: clip((HU − level) / width + 1/2, 0, 1).

    Parameters
    ----------
    hu
        Any shape.
    level, width
        Centre and width of the window in HU, the width above 0.

    Examples
    --------
    >>> window(torch.tensor([-1000.0, 200.0, 400.0]), level=200, width=800).tolist()
    [0.0, 0.5, 0.75]
    """
    _check_window(level, width)
    return ((hu - level) / width + 0.5).clip(0, 1)


def _check_window(level: float, width: float) -> None:
    if not (math.isfinite(level) and 0 < width < math.inf):
        raise Problem(f"window: level {level} HU, width {width} HU; the width is above 0")


def render_ct(
    maps: TissueMaps, scanner: CtScanner, draws: Sequence[torch.Generator], spread: float = 1.0
) -> Tensor:
    """HU of N subjects: [N, 1, Z, Y, X]; what no tissue fills is air.

    Parameters
    ----------
    maps
        Tissue fractions of N subjects.
    scanner
        The protocol.
    draws
        One generator a subject.
    spread
        How much tissues differ between people, as a multiple of the table's; 0 for its means.
    """
    mean, deviation = attenuation(maps.names, scanner.phase)
    own = mean + spread * deviation * normal((len(mean),), draws)
    fine = torch.einsum("nt,ntzyx->nzyx", own.to(maps.fractions) - AIR_HU, maps.fractions) + AIR_HU
    hu = slice_profile(fine, maps.grid, scanner.slice_mm)[:, None]
    sigma = scanner.noise_on(maps.grid)
    return hu + sigma * quantum_noise(hu, maps.grid, draws) if sigma else hu


def quantum_noise(hu: Tensor, grid: Grid, draws: Sequence[torch.Generator]) -> Tensor:
    """Noise of counted photons after filtered back-projection, for a centre of water of σ = 1.

    Parallel rays through each slice have attenuation p = ∫ μ dl; of their photons e^(−p) arrive, so
    ln of the count has variance ∝ e^p (Poisson, without electronic noise or bowtie filter). That
    white noise is ramp-filtered and back-projected like the image itself. So it rises with the
    attenuation along the rays, streaks along the most opaque ones, and its power rises with
    frequency. Each slice has photons of its own; tissue outside the grid attenuates nothing.

    Parameters
    ----------
    hu
        The noiseless image, [N, 1, Z, Y, X].
    grid
        The working grid.
    draws
        One generator a subject.

    Returns
    -------
    Like `hu`, with standard deviation 1 behind :data:`REFERENCE_WATER_MM` of water.

    References
    ----------
    Kak and Slaney 1988, Principles of Computerized Tomographic Imaging, chapters 3 and 5; Riederer,
    Pelc and Chesler 1978, Phys Med Biol 23:446.
    """
    rays, bins, gain = _rays(grid.shape[1:], grid.spacing_mm[1:])
    per_mm = WATER_PER_MM * (hu / 1000 + 1).cpu().numpy()
    p = rays @ per_mm.reshape(-1, rays.shape[1]).T  # [views · bins, N · Z]
    white = normal((grid.shape[0], rays.shape[0]), draws).flatten(0, 1).numpy().T
    counted = np.exp((p - WATER_PER_MM * REFERENCE_WATER_MM) / 2) * white
    noise = rays.T @ _ramp(counted, bins) / gain
    return torch.from_numpy(noise.T.reshape(hu.shape)).to(hu)


@functools.lru_cache(maxsize=4)
def _rays(shape: tuple[int, int], spacing_mm: tuple[float, float]) -> tuple[Any, int, float]:
    """What each pixel adds to each ray, in mm: a sparse [views · bins, pixels]; bins a view; gain.

    A pixel is shared between the two nearest rays of a view. The transposed matrix back-projects.
    The gain is the standard deviation that unit noise in every ray leaves at the centre.
    """
    from scipy.sparse import csr_array  # half a second that only CT needs

    y, x = (s * (np.arange(n) - (n - 1) / 2) for n, s in zip(shape, spacing_mm, strict=True))
    step = min(spacing_mm)
    bins = 2 * math.ceil(math.hypot(y[0], x[0]) / step + 1)
    angle = np.pi / VIEWS * np.arange(VIEWS)[:, None, None]
    at = (x * np.cos(angle) + y[:, None] * np.sin(angle)) / step + (bins - 1) / 2
    at = at.reshape(VIEWS, -1)
    low = np.floor(at).astype(int)
    ray = low + bins * np.arange(VIEWS)[:, None]
    pixel = np.broadcast_to(np.arange(at.shape[1]), at.shape)
    length = spacing_mm[0] * spacing_mm[1] / step
    share = np.concatenate([low + 1 - at, at - low]).ravel() * length
    where = np.concatenate([ray, ray + 1]).ravel(), np.concatenate([pixel, pixel]).ravel()
    rays = csr_array((share.astype(np.float32), where), shape=(VIEWS * bins, at.shape[1]))
    centre = shape[0] // 2 * shape[1] + shape[1] // 2
    column = rays[:, [centre]].toarray()
    return rays, bins, float(np.linalg.norm(_ramp(column, bins)))


def _ramp(rays: np.ndarray, bins: int) -> np.ndarray:
    """Ramp filter along the rays of each view, band-limited, in units of the ray spacing.

    h(0) = 1/4, h(n) = −1 / (π n)² for odd n, 0 for even n (Kak and Slaney 1988, eq. 3.61).
    """
    n = np.abs(np.fft.fftfreq(2 * bins, 1 / (2 * bins)))
    kernel = np.where(n % 2 == 1, -1 / (np.pi * np.maximum(n, 1)) ** 2, 0.0)
    kernel[0] = 0.25
    views = rays.reshape(VIEWS, bins, -1)
    spectrum = np.fft.rfft(views, 2 * bins, axis=1) * np.fft.rfft(kernel)[:, None]
    filtered = np.fft.irfft(spectrum, 2 * bins, axis=1)[:, :bins]
    return filtered.reshape(rays.shape).astype(np.float32)
