"""Pictures that move: labs of ipywidgets and plotly, driven by the browser's clock."""
