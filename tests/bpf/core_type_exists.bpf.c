/* Whether types exist; kinds must agree, typedefs all the way. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define CORE __attribute__((preserve_access_index))

struct task_struct {
	int anything;
};

union task_struct___union {
	int anything;
};

struct no_such_struct {
	int field;
};

enum pid_type {
	PIDTYPE_PID,
};

typedef unsigned int gfp_t;
typedef struct task_struct *gfp_t___pointer;
typedef int (*work_func_t)(struct task_struct *);	/* returns void there */
typedef void (*work_func_t___right)(struct task_struct *);
typedef struct {
	int counter;
} atomic_t;

int out[16];

SEC("raw_tp/sched_process_exec")
int exists(void *ctx)
{
	out[0] = bpf_core_type_exists(struct task_struct);
	out[1] = bpf_core_type_exists(union task_struct___union);
	out[2] = bpf_core_type_exists(struct no_such_struct);
	out[3] = bpf_core_type_exists(enum pid_type);
	out[4] = bpf_core_type_exists(gfp_t);
	out[5] = bpf_core_type_exists(gfp_t___pointer);
	out[6] = bpf_core_type_exists(work_func_t);
	out[7] = bpf_core_type_exists(work_func_t___right);
	out[8] = bpf_core_type_exists(atomic_t);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
