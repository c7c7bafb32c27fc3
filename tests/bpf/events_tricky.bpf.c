// SPDX-License-Identifier: GPL-2.0
/* Writes into ring buffers from which no type must be inferred, or only with care. */
#include <linux/bpf.h>
#include <linux/types.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

struct small {
	__u64 a, b;
};
struct other {
	__u64 x;
	__u32 y, z;
};
struct large {
	__u64 a[9];
};
struct unique {
	char bytes[99];
};
struct relocated {
	__u64 a[5];
} __attribute__((preserve_access_index));

#define RING(name)                                                                              \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_RINGBUF);                                                \
		__uint(max_entries, 4096);                                                         \
	} name SEC(".maps")

RING(either_a);
RING(either_b);
RING(either_size);
RING(size_in_memory);
RING(size_of_kernel_type);
RING(cast_twice);
RING(by_size_only);
RING(as_text);
RING(by_callers);
RING(by_callers_differ);
RING(in_callback);
RING(dynamic);
RING(header_first);

__u32 choice = 0;

static __noinline int send(void *ring, void *data, __u64 size)
{
	return bpf_ringbuf_output(ring, data, size, 0);
}

static __noinline int send_small(struct small *data)
{
	return bpf_ringbuf_output(&by_callers, data, sizeof(*data), 0);
}

static int each(__u32 index, void *ctx)
{
	struct small event = { .a = index };

	bpf_ringbuf_output(&in_callback, &event, sizeof(event), 0);
	return 0;
}

SEC("tp/syscalls/sys_enter_getpgid")
int tricky(void *ctx)
{
	struct small small = { .a = bpf_ktime_get_ns() };
	__u64 size = sizeof(struct small);
	struct bpf_dynptr handle;
	struct large *large;
	struct unique *unique;
	void *any;

	/* One of two buffers. */
	bpf_ringbuf_output(choice ? (void *)&either_a : (void *)&either_b, &small, sizeof(small), 0);
	/* One of two sizes. */
	bpf_ringbuf_output(&either_size, &small, choice ? 8 : 16, 0);
	/* A size that a helper overwrites behind the compiler's back. */
	bpf_probe_read_kernel(&size, sizeof(size), ctx);
	bpf_ringbuf_output(&size_in_memory, &small, size & 15, 0);
	/* A size that depends on the running kernel. */
	any = bpf_ringbuf_reserve(&size_of_kernel_type, bpf_core_type_size(struct relocated), 0);
	if (any)
		bpf_ringbuf_discard(any, 0);
	/* Two types of one size for one record. */
	any = bpf_ringbuf_reserve(&cast_twice, sizeof(struct small), 0);
	if (any) {
		if (choice) {
			struct small *one = any;

			one->a = bpf_ktime_get_ns();
			one->b = bpf_get_smp_processor_id();
		} else {
			struct other *two = any;

			two->x = bpf_get_prandom_u32();
			two->y = bpf_ktime_get_ns();
		}
		bpf_ringbuf_submit(any, 0);
	}
	any = bpf_ringbuf_reserve(&by_size_only, sizeof(struct unique), 0);
	if (any)
		bpf_ringbuf_discard(any, 0);
	{
		char text[16];

		bpf_get_current_comm(text, sizeof(text));
		bpf_ringbuf_output(&as_text, text, sizeof(text), 0);
	}
	send_small(&small);
	send(&by_callers_differ, &small, sizeof(small));
	send(&by_callers_differ, &choice, 4);
	bpf_loop(3, each, 0, 0);
	bpf_ringbuf_reserve_dynptr(&dynamic, sizeof(*large), 0, &handle);
	large = bpf_dynptr_data(&handle, 0, sizeof(*large));
	if (large)
		large->a[3] = 4;
	bpf_ringbuf_submit_dynptr(&handle, 0);
	/* Longer than the type of its pointer. */
	unique = bpf_ringbuf_reserve(&header_first, sizeof(*unique) + 13, 0);
	if (unique) {
		unique->bytes[3] = 4;
		bpf_ringbuf_submit(unique, 0);
	}
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
