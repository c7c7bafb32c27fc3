/* Flavors of one kernel struct, tried one after the other. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define CORE __attribute__((preserve_access_index))

struct task_struct___old {
	long state;
} CORE;

struct task_struct___new {
	unsigned int __state;
} CORE;

struct task_struct___2___deep {
	int pid;
} CORE;

struct task_struct____four {
	int pid;
} CORE;

long out[8];

SEC("raw_tp/sched_process_exec")
int state(void *ctx)
{
	void *task = (void *)bpf_get_current_task();
	struct task_struct___old *old = task;
	struct task_struct___new *new = task;
	struct task_struct___2___deep *deep = task;
	struct task_struct____four *four = task;

	if (bpf_core_field_exists(new->__state))
		out[0] = BPF_CORE_READ(new, __state);
	else
		out[0] = BPF_CORE_READ(old, state);
	out[1] = bpf_core_field_exists(deep->pid);	/* of task_struct___2: there is none */
	out[2] = bpf_core_field_exists(four->pid);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
