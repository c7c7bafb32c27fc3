/* Subprograms: static, global, hidden; shared between programs; calling one another. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

__u64 calls;

static __attribute__((noinline)) int leaf(int x)
{
	__sync_fetch_and_add(&calls, 1);
	return x * 3 + 1;
}

static __attribute__((noinline)) int middle(int x)
{
	return leaf(x) + leaf(x + 1);
}

__attribute__((noinline)) int global_sum(int x)
{
	return middle(x) ^ leaf(x);
}

__hidden __attribute__((noinline)) int hidden_sum(int x)
{
	return middle(x + 7);
}

__attribute__((noinline)) int unused(int x)
{
	return x;
}

static __attribute__((noinline)) int only_second(int x)
{
	return hidden_sum(x) - global_sum(x);
}

SEC("tc")
int first(struct __sk_buff *skb)
{
	return global_sum(skb->len) + middle(skb->len);
}

SEC("tc")
int second(struct __sk_buff *skb)
{
	return only_second(skb->len) + leaf(5);
}

SEC("xdp")
int third(struct xdp_md *ctx)
{
	return hidden_sum(ctx->rx_queue_index) & 1 ? XDP_PASS : XDP_DROP;
}

char LICENSE[] SEC("license") = "GPL";
