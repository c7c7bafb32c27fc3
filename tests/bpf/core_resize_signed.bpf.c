/* A load of a signed field of another size cannot be right: refused. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define CORE __attribute__((preserve_access_index))

struct task_struct {
	long long pid;	/* 4 bytes there */
} CORE;

long out;

SEC("tp_btf/sched_process_exit")
int resize(unsigned long long *ctx)
{
	struct task_struct *task = (void *)ctx[0];

	out = task->pid;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
