/* Of struct tcp_congestion_ops and its functions' arguments, what the tests name. */
#ifndef MAPS_OPS_H
#define MAPS_OPS_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct sock;

struct tcp_congestion_ops {
	__u32 (*ssthresh)(struct sock *sk);
	void (*cong_avoid)(struct sock *sk, __u32 ack, __u32 acked);
	__u32 (*undo_cwnd)(struct sock *sk);
	__u32 flags;
	char name[16];
};

/* As another kernel might have it: other order, and members that this one lacks. */
struct tcp_congestion_ops___future {
	char name[16];
	__u64 made_up_number;
	void (*made_up_function)(struct sock *sk);
	__u32 (*undo_cwnd)(struct sock *sk);
	void (*cong_avoid)(struct sock *sk, __u32 ack, __u32 acked);
	__u32 (*ssthresh)(struct sock *sk);
};

#endif
