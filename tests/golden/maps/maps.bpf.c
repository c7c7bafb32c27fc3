// SPDX-License-Identifier: GPL-2.0
/* A map of each class, and definitions that say less than usual. */
#include <linux/bpf.h>
#include <linux/types.h>
#include <bpf/bpf_helpers.h>

struct key {
	__u32 pid;
	__u32 cpu;
};

struct value {
	__u64 calls;
};

#define KEYED(map_type, key_type, value_type)                                                      \
	struct {                                                                                   \
		__uint(type, map_type);                                                            \
		__uint(max_entries, 64);                                                           \
		__type(key, key_type);                                                             \
		__type(value, value_type);                                                         \
	}

KEYED(BPF_MAP_TYPE_HASH, struct key, struct value) hash SEC(".maps");
KEYED(BPF_MAP_TYPE_LRU_HASH, __u32, struct value) lru SEC(".maps");
KEYED(BPF_MAP_TYPE_PERCPU_HASH, struct key, __u64) percpu_hash SEC(".maps");
KEYED(BPF_MAP_TYPE_LRU_PERCPU_HASH, __u64, struct value) lru_percpu SEC(".maps");
KEYED(BPF_MAP_TYPE_ARRAY, __u32, struct value) array SEC(".maps");
KEYED(BPF_MAP_TYPE_PERCPU_ARRAY, int, __u64) percpu_array SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8);
	__uint(key_size, 6);
	__uint(value_size, 12);
} sizes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 8);
	__type(value, struct value);
} queue SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 2);
	__uint(key_size, 4);
	__uint(value_size, 4);
} tails SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} untyped SEC(".maps");

SEC("tp/syscalls/sys_enter_getpgid")
int on_getpgid(void *ctx)
{
	struct key key = {.pid = bpf_get_current_pid_tgid() >> 32};
	struct value *value = bpf_map_lookup_elem(&hash, &key), first = {1};

	if (value)
		__sync_fetch_and_add(&value->calls, 1);
	else
		bpf_map_update_elem(&hash, &key, &first, BPF_ANY);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
