// SPDX-License-Identifier: GPL-2.0
/* A hash map to be read whole. */
#include <linux/bpf.h>
#include <linux/types.h>
#include <bpf/bpf_helpers.h>

struct stat {
	__u64 calls;
	__u64 bytes;
	__u64 latency;
	__u32 pid;
	__u32 kind;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 100000);
	__type(key, __u32);
	__type(value, struct stat);
} stats SEC(".maps");

char LICENSE[] SEC("license") = "GPL";
