/* Bitfields by direct loads of a trusted pointer. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define CORE __attribute__((preserve_access_index))

struct task_struct {
	unsigned int in_iowait : 1;
	unsigned int in_execve : 1;
	unsigned int sched_contributes_to_load : 1;
} CORE;

unsigned long long out[8];

SEC("tp_btf/sched_process_exit")
int bits(unsigned long long *ctx)
{
	struct task_struct *task = (void *)ctx[0];

	out[0] = BPF_CORE_READ_BITFIELD(task, in_iowait);
	out[1] = BPF_CORE_READ_BITFIELD(task, in_execve);
	out[2] = BPF_CORE_READ_BITFIELD(task, sched_contributes_to_load);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
