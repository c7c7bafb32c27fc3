/* Types of the module nf_conntrack, where it is one. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define CORE __attribute__((preserve_access_index))

struct bpf_ct_opts {
	unsigned char dir;
	int error;
} CORE;

struct bpf_ct_opts___other {
	int no_such_field;
} CORE;

/* Also in vmlinux, or only declared there. */
struct nf_conn {
	unsigned int timeout;
	unsigned long status;
} CORE;

long out[8];

SEC("raw_tp/sched_process_exec")
int module_types(void *ctx)
{
	struct bpf_ct_opts *opts = ctx;
	struct bpf_ct_opts___other *other = ctx;
	struct nf_conn *conn = ctx;

	out[0] = bpf_core_type_exists(struct bpf_ct_opts);
	out[1] = bpf_core_type_id_kernel(struct bpf_ct_opts);
	out[2] = bpf_core_type_size(struct bpf_ct_opts);
	out[3] = bpf_core_field_offset(opts->dir);
	out[4] = bpf_core_field_size(opts->error);
	out[5] = bpf_core_field_exists(other->no_such_field);
	out[6] = bpf_core_field_offset(conn->status);
	out[7] = bpf_core_field_exists(conn->timeout);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
