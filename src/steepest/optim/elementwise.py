"""All rules that treat every element alike, in order of rising complexity; on a fleet's flat buffer each is one kernel.

Letters: w parameters, g gradient, η learning rate, t = 1, 2, … the step. A coupled weight decay, where a rule has
one, turns g into g + λw first of all. State starts at zero unless the rule says otherwise. Each family has a file.
"""

from __future__ import annotations

from steepest.optim.adam import Adam, AdamW
from steepest.optim.adaptive import AdaGrad, RMSProp, RMSPropMomentum
from steepest.optim.descent import SGD, AveragedMomentum, Momentum, Nesterov

__all__ = ["SGD", "AdaGrad", "Adam", "AdamW", "AveragedMomentum", "Momentum", "Nesterov", "RMSProp", "RMSPropMomentum"]
