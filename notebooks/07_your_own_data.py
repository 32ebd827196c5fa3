# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 07 · Your own data
#
# **Two folders in; the table, the lab and masks on the scanner's own grid out.**
#
# | | |
# | --- | --- |
# | **Time** | not part of the lecture; 30 minutes alone, a minute of computing |
# | **You need** | [02 · Adversarial learning](02_adversarial_learning.ipynb); scans of your own, or those made here |
# | **Afterwards you can** | bring two folders of NIfTI files into a study, and see what is wrong with them before you train |
# | | train, compare and adapt on them, and write masks back to where the scans lie |
# | | say what a table of few people is worth |

# %% [markdown]
# ## Two folders
#
# One folder for each scanner, hospital or sequence. Each subject has its channels and, where there is one, a mask.
# These are all understood:
#
# | where the files come from | how they are called |
# | --- | --- |
# | from you | `<subject>/FLAIR.nii.gz`, `<subject>/T2.nii.gz`, a mask `<subject>/label.nii.gz` |
# | BIDS | `sub-01/anat/sub-01_FLAIR.nii.gz`, `sub-01_dseg.nii.gz`, masks under `derivatives/` as well |
# | one file with a fourth axis | `<subject>/scan.nii.gz` has channels `scan-0`, `scan-1`, … |
# | anything else | a table of subject, channel and path: `cdseg-teach data convert MAP.csv --out FOLDER` |
# | a scanner, as DICOM | convert them first, with dcm2niix: `dcm2niix -z y -o OUT IN` |
#
# Here they are made: ten people of [notebook 01](01_domain_shift.ipynb)'s first scanner and ten of its second,
# written as files into a folder of their own, and as untidy as files are. **To use yours, change the cell below that
# says so, and no other:** the cells that make people and spoil a copy of them may stay as they are. Nothing changes a
# file of yours.

# %%
import functools
import shutil
import tempfile
from pathlib import Path

import nibabel as nib
import numpy as np

import cdseg_teach as ct
from cdseg_teach import plots
from cdseg_teach.cohorts.checks import check_cohort
from cdseg_teach.experiments import summaries
from cdseg_teach.experiments.export import write_study
from cdseg_teach.experiments.table import table

workshop = tempfile.TemporaryDirectory()  # removed when the kernel ends
place = Path(workshop.name)

# %%
# NBVAL_IGNORE_OUTPUT
# A progress bar, the first time that these people are rendered.
rendered = ct.brain_study(seed=7, sizes={"train": 6, "validation": 1, "test": 3})
made = place / "made"
write_study(rendered, made)
people = [*sorted(made.glob("source/sub-*")), *sorted(made.glob("target/sub-*"))]
for number, folder in enumerate(people, start=1):
    folder.rename(folder.with_name(f"sub-{number:02d}"))  # no name says a split
for card in made.glob("*/cohort.json"):
    card.unlink()  # no hospital's folder has one
for mask in sorted(made.glob("target/sub-*/label.nii.gz"))[:2]:
    mask.unlink()  # and for two people of T nobody has drawn a mask

# %% [markdown]
# The cell to change: `source = Path("...")`, which has a mask for everybody, `target = Path("...")`, and the channels
# of both, in the order in which they belong together.

# %%
source, target = made / "source", made / "target"
source_channels = ["FLAIR", "MPRAGE", "T2", "GE"]
target_channels = ["FLAIR", "MPRAGE", "T2", "SWI"]
differ = [a != b for a, b in zip(source_channels, target_channels, strict=True)]
shifted = differ.index(True) if any(differ) else 0  # the channel to look at

# %% [markdown]
# What is there (`axes`: R, A, S are towards right, front and head):

# %%
found = ct.overview(target)
found

# %%
unlabelled = list(found.index[found["label (ml)"] == "-"])
left = ct.Predict(
    f"People of T without a mask: {len(unlabelled)}. They are ...",
    ["left out", "adapted to, but never tested on", "an error"],
)
left

# %% [markdown]
# ## What is wrong with it?
#
# The checker reads everything and lists all that it finds, each with the file, what is wrong, and how to mend it;
# in a shell `cdseg-teach data check FOLDER`. Let three things go wrong that happen every day: a copy that broke off,
# a mask that was resampled with the wrong interpolation, and one that lies elsewhere. They go wrong in a copy of the
# people made here, also where `source` is a folder of yours.

# %%
spoilt = shutil.copytree(made / "source", place / "spoilt", dirs_exist_ok=True)
first, second, third = sorted(spoilt.glob("sub-*"))[:3]

channel = sorted(first.glob("*.nii.gz"))[0]
channel.write_bytes(channel.read_bytes()[:5000])
image = nib.load(second / "label.nii.gz")
nib.save(nib.Nifti1Image(image.get_fdata() / 2, image.affine), second / "label.nii.gz")
image = nib.load(third / "label.nii.gz")
shift = nib.affines.from_matvec(np.eye(3), [0, 12, 0])  # mm
away = nib.Nifti1Image(image.get_fdata().astype("uint8"), shift @ image.affine)
nib.save(away, third / "label.nii.gz")

