"""The only place that makes system calls.

`fd` has owned descriptors; `bpf` is bpf(2), one function per command (`bpf_info` and `bpf_more`
have those that start-up does without); `elem` has single map elements at speed, `perf`
perf_event_open(2); `call` is the system call itself, and `explain` says why one failed.
"""
