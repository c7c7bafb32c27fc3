// SPDX-License-Identifier: GPL-2.0
/* Notes each process's parent and how it fared, read out of the kernel's task_struct.
 *
 * The structs below have only what is read here. preserve_access_index makes clang record each
 * access (CO-RE), and load puts in the offsets that this kernel's BTF has: one object runs on
 * kernels whose task_struct differs.
 */
#include <stdbool.h>
#include <linux/bpf.h>
#include <linux/types.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define CORE __attribute__((preserve_access_index))
#define COMM_LEN 16

struct task_struct {
	int pid;
	int tgid;
	int exit_code;
	unsigned int sched_reset_on_fork : 1;
	struct task_struct *real_parent;
	char comm[COMM_LEN];
} CORE;

struct bpf_iter__task {
	__bpf_md_ptr(void *, meta);
	__bpf_md_ptr(struct task_struct *, task);
} CORE;

struct process {
	__s32 parent;	     /* process id; 0 is the parent of the first process */
	__s32 exit_code;     /* as wait(2) reports it; 0 while the process runs */
	char comm[COMM_LEN];
	bool resets_on_fork; /* its children start with the normal scheduling policy */
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, __s32);
	__type(value, struct process);
} processes SEC(".maps");

SEC("iter/task")
int walk(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct process process = {};
	__s32 pid;

	if (!task || task->pid != task->tgid) /* the end, or one more thread of a process */
		return 0;
	pid = task->tgid;
	process.parent = task->real_parent->tgid;
	process.exit_code = task->exit_code;
	process.resets_on_fork = BPF_CORE_READ_BITFIELD(task, sched_reset_on_fork);
	bpf_core_read_str(process.comm, sizeof(process.comm), &task->comm);
	bpf_map_update_elem(&processes, &pid, &process, BPF_ANY);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
