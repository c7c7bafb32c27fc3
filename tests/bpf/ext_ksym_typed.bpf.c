// Variables of the kernel by their type: whole, per CPU, and one that no kernel has.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct rq {
	int cpu;
} __attribute__((preserve_access_index));

struct no_such_struct {
	int member;
};

extern const struct rq runqueues __ksym;
extern const int bpf_prog_active __ksym;
extern const struct no_such_struct no_such_variable __ksym __weak;

long address, active_address;
int cpu = -1, active = -1, is_absent = -1;

SEC("raw_tp/sys_enter")
int read_variables(void *ctx)
{
	struct rq *rq = bpf_per_cpu_ptr(&runqueues, 0);
	int *here = bpf_this_cpu_ptr(&bpf_prog_active);

	address = (long)&runqueues;
	active_address = (long)&bpf_prog_active;
	if (rq)
		cpu = rq->cpu;
	active = *here;
	is_absent = &no_such_variable == 0;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
