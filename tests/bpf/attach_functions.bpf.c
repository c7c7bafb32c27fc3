/* Entry and exit of kernel functions, and a changed return value of one that may be changed on
 * every kernel: a hook of the security modules. It is loaded, never attached.
 */
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

SEC("fmod_ret/security_task_getpgid")
int instead(unsigned long long *ctx)
{
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
