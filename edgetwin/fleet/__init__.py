"""Many boards, a network and a server on one simpy clock."""

from edgetwin.fleet.core import Fleet
from edgetwin.fleet.members import STATUSES, Client, Round, Task
from edgetwin.fleet.network import Link, Network

__all__ = ["STATUSES", "Client", "Fleet", "Link", "Network", "Round", "Task"]
