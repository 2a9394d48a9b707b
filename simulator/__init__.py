"""A stand-in for Microsoft and Freshservice over TLS, for demo, tests and benchmarks.

It knows no project code. `python -m simulator --help`; README.md explains the control API.
"""

from simulator.control import Control
from simulator.process import Simulator

__all__ = ["Control", "Simulator"]
