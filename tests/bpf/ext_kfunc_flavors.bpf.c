// Two signatures of one kernel function: the one that fits is found by its essential name.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct task_struct {
	int pid;
} __attribute__((preserve_access_index));

extern struct task_struct *bpf_task_from_pid___new(int pid, int flags) __ksym __weak;
extern struct task_struct *bpf_task_from_pid___old(int pid) __ksym __weak;
extern void bpf_task_release(struct task_struct *p) __ksym;

int pid;

SEC("syscall")
int call_flavors(void *ctx)
{
	struct task_struct *task = 0;
	int which = 0;

	if (bpf_task_from_pid___new) {
		task = bpf_task_from_pid___new(pid, 0);
		which = 1;
	} else if (bpf_task_from_pid___old) {
		task = bpf_task_from_pid___old(pid);
		which = 2;
	}
	if (!task)
		return 0;
	bpf_task_release(task);
	return which;
}

char LICENSE[] SEC("license") = "GPL";
