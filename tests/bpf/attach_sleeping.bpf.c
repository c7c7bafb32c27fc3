/* Entry of a kernel function, by a program that may sleep. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("fentry.s/bpf_fentry_test1")
int may_sleep(unsigned long long *ctx)
{
	char byte = 0;

	bpf_copy_from_user(&byte, sizeof(byte), (void *)8);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
