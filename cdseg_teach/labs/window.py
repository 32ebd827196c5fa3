"""The window lab: one slice of CT, its window, its dose and its contrast phase in your hand."""

from __future__ import annotations

import dataclasses
import html
from typing import Any

import ipywidgets as w
import numpy as np
import torch
from matplotlib.patches import Rectangle

from cdseg_teach import plots, slices
from cdseg_teach.anatomy import HeartMaps, heart_subjects
from cdseg_teach.labs.display import AltImage, Face, Shown, live, with_tooltip
from cdseg_teach.problems import Problem, check_index
from cdseg_teach.scanners import HEART_CT, CtScanner, render, window, without_artefacts
from cdseg_teach.scanners.ct import ENHANCEMENT_HU, attenuation

# Level and width in HU; the first is that of the study, the others are usual ones.
WINDOWS = {
    "ours": (HEART_CT.level_hu, HEART_CT.width_hu),
    "soft tissue": (50.0, 350.0),
    "lung": (-600.0, 1500.0),
    "bone": (400.0, 1800.0),
}
LEVELS, WIDTHS = (-1000, 1000), (10, 2000)  # in HU, from and to
DOSES = tuple(HEART_CT.dlp_mgy_cm / 2**halves for halves in range(9))
TISSUES = {
    "blood, left": "left_blood",
    "blood, right": "right_blood",
    "myocardium": "myocardium",
    "liver": "liver",
    "fat": "fat",
    "lung": "lung",
    "bone": "cortical_bone",
}
SIDE = 432  # pixels of the picture
STYLE = """<style>
.cdseg-window {font-size: 16px; color: #111; background: #fff; padding: 4px 8px}
.cdseg-window .widget-label, .cdseg-window select, .cdseg-window .widget-readout {font-size: 16px}
.cdseg-window button {font-size: 16px; height: 34px; line-height: 20px}
.cdseg-window .widget-hslider, .cdseg-window .widget-inline-hbox {margin-left: 12px}
.cdseg-window :is(button, select, .noUi-handle):focus-visible {outline: 3px solid #0072B2}
.cdseg-window table {font-size: 17px; line-height: 30px; border-spacing: 12px 4px}
.cdseg-window .cdseg-note {font-size: 16px; line-height: 22px; color: #333}
</style>"""


