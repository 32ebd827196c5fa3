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
# # 02 · Adversarial learning
#
# **Make two scanners look alike from the inside.**
#
# | | |
# | --- | --- |
# | **Time** | 30 minutes of lecture, one or two of computing |
# | **You need** | [01 · Domain shift](01_domain_shift.ipynb): trained on GE, a network calls much of a brain in SWI a lesion |
# | **Afterwards you can** | read the loss of adversarial adaptation beside the code that implements it |
# | | say what α buys, what it costs, and what the discriminator's accuracy does not tell |
# | | break the method in two ways, and explain both |

# %% [markdown]
# ## The idea: a second network that must not find out
#
# Inside the segmenter an image becomes *features*. If the features of the first scanner (the source,
# S) and of the second (the target, T) look alike, then whatever follows can treat them alike.
#
# So a second network listens: the **discriminator**. It hears features and says which scanner they
# come from. Its loss $\mathcal{L}_{adv}$ is the cross-entropy of that answer, and it goes down. The
# **segmenter** wants two things: to segment S, and to leave the discriminator guessing.
#
# $$\mathcal{L}_{segAdv}(\theta_{seg}) = \mathcal{L}_{seg}(\theta_{seg}) - \alpha\,\mathcal{L}_{adv}(\theta_{seg})$$
#
# T needs no labels for that: which scanner an image comes from is always known.

# %%
import inspect

import cdseg_teach as ct

print(inspect.getsource(ct.Adversarial.step))

# %% [markdown]
# **Beside the slide.** One backward pass serves both players. The discriminator receives the gradient
# of $\mathcal{L}_{adv}$ and learns to tell the scanners apart. On its way into the segmenter, the same
# gradient passes `reverse_gradient`. This multiplies it by −α, so it arrives as the gradient of
# $-\alpha\,\mathcal{L}_{adv}$: two lines, and the minus sign of the slide.

# %%
from cdseg_teach.networks import _ReverseGradient

print(inspect.getsource(_ReverseGradient))

# %% [markdown]
# ## A question before we play
#
# At the start the discriminator tells the scanners apart nine times out of ten. Suppose that the
# adaptation works. How often will it be right then?

# %%
accuracy = ct.Predict("Adaptation has worked: how often is the discriminator right?", between=(0, 100), unit="%")
accuracy

# %% [markdown]
# ## The lab
#
# The lecture pack holds the network of notebook 01, trained on S, and a recorded run of the game. The
# lab opens in the middle of that run. Press **Play** and it goes on, here, now.
#
# **Try, in this order:**
#
# 1. Play. Watch the discriminator on its way to chance, and the orange outline on the target slice.
# 2. Start *From: checkpoint*: the network that failed. Play, and move **α** while it learns.
# 3. Pin the run, reset, play again with α = 0. This is the same training without the game.
# 4. Step the discriminator alone, twenty times. What happens to its accuracy, and why?
# 5. Look *back to step*, where the outline was worst.

# %%
study = ct.brain_study(seed=0)
lab = ct.AlphaLab.from_pack(study)
lab

# %% [markdown]
# Without a browser, `lab.run(n)` takes the same steps and gives the same numbers.

# %%
lab.run(20)
print(f"step {lab.step_count}, alpha {lab.alpha:g}")

# %%
recorded = ct.lecture_pack().recorded("adversarial")
chance = 100 * recorded.metrics["discriminator_accuracy"][-50:].mean()
accuracy.reveal(f"{chance:.0f}", "mean of the last 50 recorded steps; 50 % is a coin's guess")

# %% [markdown]
# **What to notice.**
#
# * The discriminator ends near a coin's guess. It did not become stupid: it has nothing left to hear.
# * $\mathcal{L}_{seg}$ rises a little when α comes in. Two aims cost more than one.
# * In the feature map the circles (S) and the triangles (T) start as two groups and end as one.

