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
# # 00 · Start here
#
# **Cross-domain medical image segmentation: a lecture that you can touch.**
#
# A network learns to outline brain lesions on the images of one scanner. Then the hospital buys
# another scanner, and the network fails. Nothing is broken, nobody made a mistake: the images look
# different now. This lecture shows why that happens, and three ways out.
#
# | | |
# | --- | --- |
# | **Time** | 10 minutes of lecture, 5 more alone; a few seconds of computing |
# | **You need** | a rough idea of what a segmentation is, and what a neural network does |
# | **Afterwards you can** | say what a domain shift is, and show it in one picture |
# | | read DSC, recall and precision as pictures, and say what each of them forgives |
# | | place a method on the map: what may it see, and at which level does it work? |

# %% [markdown]
# ## How to use these notebooks
#
# **In the lecture room.** Run one cell after the other with Shift + Enter. Before each demonstration
# there is a question. Let the room vote and click: the guess is locked, and later stands beside what
# happened. Nothing here needs a network connection.
#
# **Alone.** The same, and do the exercises. Each has a cell for you, which tells you how far you
# are, and below it a cell with a solution: collapsed in JupyterLab, open where a notebook is only
# read, as on a code host.
#
# **As a teacher.** `make test` runs every notebook and compares what it says with what is stored.
#
# The table of contents:
#
# | notebook | question | of two hours |
# | --- | --- | --- |
# | **00 Start here** | What is the problem, and how do we measure it? | 10 min |
# | [01 Domain shift](01_domain_shift.ipynb) | Where does the shift come from, and what does it cost? | 15 min |
# | [02 Adversarial learning](02_adversarial_learning.ipynb) | Can a network be made not to care? | 25 min |
# | [03 Augmentation](03_augmentation.ipynb) | Can the source be so varied that the target is nothing new? | 15 min |
# | [04 Test-time adaptation](04_test_time_adaptation.ipynb) | What can be done with one patient's images alone? | 15 min |
# | [05 Heart, MR to CT](05_heart_mr_to_ct.ipynb) | And if nearly every grey value changes? | 25 min |
# | [06 Results and take-aways](06_results_and_take_aways.ipynb) | What helps, and what may we believe? | 15 min |
# | [07 Your own data](07_your_own_data.ipynb) | How do *my* scans get into this? | alone |
#
# Words that are new to you stand in the [glossary](../docs/glossary.md).

# %% [markdown]
# ## Is everything here?
#
# The doctor looks at this machine. If something is missing, it says how to mend it.

# %%
# NBVAL_IGNORE_OUTPUT
# The answer is about this machine.
from cdseg_teach import doctor

missing = [finding for finding in doctor.examine() if finding.mend]
print(doctor.as_text(missing) if missing else "Everything that the lecture needs is here.")

# %% [markdown]
# ## The problem in one picture
#
# We look at one person twice. First on a 3 T Siemens TIM Trio, then on a 3 T Siemens Verio. The same
# brain, the same lesion, five channels each. The first four are the same kind of sequence on both:
# FLAIR, PD, MPRAGE and T2. The fifth is gradient echo (GE) on the first scanner, and
# susceptibility-weighted imaging (SWI) on the second.
#
# Nobody can scan one person twice in the same minute. We can, because the scanners are simulated:
#
# * **real:** the maps of grey and white matter (ICBM152, an average of 152 people), the tissue values
#   and the protocols, from published tables;
# * **simulated:** the lesions, the veins, the shape of each brain (a random smooth warp of the
#   average), and what the scanners make of all that.

# %%
import numpy as np

import cdseg_teach as ct
from cdseg_teach import plots

which = ct.Predict(
    "One person, two scanners. Which channel changes most?",
    ["FLAIR", "PD", "MPRAGE", "T2", "the fifth"],
)
which

