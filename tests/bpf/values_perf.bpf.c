// SPDX-License-Identifier: GPL-2.0
/* Writes records into a perf buffer each time that BPF_PROG_TEST_RUN runs it. */
#include <linux/bpf.h>
#include <linux/types.h>
#include <bpf/bpf_helpers.h>

struct event {
	__u64 number;
	__u32 tag;
	char comm[20];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__type(key, __u32);
	__type(value, __u32);
} events SEC(".maps");

__u64 made = 0;
__u64 failed = 0;
/* Bytes of each record; the event's 32 or more. */
__u32 length = sizeof(struct event);

struct padded {
	struct event event;
	char tail[64];
};

SEC("xdp")
int produce(struct xdp_md *ctx)
{
	struct padded record = {};
	__u64 size = length;

	record.event.number = made;
	record.event.tag = (__u32)made;
	__builtin_memcpy(record.event.comm, "perf", 4);
	__builtin_memset(record.tail, 0xaa, sizeof(record.tail));
	made++;
	if (!size)
		return XDP_ABORTED;
	barrier_var(size); /* one comparison of a copy would tell verifiers before 6.18 nothing */
	if (size > sizeof(record))
		return XDP_ABORTED;
	if (bpf_perf_event_output(ctx, &events, BPF_F_CURRENT_CPU, &record, size))
		failed++;
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