# %% [markdown]
# ## Does it help, and is it the game that helps?
#
# One run proves nothing. The pack holds the whole comparison for five seeds: new patients, new
# weights and new batches each time. **`source_longer`** is the control: it starts from the same
# network and takes the same number of steps, without the game.

# %%
from cdseg_teach.experiments import summaries

pack = ct.lecture_pack()
table = pack.table()
summaries.summary(table)

# %% [markdown]
# The lecture's own table, from the real scans of Kamnitsas et al. 2017. Other patients, other
# lesions: compare the order of the rows, not the numbers.

# %%
summaries.LECTURE

# %%
print("adversarial - source_longer:", summaries.paired_gain(table))
print(f"way from Train on S to Train on T: {100 * summaries.recovered(table):.0f} %")
_ = ct.claim(
    "adversarial learning beats the same steps without it",
    better=pack.score("adversarial"),
    worse=pack.score("source_longer"),
    by=10,
    kind="recorded",
)

# %% [markdown]
# And against the simple remedy, leaving the changed channel out? On the lecture's patients adversarial
# learning was three points better than that. Here:

# %%
print("adversarial - source without the fifth channel:",
      summaries.paired_gain(table, worse="source_without_shifted_channel"))

# %% [markdown]
# We report this as it came out. Nothing was tuned for it: every default was fixed on the development
# seeds 100 to 104, and the seeds above were first looked at when the table was made.

# %% [markdown]
# ## How large should α be?

# %%
best = ct.Predict("DSC on T over α, from 0 to 100. What shape is the curve?",
                  ["rises and stays", "falls", "rises, then falls", "flat"])
best

# %%
from cdseg_teach import plots

sweep = pack.sweep().groupby(["domain", "alpha", "seed"]).dsc.mean().mul(100).unstack("seed")
dsc = {f"on {name}": (list(rows.index.get_level_values("alpha")), rows.to_numpy().T)
       for name, rows in sweep.groupby("domain")}
plots.curves(dsc, "α", "DSC (%)", "DSC over α, range over seeds", alpha_axis=True)

# %%
heard = pack.sweep_methods().pivot(index="alpha", columns="seed", values="discriminator_accuracy") * 100
plots.curves({"discriminator": (list(heard.index), heard.to_numpy().T)},
             "α", "accuracy (%)", "How often D is right, range over seeds", alpha_axis=True)

# %%
on_t = sweep.loc["target"].mean(axis=1)
top, first, last = on_t.max(), on_t.iloc[0], on_t.iloc[-1]
shape = {(True, True): "rises, then falls", (True, False): "rises and stays",
         (False, True): "falls", (False, False): "flat"}[(top - first > 5, top - last > 5)]
best.reveal(shape, "a change of more than 5 points counts")

# %% [markdown]
# **What to notice.** From some α on, the discriminator is at chance whatever α is, and says nothing
# about the DSC any more. *Features that cannot be told apart* is not the same as *features that are
# right*. And to choose α we looked at labels of T, which the method was not supposed to need. That is
# the quiet problem of this whole field.

# %% [markdown]
# ## A failure, on purpose: too much of a good thing
#
# α = 30 from the first step, gradients not clipped, normalisation layers frozen, so that nothing holds
# the features in place. Guess what the segmenter finds to leave the discriminator guessing.

# %%
collapse = pack.recorded("collapse")
frames = {"on S": (collapse.frame_steps, collapse.dsc_source * 100),
          "on T": (collapse.frame_steps, collapse.dsc_target * 100)}
plots.curves(frames, "step", "DSC (%)", "Collapse: α = 30, nothing held in place")

# %%
print(f"largest L_seg: 10 to the power of {len(str(int(collapse.metrics['loss_seg'].max()))) - 1}")
_ = ct.claim("the collapsed network is useless on S too", 10, 100 * collapse.dsc_source[-1], by=0)