# %%
few = {"train": 1, "validation": 1, "test": 4}
trio = ct.brain_study(seed=0, shift=0, sizes=few).target
verio = ct.brain_study(seed=0, shift=1, sizes=few).target
person, z = 2, 10  # someone with a bleeding, and a slice through it
pictures = {
    f"{channel}, {scanner}": plots.slice_of(cohort.test[person], z, index)
    for scanner, cohort in (("Trio", trio), ("Verio", verio))
    for index, channel in enumerate(cohort.channels)
}
plots.gallery(
    pictures, "One slice of one person: five channels on the Trio above, on the Verio below."
)

# %%
brain = trio.test[person].image.any(axis=0)
change = np.abs(verio.test[person].image - trio.test[person].image)[:, brain].mean(axis=1)
names = ["FLAIR", "PD", "MPRAGE", "T2", "the fifth"]
for name, value in zip(names, change, strict=True):
    print(f"{name:10} {value:.1f} standard deviations")
which.reveal(names[change.argmax()], "mean absolute change over the brain")

# %% [markdown]
# **What to notice.**
#
# * Four channels look alike. A radiologist would hardly care.
# * In the fifth, the fluid has turned from bright to dark, and white matter is now brighter than grey.
#   Veins show as dark dots and lines; SWI was invented to show them.
# * The bleeding at the front of the brain is black in *both*. A network may have learned "dark in the
#   fifth channel is a bleeding". On the first scanner that was right.
#
# This is a **domain shift**: the task stays, the images change. The first scanner's data are the
# **source** S, with labels. The second scanner's are the **target** T. There we have images, but
# nobody has drawn the lesions.

# %% [markdown]
# ## A primer: recall, precision, DSC
#
# Let $T$ be the voxels that are lesion in truth, and $P$ those that the network calls lesion.
#
# $$\text{recall} = \frac{|P \cap T|}{|T|} \qquad
# \text{precision} = \frac{|P \cap T|}{|P|} \qquad
# \text{DSC} = \frac{2\,|P \cap T|}{|P| + |T|}$$
#
# * **Recall**: how much of the lesion was found? It forgives every false alarm.
# * **Precision**: how much of what was called lesion is one? It forgives everything that was missed.
# * **DSC**, the Dice similarity coefficient, forgives neither: it is the harmonic mean of the two.
#
# First, guess. There are two lesions in the picture, one large, one small. The network finds the
# large one perfectly, and does not see the small one at all.

# %%
missed = ct.Predict("One of two lesions is missed. What is the DSC?", unit="%")
missed

# %%
from cdseg_teach.evaluation import dsc, precision, recall
from cdseg_teach.labs.exercise import check

y, x = np.indices((32, 32))


def disc(row, column, radius):
    return (y - row) ** 2 + (x - column) ** 2 <= radius**2


truth = disc(12, 12, 7) | disc(25, 25, 2)
guesses = {
    "one missed": disc(12, 12, 7),
    "too small": disc(12, 12, 5) | disc(25, 25, 1),
    "too large": disc(12, 12, 9) | disc(25, 25, 4),
    "false alarm": truth | disc(7, 26, 4),
}

# %%
titles = {
    f"{name}\nDSC {100 * dsc(guess, truth):.0f} %\n"
    f"recall {100 * recall(guess, truth):.0f} %\n"
    f"precision {100 * precision(guess, truth):.0f} %": plots.errors(guess, truth)
    for name, guess in guesses.items()
}
plots.gallery(
    titles, "Four guesses at a large and a small lesion. " + "; ".join(titles), 4, legend=True
)

# %%
missed.reveal(f"{100 * dsc(guesses['one missed'], truth):.0f}", "the small lesion has few voxels")

# %% [markdown]
# **What to notice.**
#
# * Half of the lesions are missed, and the DSC still looks excellent. The DSC counts voxels, not
#   lesions.
# * "Too small" has perfect precision, "too large" has perfect recall. Either number alone can be had
#   for nothing.
#
# Change the discs, and run the two cells again.
#
# ## Why the DSC is harsh to small lesions
#
# Now the outline is drawn one voxel too far out, all around. In our brains that is 2 mm. We make the
# same small mistake with lesions of growing size.

