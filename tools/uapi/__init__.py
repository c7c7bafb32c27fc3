"""The parts of `tools/gen_uapi.py`."""
