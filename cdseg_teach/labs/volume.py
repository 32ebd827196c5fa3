"""A volume in three planes and as a body, with its masks over it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, ClassVar

import nibabel as nib
import numpy as np

from cdseg_teach.labs.viewer import SliceViewer

HEIGHT = 460  # pixels
#: Colour maps of niivue for masks, by what they show.
COLOURS = {"prediction": "red", "truth": "cyan"}


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
        VolumeViewer._folder = tempfile.TemporaryDirectory()  # niivue's widget reads files
        view = NiiVue(height=HEIGHT)
        view.opts.multiplanar_show_render = ShowRender.ALWAYS
        view.opts.crosshair_width = 0.3  # voxels
        view.load_volumes(self.volumes(Path(VolumeViewer._folder.name)))
        VolumeViewer._alive = view
        return view

    def volumes(self, folder: Path) -> list[dict[str, Any]]:
        """Write what is seen into a folder as NIfTI, and return what niivue is told about it."""
        shown = [("image", self.subject.image[self.channel], "gray", 1.0)]
        for name, mask in (("prediction", self.prediction), ("truth", self.subject.label)):
            if mask is not None:
                shown.append((name, mask, COLOURS[name], 0.5))
        volumes = []
        for name, volume, colours, opacity in shown:
            file = folder / f"{name}.nii.gz"
            nib.save(nib.Nifti1Image(np.ascontiguousarray(volume.T), self.subject.affine), file)
            volumes.append({"path": file, "colormap": colours, "opacity": opacity})
        return volumes

    def __repr__(self) -> str:
        return f"VolumeViewer({self.subject.name}, {self.channels[self.channel]})"
