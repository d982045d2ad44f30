"""The theorem behind the certificate, as a referee of its formulas."""

import math


def true_gain_bounds(proxy_gain, chi2, correlation):
    """Sharp bounds of the standardised true gain: (low, high).

    From Cauchy-Schwarz, with p the standardised gain of the proxy (p² ≤ χ²) and r its correlation
    with the true reward: r·p ∓ √((1 − r²)(χ² − p²)).
    """
    middle = correlation * proxy_gain
    half = math.sqrt((1 - correlation**2) * max(0.0, chi2 - proxy_gain**2))
    return middle - half, middle + half
