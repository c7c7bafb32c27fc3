/* Security hooks: one that may sleep, one that may not. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("lsm/task_getpgid")
int on_getpgid(unsigned long long *ctx)
{
	return 0;
}

SEC("lsm.s/bprm_committed_creds")
int on_exec(unsigned long long *ctx)
{
	char byte = 0;

	bpf_copy_from_user(&byte, sizeof(byte), (void *)8);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