# %%
outline = ct.Predict("The outline of a lesion 8 mm across is 2 mm too far out. The DSC?", unit="%")
outline

# %%
y, x = np.indices((64, 64))
radii = np.arange(1, 16)
scores = [100 * dsc(disc(32, 32, radius + 1), disc(32, 32, radius)) for radius in radii]
plots.curves(
    {"outline one voxel too far out": (4 * radii, np.array(scores))},
    "diameter of the lesion (mm)",
    "DSC (%)",
)

# %%
outline.reveal(f"{scores[1]:.0f}", f"at 60 mm across the same mistake leaves {scores[14]:.0f} %")

# %% [markdown]
# **What to notice.** The same mistake leaves a DSC above 90 % to a large lesion, and below 60 % to the
# smallest. So a patient with small lesions has a low DSC even with a good network. This is why the
# standard deviations in the tables of this field are so large. Compare methods on the *same* patients.

# %% [markdown]
# ## The lecture's table
#
# Kamnitsas and colleagues trained on real patients with brain trauma from one scanner, with GE, and
# tested on others from a second scanner, with SWI. Mean (standard deviation) over the patients of the
# target, in percent:
#
# | on T, real patients | DSC | recall | precision |
# | --- | --- | --- | --- |
# | Train on S | 15.7 (13.5) | 80.4 (12.3) | 9.5 (9.0) |
# | Train on S, without GE/SWI | 59.7 (22.1) | 55.7 (22.6) | 69.7 (21.5) |
# | adapted (adversarial learning) | 62.7 (19.8) | 58.9 (21.2) | 71.6 (18.4) |
#
# *Source: Kamnitsas et al. 2017, "Unsupervised domain adaptation in brain lesion segmentation with
# adversarial networks", IPMI. These are the paper's real scans. All other numbers in this lecture are
# computed by the code that you see.*
#
# Look at the first row. Recall is 80, precision is 9.5. What does that look like?

# %%
much = ct.Predict(
    "How much is called lesion, in volumes of the lesion?", between=(1, 20), unit="times"
)
much

# %%
lesion, head = disc(30, 24, 6), disc(32, 32, 30)
chance = np.random.default_rng(0).random((64, 64))
alarms = 0.804 * lesion.sum() * (1 / 0.095 - 1)  # so many, that 9.5 % of all calls are hits
called = np.where(lesion, chance < 0.804, head & (chance < alarms / (head & ~lesion).sum()))
grey = head * np.uint8(110)
plots.gallery(
    {
        "the lesion": plots.errors(lesion, lesion, grey),
        "what is called lesion": plots.errors(called, lesion, grey),
    },
    "Left a lesion in a head. Right recall 80 %, precision 9.5 %: false alarms all over the head.",
    columns=2,
    legend=True,
)

# %%
print(f"drawn here: {called.sum() / lesion.sum():.1f} times as much is called lesion as there is")
much.reveal(f"{80.4 / 9.5:.1f}", "recall over precision")

# %% [markdown]
# **What to notice.** The network still finds the lesion, in a crowd of false alarms. They are
# scattered at random here, since the table does not say where they were.
# [Notebook 01](01_domain_shift.ipynb) shows where they are when a network really does it.
#
# The second row drops the channel that changed. Precision comes back, and recall falls. Had the channel
# told the network something that the others could not? Perhaps. But whoever calls eight times the
# lesion's volume hits some of it by luck, and loses those hits with the false alarms. This table cannot
# tell the two apart. The third row keeps the channel and adapts.

