/* Direct loads of trusted pointers: the offset is in the load itself. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define CORE __attribute__((preserve_access_index))

struct mm_struct {
	unsigned long start_stack;
} CORE;

struct task_struct {
	int pid;
	int tgid;
	struct task_struct *real_parent;
	struct task_struct *group_leader;
	char comm[16];
} CORE;

long out[8];

SEC("tp_btf/sched_process_exit")
int direct(unsigned long long *ctx)
{
	struct task_struct *task = (void *)ctx[0];

	out[0] = task->pid;
	out[1] = task->real_parent->tgid;
	out[2] = task->group_leader->pid;
	out[3] = task->comm[5];
	out[4] = task->group_leader->group_leader->tgid;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
