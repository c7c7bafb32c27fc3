/* Sizes of types; 0 for one that the kernel lacks. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define CORE __attribute__((preserve_access_index))

struct task_struct {
	int pid;
};

struct list_head {
	void *next;
};

struct no_such_struct {
	int field;
};

enum pid_type {
	PIDTYPE_PID,
};

typedef unsigned char gfp_t;

int out[8];

SEC("raw_tp/sched_process_exec")
int sizes(void *ctx)
{
	out[0] = bpf_core_type_size(struct task_struct);
	out[1] = bpf_core_type_size(struct list_head);
	out[2] = bpf_core_type_size(struct no_such_struct);
	out[3] = bpf_core_type_size(enum pid_type);
	out[4] = bpf_core_type_size(gfp_t);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
