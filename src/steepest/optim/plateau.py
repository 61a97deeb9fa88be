"""The schedule that depends on the validation loss: it lowers the rate when the loss stops falling.

Apart from the others because it has a state. A fleet cannot follow it: the rates of a fleet are computed in advance.
"""

import math
from dataclasses import dataclass, field


@dataclass
class Plateau:
    """times `factor` whenever the validation loss has not fallen for the share `patience` of the horizon

    A loss counts as fallen if it is below 1 − `threshold` times the least so far; the factor never goes below `end`.
    With evaluations at equal distances it is torch's ReduceLROnPlateau.
    """

    factor: float = 0.1
    patience: float = 0.1
    threshold: float = 1e-4
    end: float = 0.0
    now: float = field(default=1.0, init=False)
    """The factor of the rate at the moment."""
    _least: float = field(default=math.inf, init=False)
    _since: int = field(default=0, init=False)

    def __call__(self, t: int, horizon: int) -> float:
        return self.now

    def hear(self, t: int, horizon: int, loss: float) -> None:
        """The validation loss after step t; a NaN counts as not fallen."""
        if loss < self._least * (1 - self.threshold):
            self._least, self._since = loss, t
        elif t - self._since > self.patience * horizon + 1e-9:
            self.now, self._since = max(self.now * self.factor, self.end), t
