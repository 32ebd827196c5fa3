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
# # 03 · Augmentation
#
# **Make the source so varied that the target looks like one more variation.**
#
# | | |
# | --- | --- |
# | **Time** | 15 minutes of lecture, 15 more alone; about half a minute of computing |
# | **You need** | [01 · Domain shift](01_domain_shift.ipynb): trained on GE, a network calls fluid in SWI a lesion |
# | **Afterwards you can** | say what a transform may change, what it must leave, and what it has to see for that |
# | | read GIN and Fourier mixing beside the code that implements them |
# | | say what augmentation buys on T, what it costs on S, and why nobody can choose it beforehand |

# %% [markdown]
# ## The idea: take the wrong rule away
#
# [Adversarial learning](02_adversarial_learning.ipynb), the first way out, had images of T to learn from.
# Often there are none: the second scanner has not been bought yet. What can be done with S alone?
#
# On S, the network may have learned rules such as "fluid is bright in the fifth channel, so what is dark
# there is a bleeding". On T they are wrong. So let us break them on S: show the same slice again and again,
# each time in another look, and always with the same label.
#
# $$\min_\theta\; \mathbb{E}_{(x, y) \sim S}\;\mathbb{E}_{t}\; \mathcal{L}_{seg}\big(f_\theta(t(x)),\, y\big),
# \qquad t \text{ a random transform}$$
#
# What is still true in all of these looks is anatomy. T need not be like S then. The hope is that it
# lies among what was shown, or obeys what is left.

# %%
import inspect

import numpy as np
import pandas as pd
import torch

import cdseg_teach as ct
from cdseg_teach import plots
from cdseg_teach.methods.sampling import SliceBatches

print(inspect.getsource(SliceBatches.draw))

# %% [markdown]
# **Beside the formula.** $t$ is `self.augment`, with random numbers of its own. The labels are handed in,
# since `Synthesis` paints from them, but only images come out changed: the look, never the anatomy.
#
# What does each transform have to see for that?
#
# | transform | what it changes | sees of S | sees of T |
# | --- | --- | --- | --- |
# | gamma, inversion | the contrast between tissues | the slice | nothing |
# | bias field, noise, low resolution | what the machine adds | the slice | nothing |
# | **GIN** (Ouyang 2022) | contrast and texture, by a random network | the slice | nothing |
# | **synthesis**, SynthSeg's idea (Billot 2023) | everything but the label's shapes | the label, and where to cut the rest | nothing |
# | MixStyle (Zhou 2021) | mean and spread of features, inside the network | other slices of the batch | nothing |
# | **Fourier mixing** (Yang and Soatto 2020) | slow brightness and contrast | the slice | *images* |
#
# So the last row belongs to domain adaptation by what it sees, and to augmentation by what it does.

# %%
# NBVAL_IGNORE_OUTPUT
# A progress bar, the first time that these people are rendered.
study = ct.brain_study(seed=0)
pack = ct.lecture_pack()
start = pack.checkpoint(study)  # the network of notebook 01, trained on S

# %% [markdown]
# ## Which of the ordinary ones breaks our rule?
#
# In GE, the fifth channel of S, fluid is brighter than grey matter. In SWI it is darker. Let each
# transform have a hundred goes at one slice of S. In how many of them is fluid darker than grey matter?

# %%
which = ct.Predict(
    "Which of these turns fluid dark most often?",
    ["Gamma", "Bias field", "Noise", "Low resolution", "Inversion"],
)
which

# %%
from cdseg_teach.cohorts.brain import tissues_of

person = study.source.train[8]
bench, z = ct.AugmentationLab(study, person), person.telling_slice()
plane, label = torch.tensor(person.image[:, z]), torch.tensor(person.label[z]).long()
filled = tissues_of(person, study.seed)
fluid, grey = (torch.tensor(filled[tissue][z] > 0.5) for tissue in ("csf", "grey"))


def dark_fluid(name, draws=100):
    """In how many of a hundred draws fluid is darker than grey matter in the fifth channel."""
    for used in bench.strengths:
        bench.drop(used)
    bench.use(name)
    slices, labels = plane.expand(draws, *plane.shape), label.expand(draws, *label.shape)
    fifth = bench.stack(slices, torch.Generator().manual_seed(0), labels)[:, 4]
    return int((fifth[:, fluid].mean(dim=1) < fifth[:, grey].mean(dim=1)).sum())


