"""What differs between front ends and versions of ipywidgets, in one place; and the bundle that every lab is shown as."""

from __future__ import annotations

import base64
import sys
from typing import Any

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


def with_tooltip(widget: Any, text: str) -> Any:
    """Set the tooltip of a control, whatever this version of ipywidgets calls it, and return the control."""
    name = "tooltip" if widget.has_trait("tooltip") else "description_tooltip"  # ipywidgets 7 (Colab) has the latter
    setattr(widget, name, text)
    return widget


def load_plotly() -> Any:
    """Return plotly.graph_objects with its widget loaded, in a quarter of the usual time.

    plotly loads nbformat, nbformat loads jsonschema, and that compiles the grammars of international web addresses: three seconds
    that no lab has use for. jsonschema does without that package where it is absent, so it is hidden meanwhile.
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


class Shown:
    """Base of the labs: a widget where there is a kernel, a still picture elsewhere, and a line of text for tests.

    The widget itself is built on first use, so a lab runs headless without it. Its state is never stored in a notebook; without a
    kernel the still picture is what is seen (GitHub, nbviewer, print).
    """

    _widget: Any = None

    def build(self) -> Any:
        """Return the widget of this lab; called once."""
        raise NotImplementedError

    def still(self) -> tuple[bytes, str] | None:
        """Return the state as a PNG and its alternative text; None where the line of text says it all."""
        return None

    @property
    def widget(self) -> Any:
        """The lab's widget (built when first asked for)."""
        if self._widget is None:
            self._widget = self.build()
        return self._widget

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict[str, Any], dict[str, Any]]:
        # Written out, since ipywidgets 7 has _ipython_display_ instead, which would leave text and picture out.
        view = {"version_major": 2, "version_minor": 0, "model_id": self.widget.model_id}
        data = {"text/plain": repr(self), WIDGET_VIEW: view}
        still = self.still()
        if still is None:
            return data, {}
        png, alt = still
        return data | {"image/png": base64.b64encode(png).decode()}, {"image/png": {"alt": alt}}
