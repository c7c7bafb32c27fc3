// SPDX-License-Identifier: GPL-2.0
// clang: --target=bpfeb
// bpfgen: --event by_kind=opened@kind:1,closed@hdr.kind:CLOSED,closed@hdr.kind:9
// bpfgen: --event by_size=opened,closed --event perf_by_size=opened,closed
/* Records of several types in one buffer, told apart by a tag or by their size. */
#include <linux/bpf.h>
#include <linux/types.h>
#include <bpf/bpf_helpers.h>

enum kind { OPENED = 1, CLOSED };

struct header {
	__u64 at;
	enum kind kind;
};

struct opened {
	struct {
		__u64 at;
		enum kind kind;
	};
	char path[64];
};

struct closed {
	struct header hdr;
	__u64 descriptor;
};

/* A type of the BTF, without debug information: kept by a global pointer. */
struct opened *unused_opened __attribute__((unused));
struct closed *unused_closed __attribute__((unused));

#define BUFFER(kind)                                                                            \
	struct {                                                                                   \
		__uint(type, kind);                                                                \
		__uint(max_entries, 4096);                                                         \
	}

BUFFER(BPF_MAP_TYPE_RINGBUF) by_kind SEC(".maps");
BUFFER(BPF_MAP_TYPE_RINGBUF) by_size SEC(".maps");
BUFFER(BPF_MAP_TYPE_RINGBUF)
told SEC(".maps") __attribute__((btf_decl_tag("bpfgen:event=opened@kind:OPENED,closed@hdr.kind:2")));
/* Nothing but its size says what is written here: without debug information that is not enough. */
BUFFER(BPF_MAP_TYPE_RINGBUF) unclear SEC(".maps");
/* The one struct of that size has no other use. */
BUFFER(BPF_MAP_TYPE_RINGBUF) one_of_size SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__type(key, __u32);
	__type(value, __u32);
} perf_by_size SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, struct header);
	__type(value, __u64);
} hash SEC(".maps");

SEC("tp/syscalls/sys_enter_getpgid")
int on_getpgid(void *ctx)
{
	struct opened *opened = bpf_ringbuf_reserve(&one_of_size, sizeof(*opened), 0);
	void *any;

	if (opened)
		bpf_ringbuf_discard(opened, 0);
	any = bpf_ringbuf_reserve(&unclear, sizeof(struct header), 0);
	if (any)
		bpf_ringbuf_discard(any, 0);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