for problem in check_cohort(spoilt):
    print(problem)

# %% [markdown]
# And in the two folders themselves:

# %%
for name, folder in {"source": source, "target": target}.items():
    problems = check_cohort(folder)
    print(f"{name}: {len(problems)} problems", *problems, sep="\n")

# %% [markdown]
# ## A study
#
# `load_study` pairs the channels in order. One that has the same name on both sides is the same channel, one that has
# another is the shift. Each volume is averaged onto a grid of 4 × 2 × 2 mm and brought to one scale. People, not
# slices, are dealt out to train, validation and test.

# %%
load = functools.partial(
    ct.load_study,
    source=source,
    target=target,
    source_channels=source_channels,
    target_channels=target_channels,
)
study = load(seed=0)
study

# %%
dealt = {
    key: sum(person.label is None for person in split.subjects)
    for key, split in study.target.splits.items()
}
adapted_to = dealt == {"train": len(unlabelled), "validation": 0, "test": 0}
notes = "; ".join(study.notes) or "none"
left.reveal(left.choices[1 if adapted_to else 0], f"The study's notes: {notes}.")

# %% [markdown]
# **Look at it.** No checker finds a mask that belongs to somebody else, or one that is mirrored. Your eyes do. Here are
# the first people of both, in the channel that differs.

# %%
plots.contact_sheet(study.source, channel=shifted, most=5)

# %%
plots.contact_sheet(study.target, channel=shifted, most=5)

# %% [markdown]
# One of them in three planes and as a body (where ipyniivue is installed; else slice by slice). Click in a plane to go
# there and turn the wheel to leaf; drag the body to turn it, press C to cut it and turn the wheel to move the cut; H, J,
# K and L move the cross.

# %%
ct.VolumeViewer(study.source.train[0], channels=study.source.channels)

# %% [markdown]
# ## The table
#
# `cdseg-teach table --data FOLDER --methods all` trains every method that the channels allow, with the steps of the
# lecture, and says which it leaves out and why. Here two rows with fewer steps, to see that everything works: Train
# on S, and the same with each patient's own batch statistics ([notebook 04](04_test_time_adaptation.ipynb)).

# %%
fall = ct.Predict(
    "Two hundred steps on S. By how much is the DSC on S higher than on T?",
    between=(-50, 100),
    unit="points",
)
fall

# %%
# NBVAL_IGNORE_OUTPUT
# The digits depend on the processor, and the bar on its speed.
results = table(load, ["source", "batch_statistics"], steps=200, device="cpu").rows
summaries.scores(results)

# %%
on_s, on_t = (
    summaries.per_seed(results, "source", domain=domain).mean() for domain in ("source", "target")
)
tested = f"{len(study.source.test)} of S and {len(study.target.test)} of T"
fall.reveal(f"{on_s - on_t:.0f}", f"in this short run. People tested: {tested}.")

# %% [markdown]
# **What to notice.** Of the people made here two a side are tested, so one of them moves every mean, and another seed
# may turn the answer round: no row of this table is a result. That is why the shell's command with few subjects does **cross-validation**: dealt into five folds, each person is tested once, and trained on in most
# other folds. And why it tells no p-value when there are too few: the smallest that a signed-rank test can give for five
# pairs is $2 / 2^5 \approx 0.06$, whatever the method, and the correction for how many methods are compared comes on top.

# %% [markdown]
# ## The lab, on your scans
#
# The α lab of notebook 02. Nothing is recorded for your data, so it begins with a network that we train now.

# %%
# NBVAL_IGNORE_OUTPUT
# A progress bar.
reader = ct.Supervised(study.source.train, seed=0, schedule_steps=100)
_ = list(ct.steps(reader, 100))

# %%
lab = ct.AlphaLab(study, start_from=reader, joint_batch=True)
lab

# %% [markdown]
# ## Back to the scanner
#
# A mask on the working grid is of no use to a colleague who opens the scan. Each voxel of the scan takes the label
# of the nearest voxel of the grid, with the scan's own affine and header.
#
# From a shell, `cdseg-teach table --data FOLDER --predictions MASKS` does this for every method, seed and
# person of the table. People without a mask cannot be tested, so they are not in the table. They are among
# `study.target.train`; here one of them gets a mask beside one who is tested.

# %%
unlabelled_people = [p for p in study.target.splits["train"].subjects if p.label is None]
for person in [study.target.test[0], *unlabelled_people[:1]]:
    mask = place / f"{person.name}.nii.gz"
    ct.write_prediction(mask, reader.predict(person.image), person)

    on_scan, of_scan = nib.load(mask), nib.load(person.scan)
    same = on_scan.shape == of_scan.shape[:3] and np.allclose(on_scan.affine, of_scan.affine)
    print(f"{person.name}: the grid and the place of the scan: {same}")

