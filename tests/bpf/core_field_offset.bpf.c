/* Byte offsets: through pointers, in nested structs, by BPF_CORE_READ. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define CORE __attribute__((preserve_access_index))

struct mm_struct {
	unsigned long start_stack;
} CORE;

struct sched_entity {
	unsigned long long sum_exec_runtime;
} CORE;

struct task_struct {
	int pid;
	int tgid;
	int exit_code;
	char comm[16];
	struct task_struct *real_parent;
	struct mm_struct *mm;
	struct sched_entity se;
} CORE;

long out[8];

SEC("raw_tp/sched_process_exec")
int offsets(void *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	out[0] = BPF_CORE_READ(task, real_parent, real_parent, tgid);
	out[1] = BPF_CORE_READ(task, mm, start_stack);
	out[2] = BPF_CORE_READ(task, se.sum_exec_runtime);
	out[3] = bpf_core_field_offset(struct task_struct, exit_code);
	BPF_CORE_READ_STR_INTO((char (*)[16])&out[4], task, comm);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