# %% [markdown]
# ## The map of the field
#
# Every family answers two questions. **What may it see** of the source and of the target while it
# learns? And **at which level** does it work: on the image, on the features inside the network, or on
# the output?
#
# | family | source | target | level | examples |
# | --- | --- | --- | --- | --- |
# | no adaptation | images, labels | nothing | – | Train on S, in [notebook 01](01_domain_shift.ipynb) |
# | leave the shifted channel out | images, labels | only *that* it differs | image | in [notebook 01](01_domain_shift.ipynb) |
# | **domain adaptation**: [adversarial](02_adversarial_learning.ipynb) | images, labels | images | features | DANN (Ganin 2016), Kamnitsas 2017, PnP-AdaNet (Dou 2018) |
# | … on the output | images, labels | images | output | AdaptSegNet (Tsai 2018), AdvEnt (Vu 2019) |
# | … by translation | images, labels | images | image | SIFA (Chen 2019; features as well), FDA (Yang 2020) |
# | **[data augmentation](03_augmentation.ipynb)** | images, labels | nothing | image | BigAug (Zhang 2020), GIN (Ouyang 2022) |
# | … images from labels | labels | nothing | image | SynthSeg (Billot 2023) |
# | … mixed statistics | images, labels | nothing | features | MixStyle (Zhou 2021) |
# | **[test-time adaptation](04_test_time_adaptation.ipynb)** | nothing more | the images at hand | features | TENT (Wang 2021), statistics of the batch (Nado 2020) |
# | … a normaliser before the network | labels, for its prior | the images at hand | image | Karani 2021 |
# | source-free, with a prior | nothing more | images | output | AdaMI (Bateson 2022) |
# | Train on T: the reference | – | images *and labels* | – | what we would have if somebody drew the lesions |
#
# "Nothing more" means: a trained network arrives, and the data that it learned from stay at home.
# Often they may not leave the hospital.
#
# The three in bold are the lecture's three ways out.

# %% [markdown]
# ## A failure, on purpose: the wrong number
#
# Why not simply count how many voxels are right? Take a network that never finds anything.

# %%
idle = ct.Predict(
    "It says «no lesion» everywhere. How many voxels of the brain are right?", unit="%"
)
idle

# %%
label = trio.test[person].label > 0
nothing = np.zeros_like(label)
right = (nothing == label)[brain].mean()
print(f"voxels of the brain that are right: {100 * right:.1f} %")
print(f"DSC: {100 * dsc(nothing, label):.0f} %, recall: {100 * recall(nothing, label):.0f} %")
idle.reveal(f"{100 * right:.1f}", "lesions are small")

# %% [markdown]
# Whoever says "nothing there" is nearly always right, and useless. A number that can be had for nothing
# must not be reported.

# %% [markdown]
# ## Exercise
#
# The primer says that the DSC is the harmonic mean of recall and precision. Write it that way: replace
# the three dots. The cell tells you whether you are right on the four guesses from above.


# %% tags=["exercise"]
def dsc_from_both(prediction, truth):
    """The DSC, from `recall(prediction, truth)` and `precision(prediction, truth)` alone."""
    ...


check(dsc_from_both, dsc, {name: (guess, truth) for name, guess in guesses.items()})

# %% [markdown]
# A solution is in the next cell. JupyterLab hides it: a click on the three dots opens it. On a code host
# it lies open, so try first.


# %% jupyter={"source_hidden": true} tags=["solution"]
def dsc_from_both(prediction, truth):
    """The DSC, from `recall(prediction, truth)` and `precision(prediction, truth)` alone."""
    r, p = recall(prediction, truth), precision(prediction, truth)
    return 2 * r * p / (r + p)


check(dsc_from_both, dsc, {name: (guess, truth) for name, guess in guesses.items()})

# %% [markdown]
# **To think about.** Put the means of the lecture's first row into your formula.

# %%
r, p = 80.4, 9.5
print(f"the harmonic mean of {r} and {p} is {2 * r * p / (r + p):.1f}; the table says 15.7")

# %% [markdown]
# No mistake: the table's DSC is a mean over patients, and the mean of a harmonic mean is not the
# harmonic mean of the means. Scores are computed for each patient, and only then averaged.

# %% [markdown]
# ## What this does not show
#
# * Our brains are warps of one average of 152 people. They have no folds of their own, and fewer
#   surprises than real ones.
# * Overlap is not everything. Surface distances, the number of lesions found and the calibration of
#   the network matter too.
# * Whether a higher DSC helps a patient is another question altogether.
#
# Next: [01 Domain shift](01_domain_shift.ipynb).
