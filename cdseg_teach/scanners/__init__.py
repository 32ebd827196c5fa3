"""How it looks: a scanner turns tissue maps into an image."""

from .protocols import DATA_SET_1, DATA_SET_2, SCANNERS
from .scanner import Scanner, interpolate, render, without_artefacts
from .sequences import GradientEcho, InversionRecovery, Mprage, PulseSequence, SpinEcho
from .tissues import tissue_values

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
