// Raw tracepoints, BTF tracepoints and function entry, all at getpgid(2).
#include "link_counts.h"

// getpgid's number: set before load where it is another one than x86-64's.
const volatile long wanted = 121;

SEC("raw_tp/sys_enter")
int on_raw(struct bpf_raw_tracepoint_args *ctx)
{
	if (ctx->args[1] == wanted)
		count_process();
	return 0;
}

SEC("raw_tp")
int no_target(struct bpf_raw_tracepoint_args *ctx)
{
	return 0;
}

SEC("tp_btf/sys_enter")
int on_btf(unsigned long long *ctx)
{
	if (ctx[1] == wanted)
		count_process();
	return 0;
}
