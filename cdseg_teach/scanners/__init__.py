"""How it looks: a scanner turns tissue maps into an image."""

from cdseg_teach.scanners.ct import CtScanner, window
from cdseg_teach.scanners.protocols import (
    DATA_SET_1,
    DATA_SET_2,
    HEART_CT,
    HEART_MR,
    SCANNERS,
)
from cdseg_teach.scanners.scanner import Scanner, interpolate, render, without_artefacts
from cdseg_teach.scanners.sequences import (
    BalancedSsfp,
    GradientEcho,
    InversionRecovery,
    Mprage,
    PulseSequence,
    SpinEcho,
)
from cdseg_teach.scanners.tissues import tissue_values

__all__ = [
    "DATA_SET_1",
    "DATA_SET_2",
    "HEART_CT",
    "HEART_MR",
    "SCANNERS",
    "BalancedSsfp",
    "CtScanner",
    "GradientEcho",
    "InversionRecovery",
    "Mprage",
    "PulseSequence",
    "Scanner",
    "SpinEcho",
    "interpolate",
    "render",
    "tissue_values",
    "window",
    "without_artefacts",
]
