/* Stack traces of the process that asks: the kernel's, and its own by build id. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_STACK_TRACE);
	__uint(max_entries, 4096); /* two traces of one hash are a collision, -EEXIST */
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

__u32 pid, done;
__s64 kernel_id = -1, user_id = -1, file_id = -1;

/* Not tp/syscalls/…: before v6.13 these have the registers of user space, and no kernel stack. */
SEC("raw_tp/sys_enter")
int on_syscall(void *ctx)
{
	if (done || bpf_get_current_pid_tgid() >> 32 != pid)
		return 0;
	done = 1;
	kernel_id = bpf_get_stackid(ctx, &traces, 0);
	user_id = bpf_get_stackid(ctx, &traces, BPF_F_USER_STACK);
	file_id = bpf_get_stackid(ctx, &files, BPF_F_USER_STACK);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
