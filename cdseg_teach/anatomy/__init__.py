"""What is there: tissue maps and labels of one subject, before any scanner looks at them."""

from cdseg_teach.anatomy.brain import BrainMaps, brain_subjects
from cdseg_teach.anatomy.grid import Grid
from cdseg_teach.anatomy.heart import HEART_GRID, HeartMaps, heart_subjects
from cdseg_teach.anatomy.maps import TissueMaps

__all__ = [
    "HEART_GRID",
    "BrainMaps",
    "Grid",
    "HeartMaps",
    "TissueMaps",
    "brain_subjects",
    "heart_subjects",
]
