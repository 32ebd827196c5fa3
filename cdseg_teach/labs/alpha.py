"""The α lab: a segmenter and a discriminator play against each other, and the room moves α.

This module is the lab without its controls, so that `lab.run(200)` needs no browser; `alpha_view`
draws it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cdseg_teach import plots, slices
from cdseg_teach.experiments import recipes
from cdseg_teach.experiments.pack import LecturePack, entry_of, lecture_pack
from cdseg_teach.experiments.recording import Frame, RecordedRun, Recorder
from cdseg_teach.labs.display import Shown
from cdseg_teach.labs.player import Player
from cdseg_teach.methods import Adversarial, OutputAdversarial
from cdseg_teach.methods.adversarial import checked_alpha
from cdseg_teach.methods.schedules import none
from cdseg_teach.problems import Problem

ALPHAS = (0.0, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
RECORDED, CHECKPOINT, SCRATCH = "recorded run", "checkpoint", "scratch"
LABELS_ARE_FOR = (
    "Target labels are used only to look: for the DSC on T, the outline of the truth, and the "
    "choice of the slice. Neither network ever sees them."
)


class AlphaLab(Shown):
    """Adversarial learning, live: L_segAdv = L_seg − α L_adv, with α in your hand.

    α, warm-up, what the segmenter plays for and what is pinned can change at any time; the starting
    point and the joint batch begin a new run.

    Parameters
    ----------
    study
        Source, target and their fixed test slices.
    start_from
        A learner trained on S, the checkpoint; without it the lab begins from scratch.
    alpha
        Weight of L_adv, ≥ 0.
    seed
        Of weights and batches.
    warm_up, joint_batch
        Whether α is ramped up, by `lab.learner.warm_up`; whether S and T share a batch (see
        `Adversarial`).
    objective
        "reversal", or "flipped" labels (see `Adversarial.objective`).
    recorded, resume
        A run that was recorded before on this study, and the learner's state somewhere in it, from
        where the lab goes on.
    every
        Steps between two looks at the fixed slices.
    kind
        `Adversarial`, or a method made of it such as `OutputAdversarial`.
    options
        All others go to it: schedule_steps, taps, gradient_clip, device, ...

    Examples
    --------
    lab = AlphaLab(study, start_from=learner); lab.alpha = 1.0; lab.run(200)
    """

    def __init__(
        self,
        study: Any,
        start_from: Any = None,
        *,
        alpha: float = 1.0,
        seed: int = 0,
        warm_up: bool = True,
        joint_batch: bool = False,
        objective: str = "reversal",
        recorded: RecordedRun | None = None,
        resume: dict[str, Any] | None = None,
        every: int = 10,
        kind: type[Adversarial] = Adversarial,
        **options: Any,
    ) -> None:
        if (recorded is None) != (resume is None):
            raise Problem(
                "a recorded run and the state to resume from belong together; give both or neither"
            )
        if recorded is not None:
            _check_belongs(recorded, study)
        self.study, self.seed = study, seed
        self.warm_up, self.joint_batch, self.objective = warm_up, joint_batch, objective
        self._checkpoint, self._recorded, self._resume = start_from, recorded, resume
        self._every, self._kind, self._options = every, kind, options
        self.alpha = alpha
        self.pinned: RecordedRun | None = None
        # The view listens here; now: do not skip it.
        self.changed: Callable[[bool], None] = lambda now: None
        self.player = Player(self._advance)
        self.start = self.starts[0]
        self.reset()

    @classmethod
    def from_pack(cls, study: Any, pack: LecturePack | None = None, **options: Any) -> AlphaLab:
        """The lab as the lecture opens it: early in the pack's recorded run.

        Parameters
        ----------
        study
            The study of the pack's checkpoint: brains, or hearts from MR to CT, whose
            discriminator hears the output alone.
        pack
            The one that ships, unless told.
        options
            All others, in place of the table's own settings.
        """
        pack = pack or lecture_pack()
        settings = recipes.ADAPTATION | recipes.ADVERSARIAL
        settings["schedule_steps"] = recipes.ADAPTATION_STEPS
        run = entry_of(study, "adversarial")
        return cls(
            study,
            start_from=pack.checkpoint(study),
            recorded=pack.recorded(run),
            resume=pack.opening_state(run),
            kind=OutputAdversarial if study.name == "heart" else Adversarial,
            **(settings | options),
        )

    @property
    def alpha(self) -> float:
        """The weight that is asked for; the latest value wins and holds from the next step on."""
        return self._alpha

    @alpha.setter
    def alpha(self, value: float) -> None:
        self._alpha = checked_alpha(value)

    @property
    def starts(self) -> list[str]:
        """The starting points that this lab has, the first being where it opens."""
        known = {RECORDED: self._recorded, CHECKPOINT: self._checkpoint, SCRATCH: True}
        return [name for name, there in known.items() if there is not None]

    @property
    def step_count(self) -> int:
        """Steps that the learner has done."""
        return int(self.learner.steps_done)

    @property
    def frames(self) -> list[Frame]:
        """What was seen on the fixed slices until now."""
        return self.recorder.frames

    def reset(self, start: str | None = None) -> None:
        """Begin a new run from one of `starts`, the last one unless told; a pin stays."""
        if start is not None and start not in self.starts:
            raise Problem(f"start {start!r}: this lab has {', '.join(self.starts)}")
        self.start = start or self.start
        self.player.reset(self._begin)
        self.changed(True)

    def run(self, n: int, players: str = "both") -> None:
        """Do n steps at once: the same steps and numbers as n steps of the clock."""
        self.player.run(n, after=lambda: self.changed(False), players=players)
        self.changed(True)

    def step(self, players: str = "both") -> dict[str, float]:
        """Do one step of "both" players, the "segmenter" or the "discriminator"."""
        self.player.pause()
        report = self.player.step(players=players)
        self.changed(True)
        return report

    def pin(self, run: RecordedRun | None = None) -> None:
        """Keep this run (or a recorded one) as the dashed curve to compare later runs with."""
        self.pinned = run or self.recording()
        self.changed(True)

    def unpin(self) -> None:
        """Take the dashed curve away."""
        self.pinned = None
        self.changed(True)

    def recording(self) -> RecordedRun:
        """Return the run until now.

        With `lab.learner.state_dict()` it is what `recorded` and `resume` take.
        """
        settings = {
            "seed": self.seed,
            "start": self.start,
            "warm_up": self.warm_up,
            "joint_batch": self.joint_batch,
            "objective": self.objective,
        }
        return self.recorder.recording(self.player.history, alpha=self.alpha, **settings)

    def _begin(self) -> None:
        self.recorder = Recorder(self.study, every=self._every)
        self.learner = self._new_learner()
        if self.start == RECORDED and self._recorded and self._resume:
            self.learner.load_state_dict(self._resume)
            self.recorder.resume(self._recorded, self.step_count)
            self.player.history.extend(self._recorded.reports[: self.step_count])
        else:
            self.recorder.begin(self.learner)

    def _new_learner(self) -> Adversarial:
        start_from = None if self.start == SCRATCH else self._checkpoint
        learner = self._kind(
            self.study,
            start_from=start_from,
            alpha=self.alpha,
            seed=self.seed,
            joint_batch=self.joint_batch,
            **self._options,
        )
        learner.objective = self.objective  # a Problem before the first step
        return learner

    def _advance(self, players: str = "both") -> dict[str, float]:
        learner, asked = self.learner, self.alpha
        learner.alpha, learner.players, learner.objective = asked, players, self.objective
        ramp = learner.warm_up
        learner.warm_up = ramp if self.warm_up else none()
        try:
            report = learner.step()
        finally:
            learner.warm_up = ramp
        self.recorder.after_step(learner)
        return {"alpha_asked": asked, **report, "step": float(learner.steps_done)}

    def __repr__(self) -> str:
        run = f"seed {self.seed}, alpha={self.alpha:g}, step {self.step_count}"
        return f"AlphaLab({self.study.name}, {run})"

    def build(self) -> Any:
        """Return the widget: controls, curves, pictures."""
        from cdseg_teach.labs.alpha_view import AlphaView

        return AlphaView(self).widget

    def still(self) -> tuple[bytes, str]:
        """Return the state as a PNG and its alternative text."""
        return plots.png(_picture(self))


def _check_belongs(run: RecordedRun, study: Any) -> None:
    """Raise a Problem unless a run was recorded on this study's test subjects."""
    subject = study.target.test[0]
    if run.settings["subject"] != subject.name or run.masks.shape[1:] != subject.image.shape[2:]:
        raise Problem(
            f"the run was recorded on {run.settings['subject']}, slices {run.masks.shape[1:]}; this"
            f" study has {subject.name}, {subject.image.shape[2:]}: give the run's own study"
        )


