// The atomic operations that return a value: from -mcpu=v3 on.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

__u64 wide;
__u32 narrow;

SEC("socket")
int atomics(struct __sk_buff *skb)
{
	__u64 w = skb->len;
	__u32 n = skb->mark;

	w = __sync_fetch_and_add(&wide, w);
	w += __sync_fetch_and_or(&wide, w);
	w += __sync_fetch_and_and(&wide, w);
	w += __sync_fetch_and_xor(&wide, w);
	w += __sync_lock_test_and_set(&wide, w);
	w += __sync_val_compare_and_swap(&wide, w, 5);
	n += __sync_fetch_and_add(&narrow, n);
	n += __sync_lock_test_and_set(&narrow, n);
	n += __sync_val_compare_and_swap(&narrow, n, 6);
	__sync_fetch_and_add(&narrow, n);
	return w + n;
}

char _license[] SEC("license") = "GPL";
