"""The calibration that a stream runs under, and the number of the switch to it. Pure."""

from __future__ import annotations

from typing import NamedTuple

from streams.learner.calibration import Calibration


class Running(NamedTuple):
    """One calibration in use.

    Attributes:
        calibration: the parameters.
        activation: number of the switch to it, 1, 2, …; 0 for the prior, which nobody switched to. Rows carry it, and
            of equal keys the row of the last switch stays, whoever writes an older one afterwards.
        switching: not all states are folded under it yet. What is read back may lack what was folded under the one
            before, so it is folded again instead of extended.
    """

    calibration: Calibration
    activation: int = 0
    switching: bool = False
