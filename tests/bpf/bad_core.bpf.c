/* A field that the kernel's task_struct does not have. */
#include "bad.h"
#include <bpf/bpf_core_read.h>

struct task_struct {
	int bpfgen_no_such_field;
} __attribute__((preserve_access_index));

SEC("raw_tp/sys_enter")
int bad(void *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	return BPF_CORE_READ(task, bpfgen_no_such_field); /* here */
}
