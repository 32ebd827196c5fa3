"""How it looks: a scanner turns tissue maps into an image."""

from cdseg_teach.scanners.protocols import DATA_SET_1, DATA_SET_2, SCANNERS
from cdseg_teach.scanners.scanner import Scanner, interpolate, render, without_artefacts
from cdseg_teach.scanners.sequences import (
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
    "SCANNERS",
    "GradientEcho",
    "InversionRecovery",
    "Mprage",
    "PulseSequence",
    "Scanner",
    "SpinEcho",
    "interpolate",
    "render",
    "tissue_values",
    "without_artefacts",
]
