/* Whether fields exist: yes, no by name, no by type, no such struct. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define CORE __attribute__((preserve_access_index))

struct mm_struct {
	int unused;
} CORE;

struct task_struct {
	int pid;
	int no_such_field;
	int *comm;		/* is an array */
	struct mm_struct *mm;
} CORE;

struct no_such_struct {
	int field;
} CORE;

int out[8];

SEC("raw_tp/sched_process_exec")
int exists(void *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct no_such_struct *none = (void *)task;

	out[0] = bpf_core_field_exists(task->pid);
	out[1] = bpf_core_field_exists(task->no_such_field);
	out[2] = bpf_core_field_exists(task->comm);
	out[3] = bpf_core_field_exists(task->mm);
	out[4] = bpf_core_field_exists(none->field);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
