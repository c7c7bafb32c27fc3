// SPDX-License-Identifier: GPL-2.0
/* Writes records of the types that `script` lists, each time that BPF_PROG_TEST_RUN runs it. */
#include <linux/bpf.h>
#include <linux/types.h>
#include <bpf/bpf_helpers.h>

enum kind { OPENED = 1, CLOSED, MOVED };

struct opened {
	enum kind kind;
	__u32 number;
	__u64 flags;
};

struct closed {
	enum kind kind;
	__u32 number;
	__u64 code, more;
};

/* Of the same size as the one before. */
struct moved {
	enum kind kind;
	__u32 number;
	char where[16];
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__type(key, __u32);
	__type(value, __u32);
} perf SEC(".maps");

__u32 kind = OPENED;
__u32 number = 0;
/* Bytes to cut off the record's end. */
__u32 cut = 0;

SEC("xdp")
int produce(struct xdp_md *ctx)
{
	struct opened opened = { .kind = OPENED, .flags = 5 };
	struct closed closed = { .kind = CLOSED, .code = 6 };
	struct moved moved = { .kind = MOVED, .where = "there" };

	opened.number = closed.number = moved.number = number++;
	if (kind == OPENED) {
		bpf_ringbuf_output(&ring, &opened, cut ? 4 : sizeof(opened), 0);
		bpf_perf_event_output(ctx, &perf, BPF_F_CURRENT_CPU, &opened, sizeof(opened));
	} else if (kind == CLOSED) {
		bpf_ringbuf_output(&ring, &closed, sizeof(closed), 0);
		bpf_perf_event_output(ctx, &perf, BPF_F_CURRENT_CPU, &closed, sizeof(closed));
	} else {
		moved.kind = kind;
		bpf_ringbuf_output(&ring, &moved, sizeof(moved), 0);
		bpf_perf_event_output(ctx, &perf, BPF_F_CURRENT_CPU, &moved, sizeof(moved));
	}
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
