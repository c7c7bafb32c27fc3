// SPDX-License-Identifier: GPL-2.0
/* Counts the IPv4 packets that arrive at an interface, by protocol, and lets all pass. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/types.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

/* A few of IANA's protocol numbers; others are counted under their number. */
enum protocol {
	PROTO_ICMP = 1,
	PROTO_TCP = 6,
	PROTO_UDP = 17,
};

struct traffic {
	__u64 packets;
	__u64 bytes; /* of whole frames, Ethernet header included */
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__type(key, enum protocol);
	__type(value, struct traffic);
} counts SEC(".maps");

SEC("xdp")
int count(struct xdp_md *ctx)
{
	void *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct iphdr *ip = (void *)(eth + 1);
	struct traffic *known, first = {};
	enum protocol protocol;

	if ((void *)(ip + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	protocol = ip->protocol;
	known = bpf_map_lookup_elem(&counts, &protocol);
	if (known) {
		__sync_fetch_and_add(&known->packets, 1);
		__sync_fetch_and_add(&known->bytes, end - (void *)eth);
		return XDP_PASS;
	}
	first.packets = 1;
	first.bytes = end - (void *)eth;
	bpf_map_update_elem(&counts, &protocol, &first, BPF_NOEXIST);
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
