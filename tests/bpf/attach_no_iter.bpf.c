/* Attaches to what no kernel has. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("iter/bpfgen_no_such_thing")
int refused(unsigned long long *ctx)
{
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
