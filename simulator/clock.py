"""Sets the stand-in's clock ahead, for runs in simulated time."""

from datetime import timedelta

import time_machine

from simulator import moments

_travels: list[time_machine.travel] = []


def set_ahead(seconds: float) -> None:
    """From now on this process takes a time so many seconds after the real one for now."""
    while _travels:
        _travels.pop().stop()
    if seconds:
        travel = time_machine.travel(moments.now() + timedelta(seconds=seconds), tick=True)
        travel.start()
        _travels.append(travel)
