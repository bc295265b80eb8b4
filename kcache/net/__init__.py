"""Talking to nodes over the network: connections, pools, and batches to many nodes at once."""
