// What libbpf makes up itself: settings that no configuration has.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <stdbool.h>

extern int LINUX_KERNEL_VERSION __kconfig;
extern bool LINUX_HAS_BPF_COOKIE __kconfig;
extern bool LINUX_HAS_SYSCALL_WRAPPER __kconfig;
extern unsigned long LINUX_FROM_THE_FUTURE __kconfig __weak;

int version;
bool cookie, wrapper;
unsigned long future = 1;

SEC("raw_tp/sys_enter")
int read_linux(void *ctx)
{
	version = LINUX_KERNEL_VERSION;
	cookie = LINUX_HAS_BPF_COOKIE;
	wrapper = LINUX_HAS_SYSCALL_WRAPPER;
	future = LINUX_FROM_THE_FUTURE;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
