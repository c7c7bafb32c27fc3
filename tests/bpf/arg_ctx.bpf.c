/* A global function that says by a tag that its argument is the context: kernels know it since 6.8. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define __ctx __attribute__((btf_decl_tag("arg:ctx")))

int seen;

__noinline int by_void(void *ctx __ctx)
{
	return bpf_get_stack(ctx, &seen, sizeof(seen), 0) > 0;
}

__noinline int by_number(int number, void *ctx __ctx)
{
	return number + by_void(ctx);
}

SEC("raw_tp/sys_enter")
int on_call(struct bpf_raw_tracepoint_args *ctx)
{
	return by_void(ctx) + by_number(1, ctx);
}

SEC("perf_event")
int on_sample(void *ctx)
{
	return by_number(2, ctx);
}

char LICENSE[] SEC("license") = "GPL";
