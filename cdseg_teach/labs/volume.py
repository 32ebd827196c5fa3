"""A volume in three planes and as a body, with its masks over it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, ClassVar

import ipywidgets as w
import nibabel as nib
import numpy as np

from cdseg_teach.labs.display import CanvasName
from cdseg_teach.labs.viewer import STYLE, SliceViewer
from cdseg_teach.slices import WINDOW

HEIGHT = 460  # pixels
#: Colour maps of niivue for masks, by what they show: yellow and blue, the two hues that the common
#: kinds of colour blindness leave apart from each other and from grey.
COLOURS = {"prediction": "warm", "truth": "blue"}
HELP = (
    "Click in a plane and all three go there; the wheel leafs. Drag the body to turn it; C cuts "
    "it, again from another side, and the wheel over it moves the cut. H, J, K and L move the "
    "cross, V shows one view alone. Keys act where the pointer is, after a click."
)


class VolumeViewer(SliceViewer):
    """A subject in niivue: three planes and a rendering, turned and cut with the mouse.

    It needs ipyniivue (`pip install 'cdseg_teach[volume]'`) and WebGL; without the package it is a
    `SliceViewer`, and so is the picture that is stored. A browser keeps few WebGL contexts and each
    view holds 5 MB of JavaScript, so one is alive in a kernel: the next one closes it.

    Parameters
    ----------
    subject, prediction, channels, structures
        As in `SliceViewer`; the first channel is shown.
    """

    _alive: ClassVar[Any] = None
    _folder: ClassVar[Any] = None

    def build(self) -> Any:
        """Return niivue's widget, or the slice viewer's where it is not installed."""
        try:
            from ipyniivue import NiiVue, ShowRender
        except ImportError:
            return super().build()
        if VolumeViewer._alive is not None:
            VolumeViewer._alive.close()
            VolumeViewer._folder.cleanup()
        VolumeViewer._folder = tempfile.TemporaryDirectory()  # niivue's widget reads files
        view = NiiVue(height=HEIGHT)
        view.opts.multiplanar_show_render = ShowRender.ALWAYS
        view.opts.crosshair_width = 0.3  # voxels
        view.opts.is_radiological_convention = True  # as all other slices are hung
        view.load_volumes(self.volumes(Path(VolumeViewer._folder.name)))
        VolumeViewer._alive = view
        return self._explained(view)

    def _explained(self, view: Any) -> w.Widget:
        """The view, named for a screen reader, above what colours mean and how to move."""
        what = f"{self.subject.name}, {self.channels[self.channel]}"
        canvas = CanvasName(name=f"{what}, in three planes and as a body. {HELP}")
        masks = {"prediction": self.prediction, "truth": self.subject.label}
        hues = {"prediction": "yellow", "truth": "blue"}
        told = ", ".join(f"{name} {hues[name]}" for name, mask in masks.items() if mask is not None)
        colours = f"<b>{told.capitalize()}.</b> " if told else ""
        text = w.HTML(f"{STYLE}<div class='cdseg-legend'>{colours}{HELP}</div>")
        box = w.VBox([view, canvas, text])
        box.add_class("cdseg-viewer")
        return box

    def volumes(self, folder: Path) -> list[dict[str, Any]]:
        """Write what is seen into a folder as NIfTI, and return what niivue is told about it."""
        shown = [("image", self._with_dark_air(), "gray", 1.0, WINDOW)]
        for name, mask in (("prediction", self.prediction), ("truth", self.subject.label)):
            if mask is not None:
                shown.append((name, mask, COLOURS[name], 0.5, (0, 1)))
        volumes = []
        for name, volume, colours, opacity, (low, high) in shown:
            file = folder / f"{name}.nii.gz"
            nib.save(nib.Nifti1Image(np.ascontiguousarray(volume.T), self.subject.affine), file)
            told = {"path": file, "colormap": colours, "opacity": opacity}
            volumes.append(told | {"cal_min": low, "cal_max": high})
        return volumes

    def _with_dark_air(self) -> np.ndarray:
        """The channel with air below everything: niivue sees through what is darkest.

        Normalised, the outside is 0 in all channels, and 0 is a middle grey.
        """
        image = self.subject.image
        return np.where((image == 0).all(axis=0), image.dtype.type(WINDOW[0]), image[self.channel])

    def __repr__(self) -> str:
        return f"VolumeViewer({self.subject.name}, {self.channels[self.channel]})"
