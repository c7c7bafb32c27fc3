// Functions of the module nf_conntrack: one is called, one traced.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct nf_conn {
	unsigned long status;
} __attribute__((preserve_access_index));

struct bpf_ct_opts {
	int netns_id;
	int error;
	unsigned char l4proto;
	unsigned char dir;
	unsigned char reserved[2];
};

extern struct nf_conn *bpf_xdp_ct_lookup(struct xdp_md *ctx, struct bpf_sock_tuple *tuple,
					 __u32 tuple__sz, struct bpf_ct_opts *opts,
					 __u32 opts__sz) __ksym;
extern void bpf_ct_release(struct nf_conn *nf_conn) __ksym;

int found;

SEC("xdp")
int look_up(struct xdp_md *ctx)
{
	struct bpf_sock_tuple tuple = {};
	struct bpf_ct_opts opts = { .netns_id = -1, .l4proto = 6 };
	struct nf_conn *conn;

	conn = bpf_xdp_ct_lookup(ctx, &tuple, sizeof(tuple.ipv4), &opts, sizeof(opts));
	if (conn) {
		bpf_ct_release(conn);
		found = 1;
	}
	return -opts.error;
}

SEC("?fentry/nf_conntrack_find_get")
int find_get(void *ctx)
{
	return 0;
}

SEC("?fentry/nf_conntrack:nf_conntrack_find_get")
int find_get_there(void *ctx)
{
	return 0;
}

SEC("?fentry/vmlinux:nf_conntrack_find_get")
int find_get_elsewhere(void *ctx)
{
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
