/* Signedness, also where the object has it the other way round. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define CORE __attribute__((preserve_access_index))

struct task_struct {
	int pid;
	unsigned int flags;
	unsigned int prio;
} CORE;

int out[8];

SEC("raw_tp/sched_process_exec")
int signs(void *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	out[0] = __builtin_preserve_field_info(task->pid, BPF_FIELD_SIGNED);
	out[1] = __builtin_preserve_field_info(task->flags, BPF_FIELD_SIGNED);
	out[2] = __builtin_preserve_field_info(task->prio, BPF_FIELD_SIGNED);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
