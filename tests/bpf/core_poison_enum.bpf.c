/* An enumerator that the kernel lacks, used without asking: refused. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define CORE __attribute__((preserve_access_index))

enum pid_type {
	PIDTYPE_PID,
	PIDTYPE_NONE = 7,
};

long out;

SEC("raw_tp/sched_process_exec")
int reads(void *ctx)
{
	out = bpf_core_enum_value(enum pid_type, PIDTYPE_NONE);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
