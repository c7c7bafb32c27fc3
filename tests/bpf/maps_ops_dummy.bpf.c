/* The kernel's struct for tests, bpf_dummy_ops: programs of it can be test-run. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct bpf_dummy_ops_state {
	int val;
};

struct bpf_dummy_ops {
	int (*test_1)(struct bpf_dummy_ops_state *cb);
	int (*test_2)(struct bpf_dummy_ops_state *cb, int a1, unsigned short a2, char a3,
		      unsigned long a4);
};

SEC("struct_ops/test_1")
int answer(unsigned long long *ctx)
{
	return 0xf2f3f4f5;
}

SEC("?struct_ops/test_2")
int unused(unsigned long long *ctx)
{
	return 0;
}

SEC(".struct_ops")
struct bpf_dummy_ops dummy = {
	.test_1 = (void *)answer,
};

char LICENSE[] SEC("license") = "GPL";
