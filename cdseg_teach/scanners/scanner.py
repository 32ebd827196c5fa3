"""A scanner is plain data; `render` makes its images; the shift dial lies between two scanners."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from cdseg_teach.anatomy.draw import generators, normal, smooth_field
from cdseg_teach.anatomy.maps import TissueMaps
from cdseg_teach.problems import Problem
from cdseg_teach.scanners import mr
from cdseg_teach.scanners.artefacts import bias_field, rician_noise, slice_profile
from cdseg_teach.scanners.ct import CtScanner, render_ct
from cdseg_teach.scanners.sequences import (
    BalancedSsfp,
    GradientEcho,
    PulseSequence,
    interpolate_sequences,
)
from cdseg_teach.scanners.tissues import VENOUS_CHI_PPM, TissueValues, tissue_values

# Standard deviation of ln T1, ln T2, ln PD between people; Wright 2008 finds 4 to 11 % for T1.
TISSUE_SPREAD = 0.05

# The tissue whose signal a sequence's SNR is of: in a brain, in a heart.
SNR_TISSUES = ("white", "left_blood")

# Distance in mm between the control points of the field's error; chosen, as the bias field's.
SHIM_WAVELENGTH_MM = 80.0


@dataclass(frozen=True)
class Scanner:
    """An MR scanner with its protocol: a domain.

    Parameters
    ----------
    name
        e.g. "3 T TIM Trio".
    field_tesla
        Field strength in tesla.
    sequences
        One pulse sequence a channel.
    bias
        Strength of the bias field, the standard deviation of its logarithm.
    """

    name: str
    field_tesla: float
    sequences: tuple[PulseSequence, ...]
    bias: float

    def __post_init__(self) -> None:
        if self.bias < 0 or not math.isfinite(self.bias):
            raise Problem(f"{self.name}: bias {self.bias}; choose a finite strength of at least 0")

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the channels."""
        return tuple(sequence.name for sequence in self.sequences)


AnyScanner = TypeVar("AnyScanner", Scanner, CtScanner)


def interpolate(a: Scanner | CtScanner, b: Scanner | CtScanner, shift: float) -> Scanner:
    """The scanner a fraction `shift` of the way from a to b.

    Field, bias and every number of every sequence move along a line. Shift 0 is a itself, shift 1
    is b itself; beyond, GE's repetition time would turn negative.

    Examples
    --------
    >>> from cdseg_teach.scanners import DATA_SET_1, DATA_SET_2
    >>> interpolate(DATA_SET_1, DATA_SET_2, 0.0) is DATA_SET_1
    True
    """
    if not 0 <= shift <= 1:
        raise Problem(f"shift {shift}: choose between 0 (the first scanner) and 1 (the second)")
    if isinstance(a, CtScanner) or isinstance(b, CtScanner):
        raise Problem(f"no dial between {a.name} and {b.name}: it turns between two MR scanners")
    if len(a.sequences) != len(b.sequences):
        raise Problem(
            f"no dial between {a.name} and {b.name}: "
            f"{len(a.sequences)} and {len(b.sequences)} channels"
        )
    if shift in (0, 1):
        return b if shift else a
    return Scanner(
        name=f"{a.name} to {b.name}, {shift:.2f}",
        field_tesla=a.field_tesla + shift * (b.field_tesla - a.field_tesla),
        sequences=tuple(
            interpolate_sequences(s, t, shift)
            for s, t in zip(a.sequences, b.sequences, strict=True)
        ),
        bias=a.bias + shift * (b.bias - a.bias),
    )


def without_artefacts(scanner: AnyScanner) -> AnyScanner:
    """The same scanner with neither noise nor bias."""
    if isinstance(scanner, CtScanner):
        return dataclasses.replace(scanner, noise_hu=0.0)
    ideal = tuple(dataclasses.replace(sequence, snr=math.inf) for sequence in scanner.sequences)
    return dataclasses.replace(scanner, sequences=ideal, bias=0.0)


def render(
    maps: TissueMaps, scanner: Scanner | CtScanner, seeds: Sequence[int], *, spread: float = 1.0
) -> Tensor:
    """What a scanner makes of N subjects.

    Each voxel is the sum of its tissues' signals weighted by the shares they fill (partial volume),
    averaged over the slice's thickness. MR multiplies by the bias field and has Rician noise; CT
    has the noise of its photons.

    Parameters
    ----------
    maps
        Tissue fractions of N subjects.
    scanner
        The domain.
    seeds
        One a subject, for its own tissue values, bias and noise.
    spread
        How much tissue values differ between people, as a multiple of what is usual; 0 for the
        table's.

    Returns
    -------
    float32 [N, C, Z, Y, X] on the working grid: MR in units of fully relaxed water, CT in HU.

    Raises
    ------
    Problem
        Unless there is one seed a subject, or when the scanner's table lacks a tissue.
    """
    if len(seeds) != maps.fractions.shape[0]:
        raise Problem(f"{len(seeds)} seeds for {maps.fractions.shape[0]} subjects: give one each")
    draws = generators(seeds)
    if isinstance(scanner, CtScanner):
        return render_ct(maps, scanner, draws, spread)
    return _render_mr(maps, scanner, draws, spread * TISSUE_SPREAD)