# %%
# NBVAL_IGNORE_OUTPUT
# A draw on the edge may fall to the other side on another processor.
dark = {name: dark_fluid(name) for name in which.choices}
columns = ["transform", "of 100 draws, fluid is darker than grey matter in"]
plots.table(pd.DataFrame(dark.items(), columns=columns))

# %%
others = max(dark[name] for name in dark if name != "Inversion")
_ = ct.claim(
    "Inversion turns fluid dark far more often than the others", dark["Inversion"], others, by=20
)
which.reveal(
    max(dark, key=dark.get), "gamma keeps the order from dark to bright; the rest hardly act on it"
)

# %% [markdown]
# **What to notice.** Most of what is usually called augmentation leaves the rule standing. It was made
# for the variety *within* a scanner: a coil, a bit of noise, a contrast that is a bit stronger.
#
# And we chose inversion knowing what SWI does to fluid. Keep that in mind.

# %% [markdown]
# ## The lab
#
# One slice of S as a network is given it in training: the original, and four draws. Below them the
# histograms of all five.
#
# **Try, in this order:**
#
# 1. *New draws*, a few times. Then drag the strength of *Gamma* to 0, and to 1.
# 2. *Table's row*: augmentation. Five transforms, each in half of the slices. Would you still find the
#    lesion?
# 3. *Table's row*: gin. Go through the other channels.
# 4. *Table's row*: fourier. Drag the radius, in cycles a slice, from 0 to 16.
# 5. *Table's row*: synthesis. Find the lesion, then press *New draws* until you cannot. Why can that
#    happen, and why is it no disaster?

# %%
lab = ct.AugmentationLab(study, person)
lab.preset = "augmentation"
lab

# %% [markdown]
# The same without a browser: `lab.use("Gamma", 0.8)`, `lab.drop("Gamma")`, `lab.draw_again()`. What a training is
# given is `lab.stack`, at first the table's row `augmentation`: each transform, and its chance to act on a slice.

# %%
for transform, chance in lab.stack.steps:
    print(f"{chance:g}  {transform}")

# %% [markdown]
# ## GIN: a random network for every slice
#
# Why think of transforms one by one? Ouyang and colleagues let a *random* network change the slice: four
# convolutions with a leaky ReLU between them, 1 × 1 or 3 × 3 and two channels wide, whose weights are drawn
# anew each time and never trained. What it makes of the slice is blended with the slice, and gets the norm
# that the slice had:
#
# $$x' = \frac{\lVert x \rVert_F}{\lVert m \rVert_F}\, m, \qquad
# m = a\, g(x) + (1 - a)\, x, \qquad a \sim U(0, 1), \quad g \text{ a random network}$$

# %%
from cdseg_teach.methods.augmentation import GIN
from cdseg_teach.methods.augmentation.fourier import with_amplitudes_of

print(inspect.getsource(GIN.apply))

# %% [markdown]
# `torch.lerp` is the blend, and the line with `norm` keeps the norm. (The rest leaves the outside of the
# head alone.) Each channel has a network of its own; the paper's mixes the channels of a slice.

# %%
often = ct.Predict(
    "GIN: of 100 draws, in how many is fluid darker than grey matter?", between=(0, 100)
)
often

# %%
# NBVAL_IGNORE_OUTPUT
# A draw on the edge may fall to the other side on another processor.
random_networks = dark_fluid("GIN")
often.reveal(random_networks, f"inversion: {dark['Inversion']}; nobody told GIN about fluid")

# %%
bench.preset = "gin"
before, *draws = bench.planes()
pictures = {"original": bench.picture_of(before)}
pictures |= {f"draw {i}": bench.picture_of(draw) for i, draw in enumerate(draws, 1)}
plots.gallery(
    pictures,
    "GE, and what four random networks make of it: other greys and textures, edges where they were.",
)

# %%
kept = all(np.isclose(np.linalg.norm(draw), np.linalg.norm(before)) for draw in draws)
print("Each draw has the norm of the original:", kept)

# %% [markdown]
# **What to notice.** Small kernels cannot move anything by more than a few pixels. So contrast and
# texture may become nearly anything, and shapes stay where they are, even if in one of these draws texture all
# but drowns them. That is the whole assumption: *what tells a lesion is its
# shape and that it differs from its surroundings, not how bright it is.*