class WindowLab(Shown):
    """One slice of a chest by a CT scanner, seen through a window of Hounsfield units.

    Parameters
    ----------
    maps
        Tissue maps of one chest; a new one is made from `seed` without them.
    scanner
        The protocol that it begins with.
    z
        The slice; the one with most of the seven structures without it.
    seed
        Of the chest and its noise.

    Examples
    --------
    lab = WindowLab(); lab.look(50, 350); lab.scan(phase="unenhanced", dlp_mgy_cm=12)
    """

    def __init__(
        self,
        maps: HeartMaps | None = None,
        scanner: CtScanner = HEART_CT,
        *,
        z: int | None = None,
        seed: int = 0,
    ) -> None:
        maps = maps or heart_subjects([seed])
        label = maps.label()[0].numpy()
        self.scanner, self.seed = scanner, seed
        self.z = int((label > 0).sum(axis=(1, 2)).argmax()) if z is None else z
        check_index("slice", self.z, len(label))
        self._maps = _one_slice(maps, self.z)
        self.look(scanner.level_hu, scanner.width_hu)
        self.scan()

    def look(self, level_hu: float, width_hu: float) -> None:
        """Look through another window: what lies half a width below the level is black.

        Raises
        ------
        Problem
            Beyond `LEVELS` or `WIDTHS`.
        """
        for name, value, (low, high) in (
            ("level", level_hu, LEVELS),
            ("width", width_hu, WIDTHS),
        ):
            if not low <= value <= high:
                raise Problem(f"{name} {value:g} HU is out of range; choose from {low} to {high}")
        self.scanner = dataclasses.replace(self.scanner, level_hu=level_hu, width_hu=width_hu)

    def scan(self, phase: str | None = None, dlp_mgy_cm: float | None = None) -> None:
        """Scan again, in another contrast phase or with another dose; None leaves it as it is."""
        asked = {"phase": phase, "dlp_mgy_cm": dlp_mgy_cm}
        changed: dict[str, Any] = {key: value for key, value in asked.items() if value is not None}
        self.scanner = dataclasses.replace(self.scanner, **changed)
        self._hu = self._rendered(self.scanner)
        noise = self._hu - self._rendered(without_artefacts(self.scanner))
        #: Standard deviation in HU of the noise in the slice's heart, as it was drawn.
        self.noise_hu = float(noise[self._maps.label()[0, 0] > 0].std())

    @property
    def pixels(self) -> np.ndarray:
        """The slice as uint8 [Y, X], hung as radiologists do; black is below the window."""
        seen = window(self._hu, self.scanner.level_hu, self.scanner.width_hu)
        return slices.upright((255 * seen).byte().numpy(), self._maps.grid.affine)

    @property
    def tissues(self) -> dict[str, tuple[float, float]]:
        """Tissue -> its HU in this phase, and its grey value in this window, 0 to 1."""
        hu, _ = attenuation([*TISSUES.values()], self.scanner.phase)
        seen = window(hu, self.scanner.level_hu, self.scanner.width_hu)
        return dict(zip(TISSUES, zip(hu.tolist(), seen.tolist(), strict=True), strict=True))

    @property
    def _window_in_words(self) -> str:
        return f"level {self.scanner.level_hu:g} HU, width {self.scanner.width_hu:g} HU"

    def _rendered(self, scanner: CtScanner) -> torch.Tensor:
        return render(self._maps, scanner, [self.seed], spread=0)[0, 0, 0]

    def __repr__(self) -> str:
        scan = f"{self.scanner.phase}, {self.scanner.dlp_mgy_cm:.3g} mGy·cm"
        return f"WindowLab({scan}, {self._window_in_words})"

    def in_words(self) -> str:
        """Say what the slice shows."""
        phase = self.scanner.phase
        return f"A slice of a chest, contrast phase {phase}, {self._window_in_words}."

    def told(self) -> str:
        """Say what the dose is, and what it leaves of noise."""
        return (
            f"Dose {self.scanner.dlp_mgy_cm:.3g} mGy·cm, about "
            f"{self.scanner.effective_dose_msv:.2g} mSv; the noise in the heart is "
            f"{self.noise_hu:.1f} HU."
        )

    def still(self) -> tuple[bytes, str]:
        """Return slice and tissues as a PNG, and its alternative text."""
        listed = self.tissues
        values = ", ".join(f"{name} {hu:.0f} HU" for name, (hu, _) in listed.items())
        figure = plots.Picture(10, 5, f"{self.in_words()} {self.told()} {values}.")
        left, right = figure.subplots(1, 2)
        left.imshow(self.pixels, cmap="gray", vmin=0, vmax=255)
        left.set_title(f"contrast phase: {self.scanner.phase}", fontsize=plots.INK + 2)
        right.set_title(self._window_in_words, fontsize=plots.INK + 2)
        for row, (name, (hu, seen)) in enumerate(listed.items()):
            right.add_patch(Rectangle((0, row + 0.1), 1, 0.8, facecolor=(seen,) * 3, ec="black"))
            right.text(1.2, row + 0.5, f"{name}  {hu:.0f} HU", fontsize=plots.INK + 2, va="center")
        right.set(xlim=(-0.2, 5), ylim=(len(listed), 0))
        for axes in (left, right):
            axes.set_axis_off()
        return plots.png(figure)

    def build(self) -> w.Widget:
        """Return the widget: window, dose and phase, the slice, the tissues' grey values."""
        return WindowView(self).widget


