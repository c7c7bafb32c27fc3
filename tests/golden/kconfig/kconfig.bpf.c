// Settings of the kernel: constants that load fills in.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <stdbool.h>

extern unsigned int CONFIG_HZ __kconfig;
extern bool CONFIG_BPF_SYSCALL __kconfig;
extern enum libbpf_tristate CONFIG_NF_CONNTRACK __kconfig __weak;
extern char CONFIG_DEFAULT_HOSTNAME[16] __kconfig __weak;
extern int LINUX_KERNEL_VERSION __kconfig;

SEC("raw_tp/sys_enter")
int on_enter(void *ctx)
{
	if (CONFIG_BPF_SYSCALL && CONFIG_NF_CONNTRACK != TRI_NO)
		return CONFIG_HZ + CONFIG_DEFAULT_HOSTNAME[0];
	return LINUX_KERNEL_VERSION;
}

char LICENSE[] SEC("license") = "GPL";
