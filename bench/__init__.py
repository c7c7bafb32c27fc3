"""What bpfgen costs, measured against peers: `python -m bench.run`, or `make bench`."""
