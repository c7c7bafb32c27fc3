/* An iterator that may sleep: without the flag the verifier refuses bpf_copy_from_user(). */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("iter.s/task")
int each_task(void *ctx)
{
	char byte = 0;

	bpf_copy_from_user(&byte, sizeof(byte), (void *)8);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
