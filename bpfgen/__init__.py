"""Turns compiled BPF objects into typed Python modules."""
