"""What is there: the tissue maps and lesions of one subject, before any scanner looks at them."""

from cdseg_teach.anatomy.brain import BrainMaps, brain_subjects
from cdseg_teach.anatomy.grid import Grid

__all__ = ["BrainMaps", "Grid", "brain_subjects"]
