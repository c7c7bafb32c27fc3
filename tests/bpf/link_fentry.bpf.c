// Entry and exit of a kernel function that getpgid(2) calls with BPF looking on.
#include "link_counts.h"

SEC("fentry/security_task_getpgid")
int on_entry(void *ctx)
{
	count_process();
	return 0;
}

SEC("fexit/security_task_getpgid")
int on_exit(void *ctx)
{
	count_process();
	return 0;
}
