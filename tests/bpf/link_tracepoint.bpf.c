// Classic tracepoints: one that attaches by itself, one that names no target.
#include "link_counts.h"

SEC("tp/syscalls/sys_enter_getpgid")
int on_getpgid(void *ctx)
{
	count_process();
	return 0;
}

SEC("tracepoint")
int no_target(void *ctx)
{
	count_process();
	return 0;
}
