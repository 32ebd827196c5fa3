"""Test-time adaptation, one readable file a method: nothing of T but the volume to segment."""

from cdseg_teach.methods.test_time.base import Adaptation, Run
from cdseg_teach.methods.test_time.batch_statistics import BatchStatistics
from cdseg_teach.methods.test_time.class_prior import ClassPrior, class_ratio
from cdseg_teach.methods.test_time.denoiser import train_denoiser
from cdseg_teach.methods.test_time.denoising_prior import DenoisingPrior, denoiser_of
from cdseg_teach.methods.test_time.tent import Tent

__all__ = [
    "Adaptation",
    "BatchStatistics",
    "ClassPrior",
    "DenoisingPrior",
    "Run",
    "Tent",
    "class_ratio",
    "denoiser_of",
    "train_denoiser",
]
