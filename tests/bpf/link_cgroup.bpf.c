// Programs on a cgroup: sockets made, connections, packets out.
#include "link_counts.h"

SEC("cgroup/sock_create")
int on_socket(struct bpf_sock *sk)
{
	count(1);
	return 1;
}

SEC("cgroup/connect4")
int on_connect(struct bpf_sock_addr *address)
{
	count(2);
	return 0; // refused: connect(2) fails with EPERM
}

SEC("cgroup_skb/egress")
int on_packet(struct __sk_buff *skb)
{
	count(3);
	return 1;
}

SEC("cgroup/sock_create")
int refuse(struct bpf_sock *sk)
{
	return 0;
}
