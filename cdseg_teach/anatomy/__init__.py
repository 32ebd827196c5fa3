"""What is there: the tissue maps and lesions of one subject, before any scanner looks at them."""

from .brain import BrainMaps, brain_subjects
from .grid import Grid

__all__ = ["BrainMaps", "Grid", "brain_subjects"]