# %% [markdown]
# ## Fourier mixing: the style of one, the anatomy of the other
#
# Any image is a sum of waves. Their **amplitudes** say how much of each there is, their **phases** where
# it lies. Yang and Soatto take the amplitudes of the slowest waves from an image of T, and keep the rest:
#
# $$\mathcal{F}(x') = |\mathcal{F}(x_T)|\; \frac{\mathcal{F}(x_S)}{|\mathcal{F}(x_S)|}
# \quad\text{where both frequencies are below the radius}$$

# %%
print(inspect.getsource(with_amplitudes_of))

# %% [markdown]
# The radius is counted in bins, or cycles a slice. With 1 the mean alone is swapped. With 49, more than
# half of our 96 pixels, *all* amplitudes come from SWI, and only the phases are left of GE.

# %%
whose = ct.Predict(
    "All amplitudes from SWI, the phases from GE. Whose anatomy do you see?",
    ["the GE slice's", "the SWI slice's", "both, one over the other", "noise"],
)
whose

# %%
from cdseg_teach.methods.augmentation import Fourier

style = torch.tensor(study.target.train[0].image[:, z])
mixed = {
    radius: Fourier(style[None], radius)(plane[None], torch.Generator())[0, 4].numpy()
    for radius in (0, 1, 5, 49)
}
pictures = {f"radius {radius}": bench.picture_of(x) for radius, x in mixed.items()}
pictures |= {"the SWI slice": bench.picture_of(style[4].numpy())}
plots.gallery(
    pictures, "GE with amplitudes of SWI: slow brightness changes first; GE's shapes stay."
)

# %%
inside = (plane[4] != 0).numpy()
alike = {
    name: np.corrcoef(mixed[49][inside], x[4].numpy()[inside])[0, 1]
    for name, x in {"the GE slice's": plane, "the SWI slice's": style}.items()
}
_ = ct.claim(
    "it correlates far more with the GE slice, in %",
    *(100 * value for value in alike.values()),
    by=20,
)
whose.reveal(max(alike, key=alike.get), "where edges are is written in the phases")

# %% [markdown]
# **What to notice.** Even at the largest radius the anatomy is that of GE: hence the label of S still
# fits. At 5, what the published share of 0.01 comes to on the paper's 512 rows, the eye sees hardly any
# change at all. What a network sees is another question.

# %% [markdown]
# ## Paint from labels, or mix inside
#
# **Synthesis.** SynthSeg goes all the way: throw the image away, and paint one from the label map, every
# tissue with a random grey and a random grain. Its maps name each tissue. Ours name the lesion alone, so
# the rest is cut by random thresholds of the slice, and the pieces are painted. (Now and then the lesion
# gets the grey of what is around it. There are four other channels, each painted on its own.)

# %%
bench.preset = "synthesis"
bench.probability = 1
pictures = {"the label": plots.slice_of(person, z, 4, person.label)}
pictures |= {f"draw {i}": bench.picture_of(draw) for i, draw in enumerate(bench.planes()[1:], 1)}
plots.gallery(
    pictures, "The lesion's label, and four slices painted from it: no grey is like another."
)

# %% [markdown]
# **MixStyle** does it inside the network. The mean $\mu$ and the spread $\sigma$ of each feature map are
# "style" as well; those of two slices $i$ and $j$ of a batch are mixed, with a random weight $w$:
#
# $$f' = \sigma' \frac{f - \mu_i}{\sigma_i} + \mu', \qquad
# \mu' = (1 - w)\,\mu_i + w\,\mu_j, \quad \sigma' = (1 - w)\,\sigma_i + w\,\sigma_j$$
#
# `ct.Supervised(study.source.train, mix_style=MixStyle())` trains with it. It has no row in our table.

# %%
from cdseg_teach.methods.augmentation import mixstyle

print(inspect.getsource(mixstyle.mixed))

# %% [markdown]
# And our rule? The ones that are not ordinary, a hundred goes each:

# %%
# NBVAL_IGNORE_OUTPUT
# A draw on the edge may fall to the other side on another processor.
dark |= {name: dark_fluid(name) for name in ("GIN", "Fourier", "Synthesis")}
plots.table(pd.DataFrame(dark.items(), columns=columns))

# %% [markdown]
# ## Does it help?
#
# Every row is trained on S from scratch, for as many steps as Train on S, which is its control. Only
# `augment` differs. If our rule were all that matters, you could name the best row now.