# %% [markdown]
# ## A failure, on purpose: a mask that lies a little wrong
#
# The affine is right, the values are right, and the mask is one voxel off: it was drawn on an image that had been
# cropped. Nothing can find that but eyes, or a DSC that stays low for no reason. How much does it cost, if the
# network is *perfect*?

# %%
voxel_mm = study.source.train[0].spacing_mm[2]
beside = ct.Predict(
    "A perfect segmentation, measured with a mask that is shifted by one voxel "
    f"({voxel_mm:g} mm). Its DSC?",
    unit="%",
)
beside

# %%
from cdseg_teach.evaluation import scores

off = []
for one in study.source.train:
    truth, moved = one.label == 1, np.roll(one.label, 1, axis=2) == 1
    if truth.any():
        off.append(100 * scores(truth, moved, one.spacing_mm)["dsc"])
beside.reveal(
    round(np.mean(off)), f"the mean; from {min(off):.0f} to {max(off):.0f} %, larger lesions more"
)

# %% [markdown]
# ## Real patients
#
# Two patients with multiple sclerosis (Lesjak et al. 2017, CC-BY; see notebook 01), where `CDSEG_TEACH_DATA` names the
# folder above `open_ms`. One is learned from, one is tested on: an illustration of the way in, and no result.

# %%
# NBVAL_IGNORE_OUTPUT
# The scans are not part of this repository.
import os

real = Path(os.environ.get("CDSEG_TEACH_DATA", "")) / "open_ms"
if real.is_dir():
    print(ct.overview(real).to_string())
    pair = functools.partial(
        ct.load_study, real, real, source_channels=["FLAIR"], target_channels=["T2"],
        source_subjects=["patient19"],
    )  # fmt: skip
    few = table(pair, ["source", "batch_statistics"], steps=100).rows
    print(summaries.scores(few).to_string())
else:
    print("Skipped: CDSEG_TEACH_DATA is not set to a folder with open_ms; notebook 01 says more.")

# %% [markdown]
# **What to notice.** S is undefined: its one patient is learned from, so nobody of S is left to be tested. The DSC on T
# is that low because of the 1.3 ml of patient07 some thirty voxels are left on the coarse grid, and hundreds of times
# as many are called a lesion. In FLAIR, which was learned from, lesions are what is brightest; in T2 fluid is as bright.
#
# All thirty of them come with one command, converted to two folders for a suggested study; it goes on where it was
# interrupted:
#
#     cdseg-teach data get open_ms --out FOLDER --accept-licence
#
# `cdseg-teach data list` says which other public sets are known, and which of them have to be fetched by
# hand; [data sets](../docs/data_sets.md) says more:

# %%
from cdseg_teach.datasets.catalogue import public_sets

for name, chosen in public_sets().items():
    print(f"{name}: {chosen.study}")

# %% [markdown]
# ## Exercise: how many millilitres?
#
# A mask counts voxels, a physician thinks in millilitres. The first three rows and columns of the affine say which
# parallelepiped a voxel is; the volume of that, in mm³, is the absolute value of their determinant. A millilitre
# is 1000 mm³. Spacing alone would do for a grid at right angles; the determinant is right for any.

# %%
from cdseg_teach.cohorts import report
from cdseg_teach.labs.exercise import check

cube = np.ones((10, 10, 10))
sheared = np.array([[1, 0.5, 0, 0], [0, 2, 0, 0], [0, 0, -3, 0], [0, 0, 0, 1]])
cases = {
    "1 mm": (cube, np.eye(4)),
    "2 mm, empty": (0 * cube, np.diag([2, 2, 2, 1])),
    "labels 0 and 3": (3 * cube, np.eye(4)),
    "sheared and mirrored": (cube, sheared),
}


# %% tags=["exercise"]
def millilitres(mask, affine):
    """The volume of everything that is not 0."""
    ...


check(millilitres, report.millilitres, cases)

# %% [markdown]
# A solution is in the next cell. JupyterLab hides it: a click on the three dots opens it. On a code host
# it lies open, so try first.


# %% jupyter={"source_hidden": true} tags=["solution"]
def millilitres(mask, affine):
    """The volume of everything that is not 0."""
    voxel_mm3 = abs(np.linalg.det(affine[:3, :3]))
    return (mask != 0).sum() * voxel_mm3 / 1000


check(millilitres, report.millilitres, cases)

# %% [markdown]
# ## What this does not show
#
# * The people here are simulated once more; only their files are files. Real ones have other sizes, tilts, artefacts
#   and masks by people who disagree.
# * The working grid is coarse, 4 × 2 × 2 mm: a small lesion may vanish on it. The arguments `spacing_mm` and `plane` of
#   `ct.load_study` change it, and everything takes longer.
# * Channels of a subject must lie on one grid already. Registration is not done here.
#
# ## Questions to take home
#
# 1. Who of your people may be in which split, if some were scanned twice?
# 2. Which of your channels is the shift, and what would be left without it?
# 3. How many of T would you have to label to *measure*, rather than to train?
