"""Who is in the study: subjects, splits, and how they are kept on disk."""

from cdseg_teach.cohorts.brain import brain_study
from cdseg_teach.cohorts.heart import heart_study
from cdseg_teach.cohorts.study import Cohort, Split, Study, Subject

__all__ = ["Cohort", "Split", "Study", "Subject", "brain_study", "heart_study"]
