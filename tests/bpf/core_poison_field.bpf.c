/* A field that the kernel lacks, read without asking: refused. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define CORE __attribute__((preserve_access_index))

struct signal_struct {
	int no_such_field;
} CORE;

struct task_struct {
	struct signal_struct *signal;
} CORE;

long out;

SEC("raw_tp/sched_process_exec")
int reads(void *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	out = BPF_CORE_READ(task, signal, no_such_field);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
