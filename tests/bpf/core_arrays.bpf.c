/* Arrays: elements, elements beyond the end, flexible arrays, arrays of structs. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define CORE __attribute__((preserve_access_index))

struct hlist_node {
	struct hlist_node *next;
} CORE;

struct task_struct {
	char comm[64];
	struct hlist_node pid_links[9];
} CORE;

struct upid {
	int nr;
} CORE;

struct pid {
	unsigned int level;
	struct upid numbers[];
} CORE;

struct percpu_counter {
	int counters[1];	/* a pointer there */
} CORE;

long out[16];

SEC("raw_tp/sched_process_exec")
int elements(void *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct pid *pid = (void *)task;
	struct percpu_counter *counter = (void *)task;

	out[0] = bpf_core_field_exists(task->comm[3]);
	out[1] = bpf_core_field_exists(task->comm[40]);
	out[2] = (long)BPF_CORE_READ(task, pid_links[2].next);
	out[3] = BPF_CORE_READ(pid, numbers[0].nr);
	out[4] = BPF_CORE_READ(pid, numbers[3].nr);
	out[5] = bpf_core_field_exists(counter->counters[0]);
	out[6] = bpf_core_field_offset(task->comm[7]);
	out[7] = bpf_core_field_exists(task[2].comm);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
