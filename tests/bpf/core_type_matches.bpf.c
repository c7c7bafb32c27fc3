/* Whether the kernel has all that a type declares.
 *
 * Asked as bpf_core_type_exists: the tests turn that into BPF_CORE_TYPE_MATCHES in the object, since
 * clang 14 ends in a crash at bpf_core_type_matches.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define CORE __attribute__((preserve_access_index))

struct mm_struct;

struct list_head {
	struct list_head *next, *prev;
};

struct list_head___more {
	struct list_head *next, *prev, *third;
};

struct list_head___other {
	int *next;
};

struct task_struct {
	struct mm_struct *mm;
	int prio;
};

struct task_struct___sign {
	unsigned int prio;
};

struct task_struct___array {
	char comm[17];
};

enum pid_type {
	PIDTYPE_TGID,
	PIDTYPE_PID,
};

enum pid_type___more {
	PIDTYPE_PID___more,
	PIDTYPE_NONE___more,
};

typedef struct {
	int counter;
} atomic_t;

int out[16];

SEC("raw_tp/sched_process_exec")
int matches(void *ctx)
{
	out[0] = bpf_core_type_exists(struct list_head);
	out[1] = bpf_core_type_exists(struct list_head___more);
	out[2] = bpf_core_type_exists(struct list_head___other);
	out[3] = bpf_core_type_exists(struct task_struct);
	out[4] = bpf_core_type_exists(struct task_struct___sign);
	out[5] = bpf_core_type_exists(struct task_struct___array);
	out[6] = bpf_core_type_exists(enum pid_type);
	out[7] = bpf_core_type_exists(enum pid_type___more);
	out[8] = bpf_core_type_exists(atomic_t);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
