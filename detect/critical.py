"""Critical values of the tests on residuals: what the statistics may reach by chance."""

import math
from collections.abc import Callable

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr

from configs.errors import InputError

__all__ = ["MOSUM_WINDOWS", "cusum_critical", "mosum_critical", "recursive_critical"]

MOSUM_ALPHAS = (0.05, 0.02, 0.01, 0.005, 0.001)

MOSUM_WINDOWS = {
    0.25: (1.34182, 1.44824, 1.52164, 1.59797, 1.74551),
    0.5: (1.90200, 2.08287, 2.20907, 2.32552, 2.57026),
    1.0: (2.74593, 3.04929, 3.27693, 3.47423, 3.94103),
}
"""Per window: critical values at `MOSUM_ALPHAS` for a monitoring period up to ten histories."""


def recursive_critical(alpha: float) -> float:
    """Return the critical value of the CUSUM of recursive residuals.

    Its boundary is critical · (1 + 2 t), t from 0 to 1; 0.948 at 5 %, 1.143 at 1 %.

    References
    ----------
    .. [1] Brown, Durbin, Evans (1975). Techniques for testing the constancy of regression
       relationships over time. doi:10.1111/j.2517-6161.1975.tb01532.x
    """

    def chance(c: float) -> float:
        return float(
            2 * ndtr(-3 * c)
            + 2 * math.exp(-4 * c * c) * (ndtr(c) + ndtr(5 * c) - 1)
            - 2 * math.exp(-16 * c * c) * ndtr(-c)
        )

    return _root(chance, alpha)


def cusum_critical(alpha: float) -> float:
    """Return the critical value a of the CUSUM of forecast residuals.

    Its boundary is √(t (t − 1) (a² + ln(t / (t − 1)))), t the observations per observation of the
    history; a² is 7.78 at 5 %, 6.25 at 10 %.

    References
    ----------
    .. [1] Chu, Stinchcombe, White (1996). Monitoring structural change. doi:10.2307/2171955
    """

    def chance(a: float) -> float:
        return float(2 * (ndtr(-a) + a * math.exp(-a * a / 2) / math.sqrt(2 * math.pi)))

    return _root(chance, alpha)


def mosum_critical(alpha: float, window: float) -> float:
    """Return the critical value of the MOSUM of forecast residuals.

    Its boundary is critical · √(2 log₊ t), log₊ t = max(1, ln t).

    References
    ----------
    .. [1] Zeileis, Leisch, Kleiber, Hornik (2005). Monitoring structural change in dynamic
       econometric models. doi:10.1002/jae.776; their simulated values, as tabulated in the R
       package strucchange.
    """
    if window not in MOSUM_WINDOWS or not MOSUM_ALPHAS[-1] <= alpha <= MOSUM_ALPHAS[0]:
        raise InputError(
            f"there is no critical value for the window {window} and alpha {alpha}",
            "window, alpha",
            f"choose a window of {tuple(MOSUM_WINDOWS)} and alpha from 0.001 to 0.05",
        )
    rising = np.log(MOSUM_ALPHAS[::-1])
    return float(np.interp(math.log(alpha), rising, MOSUM_WINDOWS[window][::-1]))


def _root(chance: Callable[[float], float], alpha: float) -> float:
    """Return where the chance of a crossing is alpha."""
    return float(brentq(lambda c: chance(c) - alpha, 0.3, 20.0, xtol=1e-12))
