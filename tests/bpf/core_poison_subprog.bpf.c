/* The field that the kernel lacks is read by a subprogram. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define CORE __attribute__((preserve_access_index))

struct task_struct {
	int pid;
	int no_such_field;
} CORE;

long out;

static __attribute__((noinline)) int reader(struct task_struct *task)
{
	out += BPF_CORE_READ(task, no_such_field);
	return out;
}

SEC("raw_tp/sched_process_exec")
int reads(void *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	out = BPF_CORE_READ(task, pid);
	return reader(task);
}

char LICENSE[] SEC("license") = "GPL";
