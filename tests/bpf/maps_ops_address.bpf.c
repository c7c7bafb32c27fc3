/* A member that is a pointer, but no function, and not zero: nothing that a map can hold. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct module;
struct sock;

struct tcp_congestion_ops {
	__u32 (*ssthresh)(struct sock *sk);
	char name[16];
	struct module *owner;
};

SEC("struct_ops/ssthresh")
__u32 ops_ssthresh(unsigned long long *ctx)
{
	return 2;
}

SEC(".struct_ops")
struct tcp_congestion_ops control = {
	.ssthresh = (void *)ops_ssthresh,
	.name = "bpfgen_address",
	.owner = (void *)0x1000,
};

char LICENSE[] SEC("license") = "GPL";
