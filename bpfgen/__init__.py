"""Turns compiled BPF objects into typed Python modules."""

__all__ = ["__version__"]

#: The build takes it from here; asking the installed metadata at each start costs 30 ms.
__version__ = "0.1.0"
