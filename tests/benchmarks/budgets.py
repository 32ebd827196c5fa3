"""How quick the labs are on this machine; run by hand, on free cores, never by pytest.

    python tests/benchmarks/budgets.py

Prints each figure beside its budget (2 cores, no GPU). The pack must be there; the study is loaded
before the clock starts, as a lecture's first cell does.
"""

from __future__ import annotations

import tempfile
import time
from functools import partial
from pathlib import Path

STARTED = time.perf_counter()
import cdseg_teach as ct  # noqa: E402  its import is what is measured

IMPORTED = time.perf_counter() - STARTED

import nibabel as nib  # noqa: E402
import numpy as np  # noqa: E402
from figures import peak_gb, seconds, show  # noqa: E402

from cdseg_teach.datasets.columns import Row  # noqa: E402
from cdseg_teach.datasets.get import convert  # noqa: E402
from cdseg_teach.labs import results_view  # noqa: E402
from cdseg_teach.labs.augmentation import KNOBS  # noqa: E402
from cdseg_teach.labs.augmentation_view import AugmentationView  # noqa: E402
from cdseg_teach.labs.contrast_view import ContrastView  # noqa: E402
from cdseg_teach.labs.window import WindowView  # noqa: E402


def lay_out_a_brain(folder: Path) -> tuple[Row, ...]:
    """Three channels of 182 x 218 x 182 voxels, noise that packs badly, and a mask."""
    draw = np.random.default_rng(0)
    inside = np.zeros((182, 218, 182), np.float32)
    inside[20:160, 20:200, 10:160] = 1
    for channel in ("FLAIR", "T1", "T2"):
        image = inside * draw.normal(100, 20, inside.shape).astype(np.float32)
        nib.save(nib.Nifti1Image(image, np.eye(4)), folder / f"{channel}.nii.gz")
    mask = np.zeros(inside.shape, np.uint8)
    mask[80:100, 80:100, 80:100] = 1
    nib.save(nib.Nifti1Image(mask, np.eye(4)), folder / "mask.nii.gz")
    files = {"FLAIR": "FLAIR", "T1": "T1", "T2": "T2", "label": "mask"}
    return tuple(Row("one", channel, f"{file}.nii.gz") for channel, file in files.items())


def main() -> None:
    show("import cdseg_teach", IMPORTED, "s", "<= 0.3")
    study = ct.brain_study(seed=0).load()
    opened: list[ct.AlphaLab] = []
    first = seconds(lambda: opened.append(ct.AlphaLab.from_pack(study)) or opened[0].still())
    show("alpha lab, first picture", first, "s", "<= 5")
    lab = opened[0]
    lab.run(5)
    show("alpha lab, headless", 1 / seconds(lambda: lab.run(10), 5) * 10, "steps/s", ">= 8")
    show("peak memory so far", peak_gb(), "GB", "<= 1.5")

    hearts = ct.heart_study(seed=0).load()
    lab = ct.AlphaLab.from_pack(hearts)
    lab.run(5)
    show(
        "alpha lab on hearts, headless", 1 / seconds(lambda: lab.run(10), 3) * 10, "steps/s", ">= 8"
    )
    show("peak memory so far", peak_gb(), "GB", "<= 1.5")

    learner, patient = ct.lecture_pack().checkpoint(study), study.target.test[0].image
    for kind in (ct.BatchStatistics, ct.Tent, ct.ClassPrior):
        method = kind(learner)
        took = seconds(partial(method.predict, patient))
        show(f"{kind.__name__}, a patient", took, "s", "<= 10")
    priors: list[ct.DenoisingPrior] = []
    took = seconds(lambda: priors.append(ct.DenoisingPrior(learner)))
    show("DenoisingPrior, its denoiser, once", took, "s", "-")
    show("DenoisingPrior, a patient", seconds(lambda: priors[0].predict(patient)), "s", "<= 10")
    first = seconds(lambda: ct.TestTimeLab(learner, study).still())
    show("test-time lab, first picture", first, "s", "<= 5")
    first = seconds(lambda: results_view.ResultsView(ct.ResultsExplorer()))
    show("results explorer, first view", first, "s", "<= 5")

    view = ContrastView(ct.ContrastLab(z=11))
    shifts = iter([0.1, 0.3, 0.5, 0.7, 0.9])
    drawn = seconds(lambda: setattr(view.dial, "value", next(shifts)), 5)
    show("contrast lab, slider to pictures", 1000 * drawn, "ms", "<= 100")

    width, widths = WindowView(ct.WindowLab()).width, iter([100, 350, 600, 1000, 1500])
    drawn = seconds(lambda: setattr(width, "value", next(widths)), 5)
    show("window lab, slider to picture", 1000 * drawn, "ms", "<= 100")

    augmentation = ct.AugmentationLab(study)
    for name in KNOBS:
        augmentation.use(name)
    strength = AugmentationView(augmentation).strengths["GIN"]
    strengths = iter([0.1, 0.3, 0.5, 0.7, 0.9])
    drawn = seconds(lambda: setattr(strength, "value", next(strengths)), 5)
    show("augmentation lab, all transforms stacked", 1000 * drawn, "ms", "<= 100")

    with tempfile.TemporaryDirectory() as place:
        rows = lay_out_a_brain(Path(place))
        took = seconds(
            lambda: convert(rows, Path(place), Path(place, "out"), values={"lesion": (1,)})
        )
    show("a brain of 1 mm with three channels, converted", took, "s", "<= 5")


if __name__ == "__main__":
    main()
