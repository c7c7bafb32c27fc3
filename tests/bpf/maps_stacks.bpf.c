/* Stack traces of the process that asks: the kernel's, and its own by build id. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_STACK_TRACE);
	__uint(max_entries, 64);
	__uint(key_size, 4);
	__uint(value_size, 64 * 8);
} traces SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_STACK_TRACE);
	__uint(max_entries, 64);
	__uint(map_flags, BPF_F_STACK_BUILD_ID);
	__uint(key_size, 4);
	__uint(value_size, 64 * sizeof(struct bpf_stack_build_id));
} files SEC(".maps");

__u32 pid;
__s64 kernel_id = -1, user_id = -1, file_id = -1;

SEC("tp/syscalls/sys_enter_getpgid")
int on_getpgid(void *ctx)
{
	if (bpf_get_current_pid_tgid() >> 32 != pid)
		return 0;
	kernel_id = bpf_get_stackid(ctx, &traces, 0);
	user_id = bpf_get_stackid(ctx, &traces, BPF_F_USER_STACK);
	file_id = bpf_get_stackid(ctx, &files, BPF_F_USER_STACK);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
