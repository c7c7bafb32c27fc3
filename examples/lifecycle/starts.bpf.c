// SPDX-License-Identifier: GPL-2.0
/* Counts the programs that are started, by name. What exits.bpf.c uses too is defined here. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "lifecycle.h"

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, struct name);
	__type(value, struct counts);
} by_name SEC(".maps");

__u64 events;

/* Both sources have a static variable of this name; each its own. */
static __u64 calls;

int count(enum event event)
{
	struct counts *known, none = {};
	struct name name = {};

	__sync_fetch_and_add(&events, 1);
	bpf_get_current_comm(name.text, sizeof(name.text));
	bpf_map_update_elem(&by_name, &name, &none, BPF_NOEXIST);
	known = bpf_map_lookup_elem(&by_name, &name);
	if (!known)
		return -1;
	if (event == EVENT_STARTED)
		__sync_fetch_and_add(&known->started, 1);
	else
		__sync_fetch_and_add(&known->ended, 1);
	return 0;
}

SEC("tp/sched/sched_process_exec")
int on_start(void *ctx)
{
	__sync_fetch_and_add(&calls, 1);
	return count(EVENT_STARTED);
}

char LICENSE[] SEC("license") = "GPL";
