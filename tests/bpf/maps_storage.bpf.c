/* Local storage of sockets, files, tasks and cgroups; iterators count in it. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct note {
	__u64 count;
	__u32 kind;
	__u32 pad;
};

#define STORAGE(map_type)                                                                          \
	struct {                                                                                   \
		__uint(type, map_type);                                                            \
		__uint(map_flags, BPF_F_NO_PREALLOC);                                              \
		__type(key, int);                                                                  \
		__type(value, struct note);                                                        \
	}

STORAGE(BPF_MAP_TYPE_SK_STORAGE) of_sockets SEC(".maps");
STORAGE(BPF_MAP_TYPE_INODE_STORAGE) of_inodes SEC(".maps");
STORAGE(BPF_MAP_TYPE_TASK_STORAGE) of_tasks SEC(".maps");
/* Numbers: the headers of this machine may be older than these. */
STORAGE(32 /* BPF_MAP_TYPE_CGRP_STORAGE */) of_cgroups SEC(".maps");

struct task_struct;

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
} __attribute__((preserve_access_index));

struct bpf_iter__bpf_sk_storage_map {
	struct bpf_iter_meta *meta;
	struct bpf_map *map;
	void *sk;
	void *value;
} __attribute__((preserve_access_index));

SEC("iter/task")
int visit_tasks(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct note *note;

	if (!task)
		return 0;
	note = bpf_task_storage_get(&of_tasks, task, 0, 0);
	if (note)
		note->count += 1;
	return 0;
}

SEC("iter/bpf_sk_storage_map")
int visit_sockets(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	struct note *note = ctx->value;

	if (note)
		note->count += 1;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
