"""The contrast lab: one slice of anatomy, and a scanner whose knobs are in your hand."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from cdseg_teach import plots, slices
from cdseg_teach.anatomy import BrainMaps, Grid, brain_subjects
from cdseg_teach.cohorts.normalise import normalise
from cdseg_teach.labs import histograms
from cdseg_teach.labs.display import Shown
from cdseg_teach.problems import Problem, check_index
from cdseg_teach.scanners import DATA_SET_1, DATA_SET_2, Scanner, interpolate, render

# Slices that are rendered: the one shown, and what its slice profile and field need beside it.
SLAB = 5
TISSUES = {"grey matter": "grey", "white matter": "white", "CSF": "csf"}
# Colour, line and width of each tissue's histogram, in the widget and in print: no two lines alike.
LINES = {
    "grey matter": (slices.BLACK, "solid", 2),
    "white matter": (slices.BLUE, "dash", 3),
    "CSF": (slices.GREEN, "dot", 4),
    "lesion": (slices.RED, "dashdot", 4),
}
KNOBS = {"TR": "tr_ms", "TE": "te_ms", "TI": "ti_ms"}


class ContrastLab(Shown):
    """How one slice looks when the scanner changes.

    The dial goes from the source's scanner (0) to the target's (1); it sets every knob.
    A knob that is turned changes that one number; the next turn of the dial sets it back.

    Parameters
    ----------
    maps
        Tissue maps of one brain; a new one is made from `seed` without them.
    source, target
        The two ends of the dial.
    z
        The slice; the one with the largest lesion without it.
    seed
        Of the brain, its noise and its bias field.

    Examples
    --------
    lab = ContrastLab(); lab.turn("TE", 40); lab.dial(0.5)
    """

    def __init__(
        self,
        maps: BrainMaps | None = None,
        source: Scanner = DATA_SET_1,
        target: Scanner = DATA_SET_2,
        *,
        z: int | None = None,
        seed: int = 0,
    ) -> None:
        maps = maps or brain_subjects([seed])
        self.seed, self.source, self.target = seed, source, target
        label = maps.label()[0].numpy()
        self.z = int(label.sum(axis=(1, 2)).argmax()) if z is None else z
        check_index("slice", self.z, len(label))
        self._maps, self._at = _slab(maps, self.z)
        inside = {
            name: self._maps.on_working_grid(self._maps[key])[0] > 0.8
            for name, key in TISSUES.items()
        }
        self.tissues = {name: mask.numpy()[self._at] for name, mask in inside.items()}
        self.tissues["lesion"] = label[self.z] > 0
        self.channel, self.shift = len(source.sequences) - 1, 0.0
        self._turned: dict[str, float] = {}
        self._source_plane: dict[int, np.ndarray] = {}

    @property
    def channels(self) -> list[str]:
        """Names of the channels; one that differs between the two scanners has both names."""
        pairs = zip(self.source.channels, self.target.channels, strict=True)
        return [a if a == b else f"{a}/{b}" for a, b in pairs]

    @property
    def scanner(self) -> Scanner:
        """The scanner as it stands, with the shown channel only."""
        source, target = (_only(scanner, self.channel) for scanner in (self.source, self.target))
        dialled = interpolate(source, target, self.shift)
        times: dict[str, Any] = {
            KNOBS[name]: value for name, value in self._turned.items() if name in KNOBS
        }
        field = self._turned.get("field", dialled.field_tesla)
        sequence = dataclasses.replace(dialled.sequences[0], **times)
        return dataclasses.replace(dialled, sequences=(sequence,), field_tesla=field)

    @property
    def knobs(self) -> Mapping[str, float]:
        """Knob -> value: TR, TE and, where the sequence has it, TI in ms; the field in tesla."""
        scanner = self.scanner
        sequence = scanner.sequences[0]
        times = {
            name: float(getattr(sequence, key))
            for name, key in KNOBS.items()
            if hasattr(sequence, key)
        }
        return times | {"field": scanner.field_tesla}

    def dial(self, shift: float) -> None:
        """Set every knob to a point on the dial, from 0 (the source) to 1 (the target)."""
        interpolate(self.source, self.target, shift)  # a Problem before anything is changed
        self.shift, self._turned = float(shift), {}

    def turn(self, knob: str, value: float) -> None:
        """Turn one knob of the shown channel: "TR", "TE", "TI" in ms, "field" in tesla."""
        if knob not in self.knobs:
            raise Problem(
                f"{self.channels[self.channel]} has no knob {knob!r}; "
                f"turn one of {', '.join(self.knobs)}"
            )
        before = dict(self._turned)
        self._turned[knob] = float(value)
        try:
            _ = self.scanner
        except Problem:
            self._turned = before
            raise

    def choose(self, channel: int) -> None:
        """Show another channel, with the dial where it is."""
        check_index("channel", channel, len(self.channels))
        self.channel, self._turned = channel, {}

    def planes(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the slice [Y, X] by the source and by this scanner, as the networks see it."""
        if self.channel not in self._source_plane:
            self._source_plane[self.channel] = self._render(_only(self.source, self.channel))
        return self._source_plane[self.channel], self._render(self.scanner)

    def histograms(self, plane: np.ndarray) -> dict[str, np.ndarray]:
        """Return tissue -> share of its voxels in each bin, in percent."""
        present = {name: plane[mask] for name, mask in self.tissues.items() if mask.any()}
        return {name: histograms.shares(values) for name, values in present.items()}

    def means(self, plane: np.ndarray) -> str:
        """Say the mean intensity of each tissue."""
        present = {name: mask for name, mask in self.tissues.items() if mask.any()}
        return ", ".join(f"{name} {plane[mask].mean():.1f}" for name, mask in present.items())

    def _render(self, scanner: Scanner) -> np.ndarray:
        image = render(self._maps, scanner, [self.seed])[0].numpy()
        return normalise(image, self._maps.brain()[0].numpy())[0, self._at]

    def __repr__(self) -> str:
        knobs = ", ".join(f"{name} {value:g}" for name, value in self.knobs.items())
        return f"ContrastLab({self.channels[self.channel]}, shift {self.shift:g}, {knobs})"

    def build(self) -> Any:
        """Return the widget: dial and knobs, three pictures, histograms."""
        from cdseg_teach.labs.contrast_view import ContrastView

        return ContrastView(self).widget

    def still(self) -> tuple[bytes, str]:
        """Return `picture` as a PNG, and its alternative text."""
        return plots.png(self.picture())

    def picture(self) -> plots.Picture:
        """Draw source, this scanner and their difference; below them the histograms of the two."""
        planes = reference, plane = self.planes()
        turned = "".join(f", {knob} {value:g}" for knob, value in self._turned.items())
        titles = (
            f"source: {self.source.name}",
            f"{self.channels[self.channel]}, shift {self.shift:g}{turned}",
            "difference",
        )
        figure = plots.Picture(10, 7.6, self._in_words(planes, titles))
        places = figure.subplot_mosaic("aabbcc;dddeee", height_ratios=(4, 3.6))
        shown = (grey(reference), grey(plane), difference(plane - reference))
        for place, pixels, title in zip("abc", shown, titles, strict=True):
            places[place].imshow(pixels, cmap="gray", vmin=0, vmax=255)
            places[place].set_title(title, fontsize=plots.INK + 2)
            places[place].set_axis_off()
        for place, values, title in zip("de", planes, titles[:2], strict=True):
            histograms.draw(places[place], self.histograms(values), LINES, title)
        places["e"].sharey(places["d"])
        histograms.explain(figure, places["d"])
        return figure

    def _in_words(self, planes: tuple[np.ndarray, np.ndarray], titles: tuple[str, ...]) -> str:
        by_source, by_this = map(self.means, planes)
        return (
            f"Slice {self.z} by {titles[0]}, by the scanner {titles[1]}, and their difference. "
            f"Below, each tissue's histogram by the two; mean intensities by the source: "
            f"{by_source}; by this scanner: {by_this}."
        )


