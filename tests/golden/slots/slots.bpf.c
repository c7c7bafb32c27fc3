// SPDX-License-Identifier: GPL-2.0
/* Maps that hold kernel objects or are keyed by them, and a user ring buffer. */
#include <linux/bpf.h>
#include <linux/types.h>
#include <bpf/bpf_helpers.h>

struct flow {
	__u32 addr;
	__u16 port;
	__u16 pad;
};

struct stat {
	__u64 packets;
	__u64 bytes;
};

struct command {
	__u32 kind;
	__u32 argument;
};

#define MAP(map_type, key_type, value_type)                                                        \
	struct {                                                                                   \
		__uint(type, map_type);                                                            \
		__uint(max_entries, 8);                                                            \
		__type(key, key_type);                                                             \
		__type(value, value_type);                                                         \
	}

#define STORAGE(map_type, key_type)                                                                \
	struct {                                                                                   \
		__uint(type, map_type);                                                            \
		__uint(map_flags, BPF_F_NO_PREALLOC);                                              \
		__type(key, key_type);                                                             \
		__type(value, struct stat);                                                        \
	}

struct flow_stats {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, struct flow);
	__type(value, struct stat);
};

struct flow_stats defaults SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 4);
	__type(key, __u32);
	__array(values, struct flow_stats);
} by_zone SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH_OF_MAPS);
	__uint(max_entries, 4);
	__type(key, struct flow);
	__array(values, struct {
		__uint(type, BPF_MAP_TYPE_ARRAY);
		__uint(max_entries, 1);
		__type(key, __u32);
		__type(value, __u64);
	});
} by_flow SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 4);
	__uint(key_size, 4);
	__uint(value_size, 4);
} undefined SEC(".maps");

MAP(BPF_MAP_TYPE_PROG_ARRAY, __u32, __u32) tails SEC(".maps");
MAP(BPF_MAP_TYPE_CGROUP_ARRAY, __u32, __u32) groups SEC(".maps");
MAP(BPF_MAP_TYPE_DEVMAP, __u32, __u32) devices SEC(".maps");
MAP(BPF_MAP_TYPE_DEVMAP_HASH, __u32, struct bpf_devmap_val) devices_progs SEC(".maps");
MAP(BPF_MAP_TYPE_CPUMAP, __u32, __u32) cpus SEC(".maps");
MAP(BPF_MAP_TYPE_CPUMAP, __u32, struct bpf_cpumap_val) cpus_progs SEC(".maps");
MAP(BPF_MAP_TYPE_SOCKMAP, __u32, __u32) socks SEC(".maps");
MAP(BPF_MAP_TYPE_SOCKMAP, __u32, __u64) socks_read SEC(".maps");
MAP(BPF_MAP_TYPE_SOCKHASH, struct flow, __u32) by_key SEC(".maps");
MAP(BPF_MAP_TYPE_SOCKHASH, struct flow, __u64) by_key_read SEC(".maps");
MAP(BPF_MAP_TYPE_XSKMAP, __u32, __u32) xsks SEC(".maps");
MAP(BPF_MAP_TYPE_REUSEPORT_SOCKARRAY, __u32, __u32) ports SEC(".maps");
MAP(BPF_MAP_TYPE_REUSEPORT_SOCKARRAY, __u32, __u64) ports_read SEC(".maps");

STORAGE(BPF_MAP_TYPE_SK_STORAGE, int) of_socks SEC(".maps");
STORAGE(BPF_MAP_TYPE_INODE_STORAGE, int) of_inodes SEC(".maps");
STORAGE(BPF_MAP_TYPE_TASK_STORAGE, int) of_tasks SEC(".maps");
/* BPF_MAP_TYPE_CGRP_STORAGE, which older headers lack. */
STORAGE(32, int) of_cgroups SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_CGROUP_STORAGE);
	__type(key, struct bpf_cgroup_storage_key);
	__type(value, struct stat);
} attached SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE);
	__type(key, __u64);
	__type(value, struct stat);
} attached_percpu SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_USER_RINGBUF);
	__uint(max_entries, 4096);
} commands SEC(".maps") __attribute__((btf_decl_tag("bpfgen:event=command")));

struct command *unused_command;

SEC("xdp")
int redirect(struct xdp_md *ctx)
{
	return bpf_redirect_map(&devices, 0, XDP_PASS);
}

char LICENSE[] SEC("license") = "GPL";
