"""The lecture's methods, one readable file each."""

from cdseg_teach.methods.adversarial import Adversarial
from cdseg_teach.methods.learner import Learner, estimate, steps
from cdseg_teach.methods.output_adversarial import OutputAdversarial
from cdseg_teach.methods.supervised import Supervised

__all__ = ["Adversarial", "Learner", "OutputAdversarial", "Supervised", "estimate", "steps"]