def grey(plane: np.ndarray) -> np.ndarray:
    """Return uint8 [Y, X], hung as radiologists do; the working grid is RAS+."""
    return slices.grey(slices.upright(plane, np.eye(4)))


def difference(plane: np.ndarray, limit: float = 3.0) -> np.ndarray:
    """Return uint8 [Y, X, 3]: blue darker than the source, orange-red brighter.

    White is the same; the full colour is reached at `limit` standard deviations.
    """
    share = np.clip(slices.upright(plane, np.eye(4)) / limit, -1, 1)[..., None]
    ends = [np.array(slices.rgb(colour), np.float32) for colour in (slices.BLUE, slices.RED)]
    towards = np.where(share < 0, ends[0], ends[1])
    return (255 + np.abs(share) * (towards - 255)).astype(np.uint8)


def _only(scanner: Scanner, channel: int) -> Scanner:
    return dataclasses.replace(scanner, sequences=(scanner.sequences[channel],))


def _slab(maps: BrainMaps, z: int) -> tuple[BrainMaps, int]:
    """Return the maps of the slices about z, and where z is among them."""
    grid: Grid = maps.grid
    depth = min(SLAB, grid.shape[0])
    first = min(max(z - depth // 2, 0), grid.shape[0] - depth)
    fine = slice(first * grid.fine, (first + depth) * grid.fine)
    small = dataclasses.replace(grid, shape=(depth, *grid.shape[1:]))
    return BrainMaps(maps.fractions[:1, :, fine], small, maps.names), z - first
