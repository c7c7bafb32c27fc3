"""The only place that makes system calls.

`fd`: owned descriptors; `bpf`: bpf(2), one function per command; `perf`: perf_event_open(2);
    `epoll`.
"""
