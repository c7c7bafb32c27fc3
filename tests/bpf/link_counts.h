// Counters that the link tests read: a slot counts only once user space has made it.
#ifndef LINK_COUNTS_H
#define LINK_COUNTS_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, __u64);
} counts SEC(".maps");

static __always_inline void count(__u32 slot)
{
	__u64 *value = bpf_map_lookup_elem(&counts, &slot);

	if (value)
		__sync_fetch_and_add(value, 1);
}

// The process is the slot: programs that fire for every process count only the test's.
static __always_inline void count_process(void)
{
	count(bpf_get_current_pid_tgid() >> 32);
}

char _license[] SEC("license") = "GPL";

#endif
