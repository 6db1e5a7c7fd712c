"""What the answer is, by theory: quantiles of the response in seconds."""

import math


def stall(length, span, base=0.0):
    """Even arrivals over `span`, and a stall of `length` after which all is answered at once."""
    return lambda q: max(base, length - (1 - q) * span)


def always(seconds):
    """Nobody waits: the response is the work. Even arrivals at one worker of fixed work."""
    return lambda q: seconds


def mm1(work, load):
    """Random arrivals at one worker of exponential work."""
    return lambda q: -math.log(1 - q) * work / (1 - load)


def dm1(work, load):
    """Even arrivals at one worker of exponential work: exponential, too, with the mean
    work / (1 - s), where s = exp(-(1 - s) / load)."""
    s = 0.0
    for _ in range(10_000):
        s = math.exp(-(1 - s) / load)
    return lambda q: -math.log(1 - q) * work / (1 - s)


def md1(work, load):
    """Random arrivals at one worker of fixed work (Erlang 1909)."""
    def share_below(t):
        terms = ((load * (k - t)) ** k / math.factorial(k) * math.exp(-load * (k - t))
                 for k in range(int(t) + 1))
        return (1 - load) * sum(terms)

    def quantile(q):
        low, high = 0.0, 30.0
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (middle, high) if share_below(middle) < q else (low, middle)
        return work * (1 + high)

    return quantile
