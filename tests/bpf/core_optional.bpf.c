/* A program that is not loaded may need what the kernel lacks. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define CORE __attribute__((preserve_access_index))

struct task_struct {
	int pid;
	int no_such_field;
} CORE;

long out;

SEC("?raw_tp/sched_process_exec")
int left_out(void *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	out = BPF_CORE_READ(task, no_such_field);
	return 0;
}

SEC("raw_tp/sched_process_exec")
int loaded(void *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	out = BPF_CORE_READ(task, pid);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
