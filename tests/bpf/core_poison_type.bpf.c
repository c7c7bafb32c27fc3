/* A field of a struct that the kernel lacks, read without asking: refused. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define CORE __attribute__((preserve_access_index))

struct no_such_struct {
	int field;
} CORE;

long out;

SEC("raw_tp/sched_process_exec")
int reads(void *ctx)
{
	struct no_such_struct *none = (void *)bpf_get_current_task();

	out = BPF_CORE_READ(none, field);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
