/* Byte sizes of integers, arrays, pointers, structs. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define CORE __attribute__((preserve_access_index))

struct sched_entity {
	int on_rq;
} CORE;

struct task_struct {
	int pid;
	char comm[4];
	void *stack;
	struct sched_entity se;
	unsigned long long utime[2];
} CORE;

int out[8];

SEC("raw_tp/sched_process_exec")
int sizes(void *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	out[0] = bpf_core_field_size(task->pid);
	out[1] = bpf_core_field_size(task->comm);
	out[2] = bpf_core_field_size(task->stack);
	out[3] = bpf_core_field_size(task->se);
	out[4] = bpf_core_field_size(task->comm[1]);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
