"""Pulse sequences as plain data: each knows its times and calls its equation of `mr.py`."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from cdseg_teach.problems import Problem
from cdseg_teach.scanners import mr
from cdseg_teach.scanners.tissues import TissueValues


@dataclass(frozen=True)
class PulseSequence:
    """What all pulse sequences share.

    Parameters
    ----------
    name
        The channel's name, e.g. "FLAIR".
    tr_ms, te_ms
        Repetition time and echo time in ms, TR above TE above 0.
    slice_mm
        Slice thickness in mm.
    snr
        Signal over the noise's standard deviation on the working grid, of white matter in a brain
        and of the left heart's blood in a heart; infinity is no noise.
    """

    name: str
    tr_ms: float
    te_ms: float
    slice_mm: float
    snr: float

    def __post_init__(self) -> None:
        if not self.tr_ms > self.te_ms > 0:
            raise Problem(
                f"{self.name}: TR {self.tr_ms} ms and TE {self.te_ms} ms; choose TR > TE > 0"
            )
        if not (self.slice_mm > 0 and self.snr > 0):
            raise Problem(
                f"{self.name}: slice {self.slice_mm} mm, SNR {self.snr}; both must be above 0"
            )

    def signal(self, tissue: TissueValues) -> Tensor:
        """Signal of each tissue in units of fully relaxed water, in the shape of its values."""
        raise NotImplementedError


@dataclass(frozen=True)
class SpinEcho(PulseSequence):
    """PD- and T2-weighted spin echo."""

    def signal(self, tissue: TissueValues) -> Tensor:
        """Signal by :func:`mr.spin_echo`."""
        return mr.spin_echo(self.tr_ms, self.te_ms, tissue.t1, tissue.t2, tissue.pd)


@dataclass(frozen=True)
class InversionRecovery(PulseSequence):
    """Inversion-recovery spin echo, such as FLAIR; `ti_ms` is the inversion time."""

    ti_ms: float

    def signal(self, tissue: TissueValues) -> Tensor:
        """Signal by :func:`mr.inversion_recovery`."""
        return mr.inversion_recovery(
            self.tr_ms, self.te_ms, self.ti_ms, tissue.t1, tissue.t2, tissue.pd
        )


@dataclass(frozen=True)
class Mprage(PulseSequence):
    """MPRAGE: `pulses` flips of `flip_deg` degrees, `spacing_ms` apart, centred at `ti_ms`."""

    ti_ms: float
    flip_deg: float
    pulses: int
    spacing_ms: float

    def __post_init__(self) -> None:
        super().__post_init__()
        half = self.pulses * self.spacing_ms / 2
        if not (half <= self.ti_ms <= self.tr_ms - half):
            raise Problem(
                f"{self.name}: TI {self.ti_ms} ms; "
                f"the train needs {half:.0f} ms on either side within TR {self.tr_ms} ms"
            )

    def signal(self, tissue: TissueValues) -> Tensor:
        """Signal by :func:`mr.mprage`."""
        times = (self.tr_ms, self.te_ms, self.ti_ms, self.flip_deg, self.pulses, self.spacing_ms)
        return mr.mprage(*times, tissue.t1, tissue.t2star, tissue.pd)


@dataclass(frozen=True)
class GradientEcho(PulseSequence):
    """Spoiled gradient echo; with `mask_power` above 0 (usually 4) its phase darkens it: SWI."""

    flip_deg: float
    mask_power: float = 0.0

    def signal(self, tissue: TissueValues) -> Tensor:
        """Signal by :func:`mr.gradient_echo`."""
        return mr.gradient_echo(
            self.tr_ms, self.te_ms, self.flip_deg, tissue.t1, tissue.t2star, tissue.pd
        )


@dataclass(frozen=True)
class BalancedSsfp(PulseSequence):
    """Balanced SSFP, the heart's bright-blood sequence.

    Parameters
    ----------
    flip_deg
        Flip angle in degrees.
    off_resonance_hz
        Standard deviation of the field's smooth error over the volume, in Hz. 0 is a perfect shim;
        with an error near 1 / (2 TR) dark bands appear. Fat is taken on resonance: 3.4 ppm away at
        1.5 T it would be 2 % brighter with TR 3.3 ms.
    """

    flip_deg: float
    off_resonance_hz: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.off_resonance_hz < math.inf:
            raise Problem(
                f"{self.name}: off-resonance {self.off_resonance_hz} Hz; "
                "choose a finite standard deviation of at least 0"
            )

    def signal(self, tissue: TissueValues, off_resonance_hz: Tensor | float = 0.0) -> Tensor:
        """Signal by :func:`mr.balanced_ssfp`, on resonance unless told otherwise."""
        return mr.balanced_ssfp(
            self.tr_ms,
            self.te_ms,
            self.flip_deg,
            tissue.t1,
            tissue.t2,
            tissue.pd,
            off_resonance_hz,
        )


def interpolate_sequences(a: PulseSequence, b: PulseSequence, shift: float) -> PulseSequence:
    """The sequence a fraction `shift` of the way from a to b, number by number: a at 0, b at 1."""
    if type(a) is not type(b):
        raise Problem(
            f"no dial between {a.name} and {b.name}: they are different kinds of sequence"
        )
    if shift in (0, 1):
        return b if shift else a
    values: dict[str, Any] = {"name": a.name if a.name == b.name else f"{a.name}-{b.name}"}
    for field in dataclasses.fields(a):
        one, other = getattr(a, field.name), getattr(b, field.name)
        if isinstance(one, int | float):
            value = one + shift * (other - one) if one != other else one  # inf - inf is no number
            values[field.name] = round(value) if field.type in (int, "int") else value
    return dataclasses.replace(a, **values)