class WindowView(Face):
    """Controls and picture of a `WindowLab`."""

    def __init__(self, lab: WindowLab) -> None:
        self.lab = lab
        wide = {"layout": w.Layout(width="auto", flex="1 1 0"), "continuous_update": False}
        style = {"description_width": "initial"}
        self.level = w.IntSlider(
            description="Level (HU)", min=LEVELS[0], max=LEVELS[1], step=10, **wide
        )
        self.width = w.IntSlider(
            description="Width (HU)", min=WIDTHS[0], max=WIDTHS[1], step=10, **wide
        )
        self.phase = w.Dropdown(description="Contrast phase", options=[*ENHANCEMENT_HU])
        self.dose = w.SelectionSlider(
            description="Dose (mGy·cm)", options=[(f"{d:.3g}", d) for d in DOSES], **wide
        )
        for control in (self.level, self.width, self.phase, self.dose):
            control.style = style
        with_tooltip(self.level, "The middle of the window; half of the width below it is black")
        with_tooltip(self.width, "From black to white")
        with_tooltip(self.dose, "Each step is half of the one before")
        self.buttons = []
        for name, (level, width) in WINDOWS.items():
            button = w.Button(description=name, layout=w.Layout(width="auto"))
            button.on_click(lambda _, look=(level, width): self.do(lambda: lab.look(*look)))
            self.buttons.append(with_tooltip(button, f"Level {level:g}, width {width:g} HU"))
        look = self.guarded(lambda _: lab.look(self.level.value, self.width.value))
        self.level.observe(look, "value")
        self.width.observe(look, "value")
        self.phase.observe(self.guarded(lambda phase: lab.scan(phase=phase)), "value")
        self.dose.observe(self.guarded(lambda dose: lab.scan(dlp_mgy_cm=dose)), "value")
        size = w.Layout(width=f"{SIDE}px", height=f"{SIDE}px", flex="0 0 auto")
        self.picture, self.table, self.status = AltImage(layout=size), w.HTML(), w.HTML()
        row = w.Layout(width="100%", align_items="center")
        self.widget = w.VBox(
            [
                w.HTML(STYLE),
                w.HBox([*self.buttons, self.level, self.width], layout=row),
                w.HBox([self.phase, self.dose], layout=row),
                w.HBox([self.picture, self.table]),
                self.status,
            ]
        )
        self.widget.add_class("cdseg-window")
        self.refresh()

    def refresh(self, message: str = "") -> None:
        """Show the lab's state, and a message if something could not be done."""
        lab = self.lab
        with self.updating():
            self.level.value, self.width.value = (
                int(lab.scanner.level_hu),
                int(lab.scanner.width_hu),
            )
            self.phase.value = lab.scanner.phase
            self.dose.value = min(DOSES, key=lambda dose: abs(dose - lab.scanner.dlp_mgy_cm))
        self.picture.show(slices.encoded(lab.pixels, (SIDE, SIDE)), lab.in_words())
        self.table.value = _as_table(lab.tissues)
        self.status.value = live(message or lab.told())


def _one_slice(maps: HeartMaps, z: int) -> HeartMaps:
    """The maps of one slice alone."""
    fine = slice(z * maps.grid.fine, (z + 1) * maps.grid.fine)
    grid = dataclasses.replace(maps.grid, shape=(1, *maps.grid.shape[1:]))
    return HeartMaps(maps.fractions[:1, :, fine], grid, structures=maps.structures[:1, :, fine])


def _as_table(tissues: dict[str, tuple[float, float]]) -> str:
    """Tissues with their HU and a patch of their grey value, as HTML."""
    rows = []
    for name, (hu, seen) in tissues.items():
        patch = (
            f"display: inline-block; width: 64px; height: 26px; border: 1px solid {slices.BLACK}"
        )
        shade = f"{patch}; background: rgb{(round(255 * seen),) * 3}"
        cells = (html.escape(name), f"{hu:.0f} HU", f"<span style='{shade}'></span>", f"{seen:.0%}")
        rows.append("".join(f"<td>{cell}</td>" for cell in cells))
    return f"<table>{''.join(f'<tr>{row}</tr>' for row in rows)}</table>"
