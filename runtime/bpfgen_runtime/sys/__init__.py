"""The only place that makes system calls.

`fd` has owned descriptors, `bpf` bpf(2), one function per command (`bpf_more` those that start-up
does without), `elem` single map elements at speed, `perf` perf_event_open(2); `call` is the system
call itself and `explain` says why one failed.
"""
