/* Loads that become wider or narrower: unsigned integers. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define CORE __attribute__((preserve_access_index))

struct task_struct {
	unsigned long long flags;	/* 4 bytes there */
	unsigned char rt_priority;	/* 4 bytes there */
	unsigned short policy;		/* 4 bytes there */
	unsigned int start_time;	/* 8 bytes there */
} CORE;

long out[8];

SEC("tp_btf/sched_process_exit")
int resize(unsigned long long *ctx)
{
	struct task_struct *task = (void *)ctx[0];

	out[0] = task->flags;
	out[1] = task->rt_priority;
	out[2] = task->policy;
	out[3] = task->start_time;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
