"""Cross-domain medical image segmentation, as a lecture that you can touch.

Every public name is looked up when it is first used, so that ``import cdseg_teach`` stays cheap:
torch and friends load with the first name that needs them.
"""

import importlib
import os

__version__ = "0.1.0"

# Waiting OpenMP threads spin by default: two kernels on two cores then slow each other down
# tenfold. OpenMP reads this once, when torch loads, so it is set before anything imports torch.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

_MODULE_OF = {
    "Adversarial": "methods",
    "AlphaLab": "labs.alpha",
    "AugmentationLab": "labs.augmentation",
    "BatchStatistics": "methods.test_time",
    "ClassPrior": "methods.test_time",
    "Cohort": "cohorts",
    "ContrastLab": "labs.contrast",
    "DenoisingPrior": "methods.test_time",
    "OutputAdversarial": "methods",
    "Predict": "labs.predict",
    "Problem": "problems",
    "ResultsExplorer": "labs.results",
    "SliceViewer": "labs.viewer",
    "Study": "cohorts",
    "Subject": "cohorts",
    "Supervised": "methods",
    "Tent": "methods.test_time",
    "TestTimeLab": "labs.test_time",
    "VolumeViewer": "labs.volume",
    "WindowLab": "labs.window",
    "brain_study": "cohorts.brain",
    "claim": "experiments.claims",
    "estimate": "methods",
    "evaluate": "evaluation",
    "heart_study": "cohorts.heart",
    "lecture_pack": "experiments.pack",
    "load_study": "cohorts.load",
    "overview": "cohorts.report",
    "steps": "methods",
    "write_prediction": "cohorts.nifti",
}

__all__ = ["__version__", *_MODULE_OF]


def __getattr__(name: str) -> object:
    """Import the module that holds `name`, and keep the name here for the next time."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Names for tab completion, whether they are loaded yet or not."""
    return sorted({*globals(), *__all__})