# %%
best = ct.Predict(
    "Which row has the best DSC on T?",
    ["source (no augmentation)", "augmentation", "gin", "synthesis", "fourier"],
)
best

# %% [markdown]
# Mean (standard deviation) over the test subjects of seeds 0 to 4, in percent. DSC, recall and precision
# are on T. For comparison stand there `adversarial` of notebook 02, which sees images of T and takes 500
# steps more, and `oracle`.

# %%
from cdseg_teach.experiments import summaries

rows = pack.everything("ge_to_swi")
names = ["source", "augmentation", "gin", "synthesis", "fourier"]
table = summaries.summary(rows[rows.method.isin([*names, "adversarial", "oracle"])])
plots.table(table.loc[[*names, "adversarial", "oracle"]].reset_index(), "T is SWI (%)")

# %%
dsc = {
    domain: pd.DataFrame({name: summaries.per_seed(rows, name, domain=domain) for name in names})
    for domain in ("target", "source")
}
gain = {domain: each.sub(each.source, axis=0)[names[1:]].T for domain, each in dsc.items()}
frame = (
    gain["target"]
    .rename(columns="seed {}".format)
    .assign(**{"mean on T": gain["target"].mean(axis=1), "mean on S": gain["source"].mean(axis=1)})
)
plots.table(
    frame.map("{:+.1f}".format).rename_axis("row").reset_index(),
    "Points of DSC gained over Train on S: on T seed by seed, then the means",
)

# %%
for name in names[1:]:
    print(f"{name:12} on T {summaries.paired_gain(rows, name, 'source')}")
    print(f"{'':12} on S {summaries.paired_gain(rows, name, 'source', domain='source')}")
best.reveal(
    dsc["target"].mean().idxmax().replace("source", "source (no augmentation)"),
    "mean over the seeds",
)

# %%
for name in names[1:]:
    _ = ct.claim(
        f"{name} beats Train on S, on T",
        better=pack.score(name, direction="ge_to_swi"),
        worse=pack.score("source", direction="ge_to_swi"),
        by=10,
        kind="recorded",
    )

# %% [markdown]
# One person of T, seed 0, by the networks of the pack:

# %%
patient = study.target.test[0]
pictures = {}
for name in ("source", "augmentation", "gin", "synthesis"):
    said = pack.checkpoint(study, name).predict(patient.image)
    pictures[name] = plots.slice_of(patient, patient.telling_slice(), 4, said)
alt = f"One slice of SWI with hits, false alarms and what is missed, by {', '.join(pictures)}."
plots.gallery(pictures, alt, columns=4, legend=True)

# %% [markdown]
# **What to notice.**
#
# * Compare within a seed, as the table of gains does: people, weights and batches differ from one seed to the next.
# * Hold what each row gains on T against its price on S. A row that loses on S may have given up something
#   that was wrong on T and right on S.
# * And hold the order of the rows against the table of our rule. Where the two disagree, the story of the
#   fluid was not the whole story.
#
# And if T differs less, or not at all? The dial of notebook 01 again. S and its people stay, T moves.

# %%
mild = ct.Predict(
    "At no shift at all, a network that was trained with augmentation is on T ...",
    ["better than source", "within 2 points of it", "worse than source"],
)
mild

# %%
along = summaries.along(pack.shift(), "shift")
plots.curves(
    {name: along[name] for name in names},
    "shift (0: first scanner, 1: second scanner)",
    "DSC on T (%)",
    "Mean and range over three seeds",
)

# %%
at_home = {name: along[name][1][:, 0].mean() for name in names}  # at the first point, no shift
price = at_home["source"] - at_home["augmentation"]
mild.reveal(mild.choices[1 if abs(price) <= 2 else 2 if price > 0 else 0], "the row augmentation")

# %% [markdown]
# **What to notice.** Train on S loses a little up to more than half of the dial, and nearly everything behind that.
# What learned from changed images hardly notices the dial at all: it gains where the shift is large, and pays where
# there is little. Augmentation is an insurance.

# %% [markdown]
# ## Which one for the next scanner?
#
# The second scanner has not been bought yet: no images of T, no labels of T. That leaves four rows, and S
# to choose among them.

# %%
choose = ct.Predict(
    "Without looking back: choose the row with the best DSC on S. How good is the choice on T?",
    ["the best", "in between", "the worst"],
)
choose

