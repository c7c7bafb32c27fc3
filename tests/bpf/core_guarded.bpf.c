/* Relocations that nothing satisfies, in code that is dead without them. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define CORE __attribute__((preserve_access_index))

enum no_such_enum {
	NO_SUCH = 3,
};

struct task_struct {
	int no_such_field;
	unsigned int no_such_bits : 3;
} CORE;

struct no_such_struct {
	int field;
} CORE;

long out[8];

SEC("raw_tp/sched_process_exec")
int guarded(void *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct no_such_struct *none = (void *)task;

	if (bpf_core_field_exists(task->no_such_field)) {
		out[0] = BPF_CORE_READ(task, no_such_field);
		out[1] = BPF_CORE_READ_BITFIELD_PROBED(task, no_such_bits);
		out[2] = bpf_core_field_size(task->no_such_field);
	}
	if (bpf_core_enum_value_exists(enum no_such_enum, NO_SUCH))
		out[3] = bpf_core_enum_value(enum no_such_enum, NO_SUCH);
	if (bpf_core_type_exists(struct no_such_struct))
		out[4] = BPF_CORE_READ(none, field);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
