// SPDX-License-Identifier: GPL-2.0
/* Writes one record of 72 bytes each time that BPF_PROG_TEST_RUN runs it. */
#include <linux/bpf.h>
#include <linux/types.h>
#include <bpf/bpf_helpers.h>

struct record {
	__u64 ts;
	__u32 pid;
	__u32 tid;
	__u64 latency;
	__u64 offset;
	__u64 size;
	__u64 inode;
	char comm[16];
	__u32 kind;
	__s32 result;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__type(key, __u32);
	__type(value, __u32);
} records SEC(".maps") __attribute__((btf_decl_tag("bpfgen:event=record")));

__u32 made = 0;

/* A function of its own: a prototype that names the record keeps its type in the BTF. */
static __noinline void fill(struct record *record, __u32 number)
{
	record->ts = 1000000000000ull + number;
	record->pid = 1234;
	record->tid = 1235;
	record->latency = 350 + number;
	record->offset = 4096ull * number;
	record->size = 4096;
	record->inode = 0x123456789abcull;
	__builtin_memcpy(record->comm, "postgres\0\0\0\0\0\0\0", 16);
	record->kind = number & 3;
	record->result = -(__s32)(number & 0xff);
}

SEC("xdp")
int produce(struct xdp_md *ctx)
{
	struct record record = {};

	fill(&record, made++);
	bpf_perf_event_output(ctx, &records, BPF_F_CURRENT_CPU, &record, sizeof(record));
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
