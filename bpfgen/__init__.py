"""Turns compiled BPF objects into typed Python modules."""

from importlib.metadata import version as _version

__all__ = ["__version__"]

__version__ = _version("bpfgen")
