"""Ticket systems by the name that a connection stores. To add one, copy the nearest module."""

from ticketing.adapters.base import Factory
from ticketing.adapters.freshservice import Freshservice

registry: dict[str, Factory] = {"freshservice": Freshservice}
