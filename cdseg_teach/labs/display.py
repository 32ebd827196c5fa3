"""What differs between front ends, in one place, and the bundle that labs are shown as."""

from __future__ import annotations

import base64
import html
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import anywidget
import traitlets

from cdseg_teach.problems import Problem
from cdseg_teach.slices import BLACK, OUTLINE, STRUCTURES

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


def with_tooltip(widget: Any, text: str) -> Any:
    """Set the tooltip of a control in any version of ipywidgets; return the control."""
    # ipywidgets 7 (Colab) has the latter.
    name = "tooltip" if widget.has_trait("tooltip") else "description_tooltip"
    setattr(widget, name, text)
    return widget


def load_plotly() -> Any:
    """Return plotly.graph_objects with its widget loaded, in a quarter of the usual time.

    plotly loads nbformat, nbformat loads jsonschema, and that compiles the grammars of
    international web addresses: three seconds that no lab has use for. jsonschema does without
    that package where it is absent, so it is hidden meanwhile.
    """
    hidden = "rfc3987_syntax"
    before = sys.modules.get(hidden)
    if before is None:
        sys.modules[hidden] = None  # type: ignore[assignment]
    try:
        import plotly.graph_objects as go

        _ = go.FigureWidget  # plotly loads its classes on first use
    finally:
        if before is None:
            del sys.modules[hidden]
    return go


class Fit(anywidget.AnyWidget):
    """A widget without a face that tells plotly when the box it stands in has another size.

    plotly measures its place before the notebook has laid it out, and again only when the window
    changes.
    """

    _esm = """
    function render({ el }) {
      const observer = new ResizeObserver(() =>
        requestAnimationFrame(() => window.dispatchEvent(new Event("resize"))));
      requestAnimationFrame(() => observer.observe(el.parentElement ?? el));
      return () => observer.disconnect();
    }
    export default { render };
    """


class CanvasName(anywidget.AnyWidget):
    """A widget without a face that names the canvas in the same box for a screen reader.

    Keys that are pressed there are the canvas's own: JupyterLab would take C and V for copy and
    paste of a cell.
    """

    _esm = """
    function render({ model, el }) {
      let box;
      const tell = () => {
        for (const canvas of box.querySelectorAll("canvas:not([aria-label])")) {
          canvas.setAttribute("role", "img");
          canvas.setAttribute("aria-label", model.get("name"));
        }
      };
      const observer = new MutationObserver(tell);
      requestAnimationFrame(() => {
        box = el.parentElement ?? el;
        box.dataset.lmSuppressShortcuts = "true";
        observer.observe(box, { childList: true, subtree: true });
        tell();
      });
      return () => observer.disconnect();
    }
    export default { render };
    """

    name = traitlets.Unicode().tag(sync=True)


class AltImage(anywidget.AnyWidget):
    """A PNG with alternative text, for which ipywidgets' Image has no place.

    The browser keeps one element and changes what it shows, so that nothing flickers.
    """

    _esm = """
    function render({ model, el }) {
      const img = document.createElement("img");
      img.style.cssText = "display: block; width: 100%; height: 100%; object-fit: contain";
      const draw = () => {
        URL.revokeObjectURL(img.src);
        img.src = URL.createObjectURL(new Blob([model.get("value")], { type: "image/png" }));
      };
      const tell = () => { img.alt = model.get("alt"); };
      model.on("change:value", draw);
      model.on("change:alt", tell);
      draw();
      tell();
      el.append(img);
      return () => {
        model.off("change:value", draw);
        model.off("change:alt", tell);
        URL.revokeObjectURL(img.src);
      };
    }
    export default { render };
    """

    value = traitlets.Bytes().tag(sync=True)
    alt = traitlets.Unicode().tag(sync=True)

    def show(self, png: bytes, alt: str) -> None:
        """Show a picture and what a person who cannot see it has to know."""
        with self.hold_sync():
            self.value, self.alt = png, alt


def live(text: str) -> str:
    """Return a line of text that a screen reader says when it changes."""
    said = html.escape(text)
    return f"<span class='cdseg-note' role='status' aria-live='polite'>{said}</span>"


def legend(structures: Sequence[str], truth: str = "truth, dashed white") -> str:
    """Return what the colours of a slice's picture mean: one structure's outline, or several."""
    if len(structures) > 1:
        style = "display: inline-block; white-space: nowrap; margin-right: 7px"
        swatch = f"display: inline-block; width: 12px; height: 12px; border: 1px solid {BLACK}"
        predicted = "".join(
            f"<span style='{style}'><span style='{swatch}; background: {colour}'></span>"
            f"&thinsp;<b>{html.escape(name)}</b></span>"
            for name, colour in zip(structures, STRUCTURES, strict=False)
        )
    else:
        predicted = f"<b style='color:{OUTLINE['prediction']}'>━</b> prediction, full line"
    return f"{predicted}<br><b>┅</b> {truth}"


class Face:
    """Base of what shows a lab: the user moves a control and something is done; `refresh` shows it.

    What `refresh` does to controls within `updating` is told from what the user does.
    """

    _updating = False

    def refresh(self, message: str = "") -> None:
        """Show the lab's state, and a message if something could not be done."""
        raise NotImplementedError

    @contextmanager
    def updating(self) -> Iterator[None]:
        """Within, controls move without an effect."""
        self._updating = True
        try:
            yield
        finally:
            self._updating = False

    def guarded(self, act: Callable[[Any], None]) -> Callable[[Any], None]:
        """Return what a control calls: `act` with its new value, if the user moved it."""
        return lambda change: None if self._updating else self.do(lambda: act(change["new"]))

    def do(self, act: Callable[[], None]) -> None:
        """Do something; what cannot be is said in the lab, where the room looks."""
        try:
            act()
            message = ""
        except Problem as problem:
            message = str(problem)
        self.refresh(message)


class Shown:
    """Base of the labs: a widget where there is a kernel, a still picture elsewhere.

    Tests compare its line of text. The widget is built on first use, so a lab runs headless
    without it. Its state is never stored in a notebook: without a kernel the still picture is
    what is seen (GitHub, nbviewer, print).
    """

    _widget: Any = None

    def build(self) -> Any:
        """Return the widget of this lab; called once."""
        raise NotImplementedError

    def still(self) -> tuple[bytes, str] | None:
        """Return the state as a PNG and its alternative text, or None."""
        return None

    @property
    def widget(self) -> Any:
        """The lab's widget (built when first asked for)."""
        if self._widget is None:
            self._widget = self.build()
        return self._widget

    def _repr_mimebundle_(
        self, include: Any = None, exclude: Any = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        # Written out, since ipywidgets 7 has _ipython_display_ instead, which would leave text and
        # picture out.
        view = {"version_major": 2, "version_minor": 0, "model_id": self.widget.model_id}
        data = {"text/plain": repr(self), WIDGET_VIEW: view}
        still = self.still()
        if still is None:
            return data, {}
        png, alt = still
        return data | {"image/png": base64.b64encode(png).decode()}, {"image/png": {"alt": alt}}
