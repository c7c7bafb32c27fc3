// SPDX-License-Identifier: GPL-2.0
/* Writes numbered records to a ring buffer, each time that BPF_PROG_TEST_RUN runs it. */
#include <linux/bpf.h>
#include <linux/types.h>
#include <bpf/bpf_helpers.h>

struct event {
	__u64 number;
	__u32 tag;
	char comm[20];
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 64 * 1024);
} events SEC(".maps");

__u64 made = 0;    /* records tried so far */
__u64 dropped = 0; /* of these, those that found no room */
__u32 discard_every = 0;

SEC("socket")
int produce(struct __sk_buff *skb)
{
	struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	__u64 number = made++;

	if (!event) {
		dropped++;
		return 0;
	}
	event->number = number;
	event->tag = number & 0xff;
	__builtin_memcpy(event->comm, "ring\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20);
	if (discard_every && number % discard_every == 0)
		bpf_ringbuf_discard(event, 0);
	else
		bpf_ringbuf_submit(event, 0);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
