/* Iterators over several kinds of things, and a tracepoint by its BTF. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

int calls;

SEC("iter/bpf_map")
int each_map(void *ctx)
{
	calls++;
	return 0;
}

SEC("iter/task_file")
int each_file(void *ctx)
{
	calls++;
	return 0;
}

SEC("iter/netlink")
int each_netlink_socket(void *ctx)
{
	calls++;
	return 0;
}

SEC("tp_btf/sched_switch")
int on_switch(unsigned long long *ctx)
{
	calls++;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
