/* A struct that no kernel lets BPF implement. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct bpfgen_made_up_ops {
	int (*run)(int number);
};

SEC("struct_ops/run")
int run(unsigned long long *ctx)
{
	return 0;
}

SEC(".struct_ops")
struct bpfgen_made_up_ops ops = { .run = (void *)run };

char LICENSE[] SEC("license") = "GPL";
