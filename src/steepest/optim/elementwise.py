"""All rules that treat every element alike, in order of rising complexity; on a fleet's flat buffer each is one kernel.

Letters: w parameters, g gradient, η learning rate, t = 1, 2, … the step. A coupled weight decay, where a rule has
one, turns g into g + λw first of all. State starts at zero unless the rule says otherwise. Each family has a file.
"""

from steepest.optim.adam import Adam, Adamax, AdamW, AMSGrad, NAdam, NAdamW, RAdam, RAdamW
from steepest.optim.adaptive import Adadelta, AdaGrad, RMSProp, RMSPropMomentum
from steepest.optim.descent import ASGD, SGD, AveragedMomentum, Momentum, Nesterov
from steepest.optim.moments import AdaBelief, Adan, AdEMAMix, Yogi
from steepest.optim.signs import Lion, Rprop, SignSGD, Signum
from steepest.optim.successors import ADOPT, AdamAtan2, LaProp

__all__ = [
    "ADOPT",
    "ASGD",
    "SGD",
    "AMSGrad",
    "AdEMAMix",
    "AdaBelief",
    "AdaGrad",
    "Adadelta",
    "Adam",
    "AdamAtan2",
    "AdamW",
    "Adamax",
    "Adan",
    "AveragedMomentum",
    "LaProp",
    "Lion",
    "Momentum",
    "NAdam",
    "NAdamW",
    "Nesterov",
    "RAdam",
    "RAdamW",
    "RMSProp",
    "RMSPropMomentum",
    "Rprop",
    "SignSGD",
    "Signum",
    "Yogi",
]
