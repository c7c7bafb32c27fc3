/* Type ids, here and in the kernel; 0 for a type that the kernel lacks. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define CORE __attribute__((preserve_access_index))

struct task_struct {
	int pid;
} CORE;

struct no_such_struct {
	int field;
} CORE;

enum pid_type {
	PIDTYPE_PID,
};

typedef unsigned int gfp_t;

long out[8];

SEC("raw_tp/sched_process_exec")
int ids(void *ctx)
{
	out[0] = bpf_core_type_id_local(struct task_struct);
	out[1] = bpf_core_type_id_kernel(struct task_struct);
	out[2] = bpf_core_type_id_kernel(struct no_such_struct);
	out[3] = bpf_core_type_id_kernel(enum pid_type);
	out[4] = bpf_core_type_id_kernel(gfp_t);
	out[5] = bpf_core_type_id_local(enum pid_type);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
