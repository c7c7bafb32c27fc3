/* Relocations in subprograms, static and global, used by two programs. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define CORE __attribute__((preserve_access_index))

struct task_struct {
	int pid;
	int tgid;
	struct task_struct *real_parent;
	int no_such_field;
} CORE;

long out[4];

static __attribute__((noinline)) int parent(struct task_struct *task)
{
	return BPF_CORE_READ(task, real_parent, tgid) + out[1];
}

__attribute__((noinline)) int whole(int n)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	return parent(task) + n + bpf_core_field_exists(task->no_such_field);
}

SEC("raw_tp/sched_process_exec")
int one(void *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	out[0] = BPF_CORE_READ(task, pid);
	return parent(task);
}

SEC("raw_tp/sched_process_exit")
int two(void *ctx)
{
	out[2] = bpf_core_type_size(struct task_struct);
	return whole(3);
}

char LICENSE[] SEC("license") = "GPL";
