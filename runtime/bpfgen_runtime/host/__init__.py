"""This machine: CPUs, mounts, capabilities."""
