/* Entry and exit of kernel functions, one that may sleep, and a changed return value. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("fentry/bpf_fentry_test1")
int on_entry(unsigned long long *ctx)
{
	return 0;
}

SEC("fexit/bpf_fentry_test2")
int on_exit(unsigned long long *ctx)
{
	return ctx[2] == 0 ? 0 : 0;
}

SEC("fmod_ret/bpf_modify_return_test")
int instead(unsigned long long *ctx)
{
	return 7;
}

SEC("fentry.s/bpf_fentry_test1")
int may_sleep(unsigned long long *ctx)
{
	char byte = 0;

	bpf_copy_from_user(&byte, sizeof(byte), (void *)8);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
