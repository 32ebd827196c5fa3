"""A scanner is plain data; `render` makes its images; the shift dial lies between two scanners."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cdseg_teach.anatomy.brain import BrainMaps
from cdseg_teach.anatomy.draw import generators, normal
from cdseg_teach.problems import Problem
from cdseg_teach.scanners import mr
from cdseg_teach.scanners.artefacts import bias_field, rician_noise, slice_profile
from cdseg_teach.scanners.sequences import GradientEcho, PulseSequence, interpolate_sequences
from cdseg_teach.scanners.tissues import VENOUS_CHI_PPM, TissueValues, tissue_values

# Standard deviation of ln T1, ln T2, ln PD between people; Wright 2008 finds 4 to 11 % for T1.
TISSUE_SPREAD = 0.05


@dataclass(frozen=True)
class Scanner:
    """A scanner with its protocol: a domain.

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


def interpolate(a: Scanner, b: Scanner, shift: float) -> Scanner:
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


def without_artefacts(scanner: Scanner) -> Scanner:
    """The same scanner with neither noise nor bias."""
    ideal = tuple(dataclasses.replace(sequence, snr=math.inf) for sequence in scanner.sequences)
    return dataclasses.replace(scanner, sequences=ideal, bias=0.0)


def render(
    maps: BrainMaps, scanner: Scanner, seeds: Sequence[int], *, spread: float = TISSUE_SPREAD
) -> Tensor:
    """What a scanner makes of N brains.

    Each voxel is the sum of its tissues' signals weighted by the shares they fill (partial volume),
    averaged over the slice's thickness, times the bias field, with Rician noise.

    Parameters
    ----------
    maps
        Tissue fractions of N brains.
    scanner
        The domain.
    seeds
        One a brain, for its own tissue values, bias and noise.
    spread
        How much tissue values differ between people; 0 for the table's.

    Returns
    -------
    float32 [N, C, Z, Y, X] on the working grid, in units of fully relaxed water.
    """
    if len(seeds) != maps.fractions.shape[0]:
        raise Problem(f"{len(seeds)} seeds for {maps.fractions.shape[0]} brains: give one each")
    draws = generators(seeds)
    tissue = _individual(tissue_values(maps.names, scanner.field_tesla), spread, draws)
    ideal = _ideal(maps, tissue, scanner)
    white = maps.names.index("white")
    sigma = torch.stack([s.signal(tissue)[:, white] / s.snr for s in scanner.sequences], dim=1)
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


def _ideal(maps: BrainMaps, tissue: TissueValues, scanner: Scanner) -> Tensor:
    """The noiseless channels: [N, C, Z, Y, X] on the working grid."""
    signals = torch.stack([s.signal(tissue) for s in scanner.sequences], dim=1).to(maps.fractions)
    fine = torch.einsum("nct,ntzyx->nczyx", signals, maps.fractions)
    channels = []
    for sequence, signal, magnitude in zip(
        scanner.sequences, signals.unbind(1), fine.unbind(1), strict=True
    ):
        if isinstance(sequence, GradientEcho) and sequence.mask_power > 0:
            blood = signal[:, maps.names.index("vein"), None, None, None] * maps["vein"]
            magnitude = _susceptibility_weighted(
                maps, magnitude, blood, tissue.chi, sequence, scanner.field_tesla
            )
        channels.append(slice_profile(magnitude, maps.grid, sequence.slice_mm))
    return torch.stack(channels, dim=1)


def _susceptibility_weighted(
    maps: BrainMaps,
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