# %%
from cdseg_teach.experiments import recipes

unseen = [name for name in names if recipes.METHODS[name].sees == recipes.SOURCE]
on_s, on_t = (dsc[domain][unseen].mean() for domain in ("source", "target"))
place = list(on_t.sort_values().index).index(on_s.idxmax())
print(f"best on S: {on_s.idxmax()}; best on T: {on_t.idxmax()}")
choose.reveal({0: "the worst", len(unseen) - 1: "the best"}.get(place, "in between"))

# %% [markdown]
# **What to notice.** S cannot tell which variety T will need: what augmentation costs can be seen on S, what
# it buys cannot. We put inversion into the row `augmentation`, in half of the slices and there in half of the
# channels, and we know what SWI does to fluid. Ask yourself whether you would have, for a scanner that you
# have not seen. GIN and synthesis are attempts not to have to choose.
#
# And the next scanner may be another kind of machine. The same rows with the same settings, trained on
# hearts by MR and tested by CT (notebook 05 has the story):

# %%
again = ct.Predict(
    "Of all five rows, is the best one on SWI also the best one on hearts by CT?", ["yes", "no"]
)
again

# %%
tasks = {"brain, GE to SWI": rows, "heart, MR to CT": pack.everything("mr_to_ct")}
reached = pd.DataFrame(
    {
        task: [summaries.per_seed(each, name).mean() for name in names]
        for task, each in tasks.items()
    },
    index=names,
)
plots.table(reached.round(1).rename_axis("DSC on T (%)").reset_index(), "Mean over the seeds")

# %%
again.reveal("yes" if reached.idxmax().nunique() == 1 else "no")

# %% [markdown]
# ## On your machine, with a GPU if there is one
#
# Now train with what is in your lab (`lab.preset = "augmentation"` brings that row back). From scratch, a
# few steps are too few, so both networks go on from the one that was trained on S. The one sees the
# slices of S as they are, the other through `lab.stack`.

# %%
live = ct.Predict("Trained on S, and some steps more with the stack. The DSC on T?", unit="%")
live


# %%
# NBVAL_IGNORE_OUTPUT
# The estimate is about this machine.
def going_on(augment=None):
    """The network that was trained on S, ready to go on; 40 steps, or all of them on a GPU."""
    options = recipes.ADAPTATION | {"start_from": start, "schedule_steps": steps}
    return ct.Supervised(study.source.train, augment=augment, seed=0, **options)


steps = 40 if start.device.type == "cpu" else recipes.ADAPTATION_STEPS
plain, varied = going_on(), going_on(lab.stack)
seconds = ct.estimate(plain, steps) + ct.estimate(varied, steps)
print(f"{steps} steps on {start.device.type}, twice: about {seconds:.0f} s")

# %%
# NBVAL_IGNORE_OUTPUT
# The progress bars are about this machine.
for network in (plain, varied):
    for _ in ct.steps(network, steps):
        pass

# %%
# NBVAL_IGNORE_OUTPUT
# The digits depend on how far this machine went.
networks = {"before": start, f"{steps} steps more": plain, f"{steps} steps with the stack": varied}
scores = {
    f"{name}, on {where}": ct.evaluate(network, cohort.test[:4])
    for where, cohort in (("T", study.target), ("S", study.source))
    for name, network in networks.items()
}
plots.score_table(scores, "Four people each, mean (std) over people (%)")

# %%
mean = {name: 100 * each.dsc.mean() for name, each in scores.items()}
_, longer, stacked, _, longer_s, stacked_s = mean.values()
_ = ct.claim("on T, the stack beats the same steps without it", stacked, longer, by=15)
_ = ct.claim("on S, it costs", longer_s, stacked_s, by=3)
live.reveal(round(stacked))

# %% [markdown]
# **What to notice.** A few steps with the old rules broken, and the network uses others. Unless you stacked Fourier, it has not
# seen a single image of T. (Target labels are used in this table, to look.)
#
# Now yours. The lab once more, with the trained network in it. Stack what you believe in, press *Train with
# it*, and wait some seconds: forty steps, beside forty without a stack. Which transform alone is enough? Which
# one costs most on S?

# %%
own = ct.AugmentationLab(study, person, learner=start)
own

# %% [markdown]
# ## A failure, on purpose: more is not more varied
#
# If turning some channels from bright to dark now and then is what helps, why not all of them, always?

