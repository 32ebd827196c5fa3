"""Leaf through a volume, slice by slice, with outlines over it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ipywidgets as w
import numpy as np

from cdseg_teach import slices
from cdseg_teach.labs.display import AltImage, Shown, legend, with_tooltip
from cdseg_teach.problems import Problem

STYLE = """<style>
.cdseg-viewer .widget-label, .cdseg-viewer select, .cdseg-viewer .widget-readout {font-size: 16px}
.cdseg-viewer .cdseg-legend {font-size: 15px}
</style>"""


class SliceViewer(Shown):
    """One subject's slices, a channel at a time.

    Parameters
    ----------
    subject
        A `Subject`; its label, if any, is outlined.
    prediction
        Class indices [Z, Y, X] to be outlined as well.
    channels
        Names of the channels; numbers without.
    structures
        Names of the label's structures; several have a colour each.

    Raises
    ------
    Problem
        If the prediction is not on the subject's grid.
    """

    def __init__(
        self,
        subject: Any,
        prediction: np.ndarray | None = None,
        channels: Sequence[str] = (),
        structures: Sequence[str] = ("lesion",),
    ) -> None:
        grid = subject.image.shape[1:]
        if prediction is not None and prediction.shape != grid:
            raise Problem(
                f"{subject.name}: prediction of shape {prediction.shape}, image {grid}; "
                "predict this subject"
            )
        self.subject, self.prediction = subject, prediction
        self.channels = list(channels) or [f"channel {i}" for i in range(len(subject.image))]
        self.structures = structures
        self.channel, self.overlay = 0, True
        self.z = subject.telling_slice()

    def picture(self) -> np.ndarray:
        """Return uint8 [Y, X, 3] as radiologists hang it.

        Front up, the patient's right on the left.
        """
        volumes = (self.prediction, self.subject.label) if self.overlay else (None, None)
        masks = [None if volume is None else volume[self.z] for volume in volumes]
        many = len(self.structures)
        return slices.slice_picture(
            self.subject, self.channel, self.z, masks[0], masks[1], structures=many
        )

    def __repr__(self) -> str:
        return f"SliceViewer({self.subject.name}, {self.channels[self.channel]}, slice {self.z})"

    def still(self) -> tuple[bytes, str]:
        """Return the slice as a PNG and its alternative text."""
        how = "full" if len(self.structures) == 1 else "in colour"
        outlines = (
            f"with outlines of prediction ({how}) and truth (dashed)"
            if self.overlay
            else "without outlines"
        )
        where = f"{self.channels[self.channel]}, slice {self.z} of subject {self.subject.name}"
        return slices.encoded(self.picture()), f"{where}, {outlines}."

    def build(self) -> w.Widget:
        """Return the widget: slice, channel, overlay, picture."""
        last = self.subject.image.shape[1] - 1
        z = with_tooltip(
            w.IntSlider(description="Slice", min=0, max=last, value=self.z),
            "Arrow keys leaf through",
        )
        channel = w.Dropdown(
            description="Channel",
            options=[(n, i) for i, n in enumerate(self.channels)],
            value=self.channel,
        )
        overlay = w.Checkbox(description="Outlines", value=self.overlay, indent=False)
        y, x = (
            n * s
            for n, s in zip(self.subject.image.shape[2:], self.subject.spacing_mm[1:], strict=True)
        )
        size = {"width": "460px", "height": f"{round(460 * y / x)}px"}
        image = AltImage(layout=w.Layout(**size))

        def show(_: Any) -> None:
            self.z, self.channel, self.overlay = z.value, channel.value, overlay.value
            image.show(*self.still())

        for control in (z, channel, overlay):
            control.observe(show, "value")
        image.show(*self.still())
        told = f"{STYLE}<span class='cdseg-legend'>{legend(self.structures)}</span>"
        box = w.VBox([w.HBox([z, channel, overlay]), image, w.HTML(told)])
        box.add_class("cdseg-viewer")
        return box
