"""Magnetic resonance: signal equations, and the susceptibility-weighted phase.

Every equation takes times in ms, flip angles in degrees and tissue parameters of one shape, and
returns a signal of that shape in units of the fully relaxed proton density of water.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

# Gyromagnetic ratio of the proton / 2π; times a shift in ppm and the field in tesla it gives Hz.
GAMMA_MHZ_PER_TESLA = 42.577


def spin_echo(tr_ms: float, te_ms: float, t1: Tensor, t2: Tensor, pd: Tensor) -> Tensor:
    """Spin echo: S = PD (1 − e^(−TR/T1)) e^(−TE/T2); TE much shorter than TR.

    References
    ----------
    Bernstein, King and Zhou 2004, Handbook of MRI Pulse Sequences, chapter 14.
    """
    return pd * (1 - torch.exp(-tr_ms / t1)) * torch.exp(-te_ms / t2)


def inversion_recovery(
    tr_ms: float, te_ms: float, ti_ms: float, t1: Tensor, t2: Tensor, pd: Tensor
) -> Tensor:
    """Inversion-recovery spin echo (FLAIR), magnitude.

    S = PD |1 − 2 e^(−TI/T1) + e^(−TR/T1)| e^(−TE/T2); TE much shorter than TR.
    A fluid of T1 is dark at TI = T1 (ln 2 − ln(1 + e^(−TR/T1))).

    References
    ----------
    Bernstein, King and Zhou 2004, Handbook of MRI Pulse Sequences, chapter 14.
    """
    recovered = 1 - 2 * torch.exp(-ti_ms / t1) + torch.exp(-tr_ms / t1)
    return pd * recovered.abs() * torch.exp(-te_ms / t2)


def gradient_echo(
    tr_ms: float, te_ms: float, flip_deg: float, t1: Tensor, t2star: Tensor, pd: Tensor
) -> Tensor:
    """Spoiled gradient echo in its steady state.

    S = PD sin α (1 − E1) / (1 − E1 cos α) e^(−TE/T2*), E1 = e^(−TR/T1).

    References
    ----------
    Ernst and Anderson 1966, Rev Sci Instrum 37:93.
    """
    angle, e1 = math.radians(flip_deg), torch.exp(-tr_ms / t1)
    return pd * math.sin(angle) * (1 - e1) / (1 - e1 * math.cos(angle)) * torch.exp(-te_ms / t2star)


def mprage(
    tr_ms: float,
    te_ms: float,
    ti_ms: float,
    flip_deg: float,
    pulses: int,
    spacing_ms: float,
    t1: Tensor,
    t2star: Tensor,
    pd: Tensor,
) -> Tensor:
    """Magnetisation-prepared rapid gradient echo, magnitude at the train's centre.

    In its steady state: an inversion every TR, a train of `pulses` small flips `spacing_ms` apart
    whose centre lies TI after it, then free recovery. Longitudinal magnetisation is a linear
    function of what it was one TR ago, M ← a + b M, so the steady state is a / (1 − b).

    References
    ----------
    Deichmann et al. 2000, NeuroImage 12:112; Marques et al. 2010, NeuroImage 49:1271 (MP2RAGE, eq.
    1 with one train).
    """
    angle = math.radians(flip_deg)
    before, half = ti_ms - pulses / 2 * spacing_ms, pulses // 2
    after = tr_ms - before - pulses * spacing_ms
    e1 = torch.exp(-spacing_ms / t1)
    step = e1 * math.cos(angle)  # what one pulse and its recovery leave of M

    def train(m: Tensor, n: int) -> Tensor:
        return m * step**n + (1 - e1) * (1 - step**n) / (1 - step)

    def recover(m: Tensor, time_ms: float) -> Tensor:
        return 1 + (m - 1) * torch.exp(-time_ms / t1)

    def one_period(m: Tensor) -> Tensor:
        return recover(train(recover(-m, before), pulses), after)

    offset = one_period(torch.zeros_like(t1))
    slope = one_period(torch.ones_like(t1)) - offset
    steady = offset / (1 - slope)
    return (
        pd
        * math.sin(angle)
        * train(recover(-steady, before), half).abs()
        * torch.exp(-te_ms / t2star)
    )


def balanced_ssfp(
    tr_ms: float,
    te_ms: float,
    flip_deg: float,
    t1: Tensor,
    t2: Tensor,
    pd: Tensor,
    off_resonance_hz: Tensor | float = 0.0,
) -> Tensor:
    """Balanced steady-state free precession with pulses of alternating sign, magnitude.

    S = PD sin α (1 − E1) sqrt(1 + 2 E2 cos θ + E2²) / (D − C cos θ) e^(−TE/T2), with
    E1 = e^(−TR/T1), E2 = e^(−TR/T2), D = 1 − E1 cos α − (E1 − cos α) E2²,
    C = E2 (E1 − 1)(1 + cos α) and θ = 2π Δf TR, the precession in one TR. On resonance it is
    PD sin α (1 − E1) / (1 − (E1 − E2) cos α − E1 E2) e^(−TE/T2), bright where T2/T1 is large; at
    Δf = ±1 / (2 TR) lies a dark band. Near TE = TR/2 spins are refocused, hence T2, not T2*.

    Parameters
    ----------
    off_resonance_hz
        Δf in Hz: a number, or a tensor that broadcasts against the tissue values.

    References
    ----------
    Freeman and Hill 1971, J Magn Reson 4:366; Hargreaves et al. 2001, MRM 46:149; Scheffler and
    Hennig 2003, MRM 49:395 (echo).
    """
    angle = math.radians(flip_deg)
    cos = math.cos(angle)
    e1, e2 = torch.exp(-tr_ms / t1), torch.exp(-tr_ms / t2)
    precession = 2 * math.pi * torch.as_tensor(off_resonance_hz) * tr_ms / 1000
    in_phase = e2 * torch.cos(precession)
    across = torch.sqrt(1 + 2 * in_phase + e2**2)
    along = 1 - e1 * cos - (e1 - cos) * e2**2 + (1 - e1) * (1 + cos) * in_phase
    return pd * math.sin(angle) * (1 - e1) * across / along * torch.exp(-te_ms / t2)


def scan_seconds(tr_ms: float, lines: int, slices: int = 1, averages: float = 1) -> float:
    """Time that is spent measuring, in seconds: every line of every slice takes one TR.

    Finer voxels in the same field of view need more lines. Waiting (for the heart's phase, for a
    breath) comes on top.

    Examples
    --------
    >>> scan_seconds(tr_ms=3.3, lines=128, slices=16)  # doctest: +ELLIPSIS
    6.75...
    """
    return tr_ms / 1000 * lines * slices * averages


def relative_snr(voxel: float, time: float) -> float:
    """SNR ∝ voxel volume · sqrt(measuring time): what a change of either does to it.

    Parameters
    ----------
    voxel, time
        Volume of the voxel and measuring time, both as a multiple of what they were.

    Examples
    --------
    Half the voxel in each direction at the same SNR takes 64 times the time:

    >>> relative_snr(voxel=1 / 8, time=64)
    1.0

    References
    ----------
    Macovski 1996, MRM 36:494.
    """
    return voxel * math.sqrt(time)


def vein_phase(field_tesla: float, te_ms: float, chi_ppm: float) -> float:
    """Phase in radians inside a vein parallel to the field: φ = 2π γ B0 (Δχ/3) TE.

    Δχ is in ppm (SI), against the vein's surroundings. The infinite-cylinder model, Δχ (cos²θ −
    1/3) / 2 at θ = 0. Veins across the field are less dark than this in truth.

    References
    ----------
    Haacke et al. 2004, MRM 52:612.
    """
    return 2 * math.pi * GAMMA_MHZ_PER_TESLA * field_tesla * chi_ppm / 3 * te_ms / 1000


def phase_mask(phase: Tensor, power: float) -> Tensor:
    """The susceptibility weight of a phase: (1 − φ/π)^power for 0 < φ < π, 1 below, 0 above.

    Paramagnetic matter has φ > 0 in this sign convention. Power 0 is no mask: plain gradient echo;
    power 4 is the usual one.

    References
    ----------
    Haacke et al. 2004, MRM 52:612, eq. 2 and figure 5.
    """
    weight = 1 - phase.clamp(0, math.pi) / math.pi
    return torch.ones_like(weight) if power == 0 else weight**power


def local_phase(
    chi_ppm: Tensor, field_tesla: float, te_ms: float, spacing_mm: Sequence[float]
) -> Tensor:
    """Phase in radians of what is resolved (iron, blood): its dipole field, high-pass filtered.

    φ = 2π γ B0 TE · F⁻¹[ (1/3 − k_z²/k²) (1 − H(k_x, k_y)) F[χ] ], with B0 along z. H is the Hann
    window over the central 64 of 256 k-space lines (field of view 230 mm) that the scanner's
    homodyne filter takes away.

    Parameters
    ----------
    chi_ppm
        [N, Z, Y, X], susceptibility in ppm (SI).
    field_tesla, te_ms
        B0 in tesla, echo time in ms.
    spacing_mm
        (z, y, x).

    Returns
    -------
    [N, Z, Y, X]; identically 0 for a uniform map.

    References
    ----------
    Marques and Bowtell 2005, Concepts Magn Reson B 25:65 (dipole field); Haacke et al. 2004, MRM
    52:612 (filter).
    """
    n_z, n_y, n_x = chi_ppm.shape[1:]
    k_z, k_y, k_x = torch.meshgrid(
        torch.fft.fftfreq(n_z, spacing_mm[0]),
        torch.fft.fftfreq(n_y, spacing_mm[1]),
        torch.fft.rfftfreq(n_x, spacing_mm[2]),
        indexing="ij",
    )
    square = k_z**2 + k_y**2 + k_x**2
    dipole = torch.where(
        square > 0, 1 / 3 - k_z**2 / square.clamp_min(1e-12), torch.zeros_like(square)
    )
    cutoff = 32 / 230  # cycles per mm
    window = [0.5 + 0.5 * torch.cos(math.pi * (k.abs() / cutoff).clamp(max=1)) for k in (k_y, k_x)]
    kernel = (dipole * (1 - window[0] * window[1])).to(chi_ppm.device)
    field_ppm = torch.fft.irfftn(
        torch.fft.rfftn(chi_ppm, dim=(1, 2, 3)) * kernel, s=chi_ppm.shape[1:], dim=(1, 2, 3)
    )
    return 2 * math.pi * GAMMA_MHZ_PER_TESLA * field_tesla * field_ppm * te_ms / 1000