# %%
upside_down = ct.Predict(
    "As many steps with everything inverted. On S, as it is, the DSC is then ...",
    ["as before", "lower by half", "nearly zero"],
)
upside_down

# %%
always = ct.AugmentationLab(study, person)
always.drop("Gamma")
always.use("Inversion", 1)
always

# %%
# NBVAL_IGNORE_OUTPUT
# The progress bar is about this machine.
inverted = going_on(always.stack)
for _ in ct.steps(inverted, steps):
    pass

# %%
# NBVAL_IGNORE_OUTPUT
# The digits depend on how far this machine went.
scores = {
    "before, on S": scores["before, on S"],
    "all inverted, on S": ct.evaluate(inverted, study.source.test[:4]),
    "all inverted, on T": ct.evaluate(inverted, study.target.test[:4]),
}
plots.score_table(scores, "Every channel of every slice inverted, four people each (%)")

# %%
mean = {name: 100 * each.dsc.mean() for name, each in scores.items()}
ruined, was = mean["all inverted, on S"], mean["before, on S"]
_ = ct.claim("inverting everything loses S", was, ruined, by=30)
share = ruined / was
upside_down.reveal(
    "nearly zero" if share < 0.1 else "lower by half" if share < 0.75 else "as before"
)

# %% [markdown]
# **What to notice.**
#
# * The four draws are one and the same picture. A dial at its end is not variety, it is another domain:
#   one that no scanner has, and S is no longer in it.
# * Choose FLAIR in the lab above. Dark were fluid and the core of the bleeding; now they are bright, as the
#   oedema around it was. What looked like lesion and what looked like background have changed places.
# * So a transform is only as good as its range. It has to leave the source in, and it must not touch
#   what the label says. Nothing in the method checks that; a person has to look. That is what the lab
#   is for.

# %% [markdown]
# ## Exercise: gamma, on the slice's own scale
#
# Gamma takes each brightness to a power, $u^\gamma$. Our slices have zero mean, so half of their values
# are negative, and a negative number has no power of 0.7. Hence three steps:
#
# 1. the slice's own scale, from 0 at its darkest pixel to 1 at its brightest;
# 2. the power;
# 3. back to the mean and the spread (standard deviation) that the slice had.
#
# Write it. The first cell holds what your answer is compared with: the package's own.

# %%
from cdseg_teach.labs.exercise import check
from cdseg_teach.methods.augmentation import Gamma


def expected(x, gamma):
    images, exponents = torch.tensor(x)[None, None], torch.tensor([[gamma]])
    return Gamma().apply(images, {"gamma": exponents})[0, 0].numpy()


slices = np.random.default_rng(0).normal(size=(2, 8, 8))
cases = {"darker": (slices[0], 2.0), "brighter": (slices[1], 0.5), "nothing": (slices[0], 1.0)}


# %% tags=["exercise"]
def with_gamma(x, gamma):
    """The slice x, a whole [Y, X] of foreground, in another contrast."""
    ...


check(with_gamma, expected, cases)

# %% [markdown]
# A solution is in the next cell. JupyterLab hides it: a click on the three dots opens it. On a code host
# it lies open, so try first.


# %% jupyter={"source_hidden": true} tags=["solution"]
def with_gamma(x, gamma):
    """The slice x, a whole [Y, X] of foreground, in another contrast."""
    u = (x - x.min()) / (x.max() - x.min())
    changed = u**gamma
    return (changed - changed.mean()) / changed.std() * x.std() + x.mean()


check(with_gamma, expected, cases)

# %% [markdown]
# **To think about.** Why does no gamma, however strong, turn fluid dark? And why does step 3 belong to it,
# when whatever a scanner does comes *before* the normalisation?

# %% [markdown]
# ## What this does not show
#
# * The transforms and their strengths are taken from papers, or fixed beforehand; none was tuned for this
#   table. Tuned ones would do better here, and say less about your scanner.
# * Only looks are varied. Turning, scaling and bending the anatomy is usual as well; it answers another
#   question (other people, not another scanner).
# * 500 steps for every row. Who learns from more variety may need more of them.
# * SynthSeg's images are painted from maps in which every tissue is labelled. We have the lesion alone.
# * Two tasks, both simulated. Which row is best on a third is another question.
#
# Next: [04 Test-time adaptation](04_test_time_adaptation.ipynb).
