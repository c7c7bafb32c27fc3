/* Fields that the kernel, or the object, has in anonymous structs and unions. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define CORE __attribute__((preserve_access_index))

struct sock_common {
	unsigned int skc_daddr;
	struct {
		unsigned int skc_rcv_saddr;
		union {
			unsigned short skc_dport;
		};
	};
	unsigned short skc_num;
	struct {
		int deep;
	} skc_node;	/* a member of an anonymous union there */
} CORE;

struct sock {
	struct sock_common __sk_common;
} CORE;

struct page {
	unsigned long flags;
	void *mapping;
	unsigned long index;
	void *slab_cache;
} CORE;

long out[8];

SEC("raw_tp/sched_process_exec")
int anonymous(void *ctx)
{
	struct sock *sk = (void *)bpf_get_current_task();
	struct page *page = (void *)sk;

	out[0] = BPF_CORE_READ(sk, __sk_common.skc_daddr);
	out[1] = BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr);
	out[2] = BPF_CORE_READ(sk, __sk_common.skc_dport);
	out[3] = BPF_CORE_READ(sk, __sk_common.skc_num);
	out[4] = bpf_core_field_exists(sk->__sk_common.skc_node.deep);
	out[5] = bpf_core_field_exists(page->index);
	out[6] = bpf_core_field_exists(page->slab_cache);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
