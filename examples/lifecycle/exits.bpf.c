// SPDX-License-Identifier: GPL-2.0
/* Counts the programs that end, by name, where starts.bpf.c counts those that are started. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "lifecycle.h"

extern struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, struct name);
	__type(value, struct counts);
} by_name SEC(".maps");

extern __u64 events;

extern int count(enum event event);

static __u64 calls;

SEC("tp/sched/sched_process_exit")
int on_exit(void *ctx)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct counts *known;
	struct name name = {};

	__sync_fetch_and_add(&calls, 1);
	if (id >> 32 != (__u32)id)
		return 0; /* a thread, not the process */
	/* A process that was forked and ran no program of its own never started one. */
	bpf_get_current_comm(name.text, sizeof(name.text));
	known = bpf_map_lookup_elem(&by_name, &name);
	if (!known || known->started <= known->ended)
		return 0;
	return events ? count(EVENT_ENDED) : 0;
}

char LICENSE[] SEC("license") = "GPL";
