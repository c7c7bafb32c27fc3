"""Run tests on other kernels: Debian's, in virtual machines over this machine's file system.

`debian` finds and fetches packages, `store` keeps unpacked kernels, `machine` boots one and runs
pytest in it, `report` reads what came out. The command is tools/test_kernels.py.
"""