def _render_mr(
    maps: TissueMaps, scanner: Scanner, draws: Sequence[torch.Generator], spread: float
) -> Tensor:
    tissue = _individual(tissue_values(maps.names, scanner.field_tesla), spread, draws)
    ideal = _ideal(maps, tissue, scanner, draws)
    reference = next(maps.names.index(name) for name in SNR_TISSUES if name in maps.names)
    sigma = torch.stack([s.signal(tissue)[:, reference] / s.snr for s in scanner.sequences], dim=1)
    biased = ideal * bias_field(maps.grid, scanner.bias, draws).to(ideal)
    return rician_noise(biased, sigma, draws) if bool(sigma.any()) else biased


def _individual(
    table: TissueValues, spread: float, draws: Sequence[torch.Generator]
) -> TissueValues:
    """Tissue values [N, T] of N people, log-normal about the table; R2' and χ are the table's."""
    factors = torch.exp(spread * normal((3, len(table.t1)), draws))
    t2 = table.t2 * factors[:, 1]
    r2prime = 1 / table.t2star - 1 / table.t2
    return TissueValues(
        t1=table.t1 * factors[:, 0],
        t2=t2,
        t2star=1 / (1 / t2 + r2prime),
        pd=(table.pd * factors[:, 2]).clamp(max=1.0),
        chi=table.chi.expand_as(t2),
    )


def _ideal(
    maps: TissueMaps, tissue: TissueValues, scanner: Scanner, draws: Sequence[torch.Generator]
) -> Tensor:
    """The noiseless channels: [N, C, Z, Y, X] on the working grid."""
    signals = torch.stack([s.signal(tissue) for s in scanner.sequences], dim=1).to(maps.fractions)
    fine = torch.einsum("nct,ntzyx->nczyx", signals, maps.fractions)
    channels = []
    for sequence, signal, magnitude in zip(
        scanner.sequences, signals.unbind(1), fine.unbind(1), strict=True
    ):
        if isinstance(sequence, GradientEcho) and sequence.mask_power > 0:
            if "vein" not in maps.names:
                raise Problem(f"{sequence.name}: a phase mask needs veins; set mask_power=0")
            blood = signal[:, maps.names.index("vein"), None, None, None] * maps["vein"]
            magnitude = _susceptibility_weighted(
                maps, magnitude, blood, tissue.chi, sequence, scanner.field_tesla
            )
        if isinstance(sequence, BalancedSsfp) and sequence.off_resonance_hz > 0:
            magnitude = _banded(maps, tissue, sequence, draws)
        channels.append(slice_profile(magnitude, maps.grid, sequence.slice_mm))
    return torch.stack(channels, dim=1)


def _banded(
    maps: TissueMaps,
    tissue: TissueValues,
    sequence: BalancedSsfp,
    draws: Sequence[torch.Generator],
) -> Tensor:
    """Balanced SSFP in an imperfect field, on the lattice: [N, Z, Y, X]."""
    grid = maps.grid
    field = smooth_field(grid.fine_shape, grid.fine_spacing_mm, SHIM_WAVELENGTH_MM, draws)
    everywhere = TissueValues(
        *(getattr(tissue, f.name)[..., None, None, None] for f in dataclasses.fields(tissue))
    )
    signals = sequence.signal(everywhere, sequence.off_resonance_hz * field)
    return (signals.to(maps.fractions) * maps.fractions).sum(1)


def _susceptibility_weighted(
    maps: TissueMaps,
    magnitude: Tensor,
    blood: Tensor,
    chi: Tensor,
    sequence: GradientEcho,
    field_tesla: float,
) -> Tensor:
    """Magnitude, `blood` the veins' part of it, times phase mask, on the lattice: [N, Z, Y, X].

    Resolved matter (iron, bleeding) gets the phase of its dipole field. Veins are thinner than a
    voxel: the mask acts on the share that they fill, with the phase inside a vein, as a scan on a
    finer grid that is averaged afterwards. Without a mask (GE) the veins' share is added in
    magnitude. In truth it is added with its phase, which darkens a thin vein along the field more
    (up to a seventh where a tenth of the voxel is vein), so GE's veins are fainter here than in a
    scan: part of the shift is exaggerated.
    """
    resolved = chi.to(maps.fractions).clone()
    resolved[:, maps.names.index("vein")] = 0
    filled = maps.fractions.sum(1).clamp_min(1e-6)
    chi_map = torch.einsum("nt,ntzyx->nzyx", resolved, maps.fractions) / filled
    phase = mr.local_phase(chi_map, field_tesla, sequence.te_ms, maps.grid.fine_spacing_mm)
    in_vein = torch.tensor(mr.vein_phase(field_tesla, sequence.te_ms, VENOUS_CHI_PPM))
    power = sequence.mask_power
    return (magnitude - blood) * mr.phase_mask(phase, power) + blood * mr.phase_mask(in_vein, power)
