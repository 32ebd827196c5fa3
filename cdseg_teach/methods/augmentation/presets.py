"""Stacks with a name: what the rows of the table train with."""

from cdseg_teach.methods.augmentation.bias import BiasField
from cdseg_teach.methods.augmentation.gamma import Gamma
from cdseg_teach.methods.augmentation.gin import GIN
from cdseg_teach.methods.augmentation.inversion import Inversion
from cdseg_teach.methods.augmentation.noise import Noise
from cdseg_teach.methods.augmentation.resolution import LowResolution
from cdseg_teach.methods.augmentation.stack import Stack
from cdseg_teach.methods.augmentation.synthesis import Synthesis

# Probabilities are chosen: each transform changes half of the slices.
_ARTEFACTS = ((LowResolution(), 0.5), (Gamma(), 0.5), (BiasField(), 0.5), (Noise(), 0.5))

#: Ordinary intensity and artefacts.
ORDINARY = Stack(((Inversion(), 0.5), *_ARTEFACTS))
#: GIN alone: its weight, uniform from 0 to 1, leaves slices near what they were often enough.
RANDOM_NETWORKS = Stack(((GIN(), 1.0),))


def painted(synthesis: Synthesis) -> Stack:
    """Paint, and blur what was painted, which has edges that no scanner makes."""
    return Stack(((synthesis, 1.0), (LowResolution(), float(synthesis.strength > 0))))


#: Half of the slices painted from their labels, and all of them worn by ordinary artefacts.
SYNTHETIC = Stack(((painted(Synthesis()), 0.5), *_ARTEFACTS))
