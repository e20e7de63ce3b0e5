"""What others offer: environments in virtual environments of their own, asked in turn."""

from benchmarks.speed.peers.venvs import PEERS, Peer, open_peers

__all__ = ["PEERS", "Peer", "open_peers"]
