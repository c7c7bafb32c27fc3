// Addresses of kernel symbols, and of one that no kernel has.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern const void schedule __ksym;
extern const void vfs_read __ksym __weak;
extern const void no_such_symbol __ksym __weak;

unsigned long schedule_at, read_at, absent_at = 1;

SEC("raw_tp/sys_enter")
int read_addresses(void *ctx)
{
	schedule_at = (unsigned long)&schedule;
	read_at = (unsigned long)&vfs_read;
	absent_at = (unsigned long)&no_such_symbol;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