def describe(lab: AlphaLab, frame: Frame) -> str:
    """Say in words what a frame shows, in whole percent."""
    return (
        f"Step {frame.step}, α = {lab.alpha:g}: DSC {frame.dsc_source * 100:.0f} % on the source "
        f"and {frame.dsc_target * 100:.0f} % on the target, on fixed test slices."
    )


def _picture(lab: AlphaLab) -> plots.Picture:
    """Draw the DSC, the discriminator's accuracy and the target slice side by side."""
    frames, last = lab.frames, lab.frames[-1]
    figure = plots.Picture(12, 4.4, alt=f"α lab. {describe(lab, last)}")
    scores, accuracy, picture = figure.subplots(1, 3, width_ratios=[1.25, 1.25, 1])
    steps = [frame.step for frame in frames]
    for name, (colour, marker, line) in zip(("source", "target"), plots.SERIES, strict=False):
        values = [100 * getattr(frame, f"dsc_{name}") for frame in frames]
        style = {"color": colour, "lw": 2.5, "marker": marker, "ms": 7, "markevery": 0.2}
        scores.plot(steps, values, line, label=f"on {name}", **style)
    scores.set_ylim(0, 101)
    scores.legend(fontsize=plots.INK, frameon=False)
    plots.dress(scores, "step", "DSC (%)", f"α = {lab.alpha:g}, step {last.step}")
    reports = lab.player.history
    values = [100 * report["discriminator_accuracy"] for report in reports]
    accuracy.plot([report["step"] for report in reports], values, color=slices.BLACK, lw=1.5)
    accuracy.axhline(50, color=slices.BLACK, ls=":", lw=2)
    where: Any = {"xycoords": ("axes fraction", "data"), "ha": "right", "va": "top"}
    accuracy.annotate("chance", (1, 48), fontsize=plots.INK, **where)
    accuracy.set_ylim(0, 101)
    plots.dress(accuracy, "step", "accuracy (%)", "discriminator: S or T?")
    picture.imshow(shown_slice(lab, frame=last))
    picture.set_axis_off()
    structures = lab.study.target.structures
    drawn = "full" if len(structures) == 1 else "in colour"
    picture.set_title(f"target: prediction ({drawn}),\ntruth (dashed)", fontsize=plots.INK)
    if len(structures) > 1:
        plots.explain(figure, plots.colours_of(structures))
    return figure


def shown_slice(lab: AlphaLab, frame: Frame, channel: int | None = None) -> Any:
    """Return uint8 [Y, X, 3]: the target slice, outlines of the prediction and the truth."""
    if channel is None:
        channel = (*lab.study.shifted_channels, 0)[0]
    subject, z = lab.recorder.subject, lab.recorder.slice
    truth = None if subject.label is None else subject.label[z]
    many = len(lab.study.target.structures)
    return slices.slice_picture(subject, channel, z, frame.mask, truth, structures=many)
