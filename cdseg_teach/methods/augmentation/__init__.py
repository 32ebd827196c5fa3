"""Data augmentation: random changes of S that a network must not care about, one a file."""

from cdseg_teach.methods.augmentation.bias import BiasField
from cdseg_teach.methods.augmentation.fourier import Fourier
from cdseg_teach.methods.augmentation.gamma import Gamma
from cdseg_teach.methods.augmentation.gin import GIN
from cdseg_teach.methods.augmentation.inversion import Inversion
from cdseg_teach.methods.augmentation.mixstyle import MixStyle
from cdseg_teach.methods.augmentation.noise import Noise
from cdseg_teach.methods.augmentation.presets import ORDINARY, RANDOM_NETWORKS, SYNTHETIC, painted
from cdseg_teach.methods.augmentation.resolution import LowResolution
from cdseg_teach.methods.augmentation.stack import Stack
from cdseg_teach.methods.augmentation.synthesis import Synthesis
from cdseg_teach.methods.augmentation.transform import Parameters, Transform, to_device

__all__ = [
    "GIN",
    "ORDINARY",
    "RANDOM_NETWORKS",
    "SYNTHETIC",
    "BiasField",
    "Fourier",
    "Gamma",
    "Inversion",
    "LowResolution",
    "MixStyle",
    "Noise",
    "Parameters",
    "Stack",
    "Synthesis",
    "Transform",
    "painted",
    "to_device",
]