# %% [markdown]
# A minus sign makes a loss without a floor: $-\alpha\,\mathcal{L}_{adv}$ falls for ever if the segmenter
# makes its features large and wild. Segmenting is then forgotten. The usual guards are a small α, a
# warm-up, clipped gradients, and normalisation layers that see the batch.

# %% [markdown]
# ## A trap: who shares a batch?
#
# Normalisation layers work with the mean and spread of what is in the batch. Our row sends S and T
# through the segmenter **together** (`joint_batch=True`), so both domains are normalised with one
# common statistic. Sent in separate passes, each domain has its own, and the running averages that
# `predict` uses are those of S alone. The curve above at α = 0 shows that the common batch alone
# is not what helps; with the game switched on it does matter. CONTRIBUTING.md has the comparison on
# the development seeds.

# %% [markdown]
# ## On your machine, with a GPU if there is one
#
# The recorded table took many minutes. This cell trains for as long as suits the device: a few steps
# on a laptop, the whole length on a GPU. Stop it whenever you like (■): what it learned stays, and
# running the cell's last lines again goes on.

# %%
# NBVAL_IGNORE_OUTPUT: the estimate and the progress bar are about this machine
from cdseg_teach.experiments import recipes

start = pack.checkpoint(study)
learner = recipes.learner_of("adversarial", study, start, alpha=1.0, steps=recipes.ADAPTATION_STEPS, device="auto")
steps = {"cpu": 60, "cuda": 500}[learner.device.type]
print(f"{steps} steps on {learner.device.type}: about {ct.estimate(learner, steps):.0f} s")

for report in ct.steps(learner, steps):
    pass

# %%
subjects = study.target.test[:4]
before, after = (100 * ct.evaluate(one, subjects).dsc.mean() for one in (start, learner))
_ = ct.claim("after these steps T is segmented at least as well as before", after, before, by=-5)

# %% [markdown]
# ## Exercise
#
# Early in training the discriminator knows nothing, and its gradient is noise. So α is let in slowly.
# Ganin and colleagues multiply it by a factor that depends on the progress $p$, from 0 to 1:
#
# $$\lambda(p) = \frac{2}{1 + e^{-\gamma p}} - 1, \qquad \gamma = 10$$
#
# Write it. Then try it in the lab: `lab.learner.warm_up = lambda step: your_ramp(step / 500)`.

# %% tags=["exercise"]
import math

from cdseg_teach.labs.exercise import check
from cdseg_teach.methods import schedules

progress = {"the start": (0.0,), "5 %": (0.05,), "20 %": (0.2,), "the end": (1.0,)}


def ramp(p):
    """The factor of alpha at progress p, 0 to 1."""
    ...


check(ramp, lambda p: schedules.dann(length=1)(p), progress)

# %% [markdown]
# A solution is in the collapsed cell below: click on the three dots to open it.

# %% jupyter={"source_hidden": true} tags=["solution"]
def ramp(p):
    """The factor of alpha at progress p, 0 to 1."""
    return 2 / (1 + math.exp(-10 * p)) - 1


check(ramp, lambda p: schedules.dann(length=1)(p), progress)

# %% [markdown]
# **To think about.** Why does a discriminator that is right *every* time teach the segmenter nothing?
# Look at the gradient of the cross-entropy where the answer is certain.

# %% [markdown]
# ## What this does not show
#
# * One task, one pair of simulated scanners, one small network. On real scans the gain was three
#   points over leaving the channel out (Kamnitsas et al. 2017); in large comparisons of methods for
#   *unseen* domains, adversarial training is about as good as none (DomainBed, Gulrajani and
#   Lopez-Paz 2021: 66.1 against 66.6).
# * Where the domains differ in what is *in* the images, such as more lesions on one scanner, making
#   features equal makes them wrong. A later notebook breaks it that way.
# * α, steps and warm-up were chosen with labels of T, on development patients. Without any label of
#   T one has to trust them.
