// SPDX-License-Identifier: GPL-2.0
/* Sections of every class of program; what attaches by hand, and what says nothing. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define PROGRAM(name, section)                                                                     \
	SEC(section) int name(void *ctx)                                                           \
	{                                                                                          \
		return 0;                                                                          \
	}

PROGRAM(tracepoint, "tracepoint/syscalls/sys_enter_getpgid")
PROGRAM(any_tracepoint, "tp")
PROGRAM(raw, "raw_tp/sys_enter")
PROGRAM(btf_tracepoint, "tp_btf/sys_enter")
PROGRAM(entry, "fentry/do_nanosleep")
PROGRAM(exit_, "fexit.s/do_nanosleep")
PROGRAM(iterator, "iter/task")
PROGRAM(packets, "xdp")
PROGRAM(fragments, "xdp.frags")
PROGRAM(ingress, "cgroup_skb/ingress")
PROGRAM(connects, "cgroup/connect4")
PROGRAM(probe, "kprobe/do_nanosleep")
PROGRAM(optional, "?tp/syscalls/sys_enter_getpgrp")
PROGRAM(filter, "socket")
PROGRAM(unknown, "no/such/section")

char LICENSE[] SEC("license") = "GPL";
