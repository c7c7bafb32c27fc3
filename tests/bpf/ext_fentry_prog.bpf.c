// Traces a program of ext_target; which one is said before load.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

int calls, result;

SEC("fexit")
int after_target(unsigned long long *args)
{
	calls++;
	result = (int)args[1];
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
