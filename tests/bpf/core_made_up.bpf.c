/* Types that no kernel has: relocated by a BTF file (tests/oracle/test_core_oracle.py). */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define CORE __attribute__((preserve_access_index))

enum colour {
	RED,
	GREEN,
	NEGATIVE = -1,
};

enum huge {
	HUGE = 5,	/* 64 bits there; clang 14 has no BTF for such */
};

struct inner {
	int x;
	unsigned char y;
} CORE;

struct outer {
	unsigned char first;
	struct inner *link;
	struct inner in;
	struct inner list[4];
	unsigned int bits : 5;
	int signed_bits : 7;
	unsigned int wide;
	int gone;
	int tail[];
} CORE;

long out[32];

SEC("raw_tp/sched_process_exec")
int all(void *ctx)
{
	struct outer *o = (void *)bpf_get_current_task();

	out[0] = BPF_CORE_READ(o, first);
	out[1] = BPF_CORE_READ(o, link, x);
	out[2] = BPF_CORE_READ(o, in.y);
	out[3] = BPF_CORE_READ(o, list[2].y);
	out[4] = BPF_CORE_READ_BITFIELD_PROBED(o, bits);
	out[5] = BPF_CORE_READ_BITFIELD_PROBED(o, signed_bits);
	out[6] = bpf_core_field_size(o->wide);
	out[7] = bpf_core_field_exists(o->gone);
	out[8] = BPF_CORE_READ(o, tail[5]);
	out[9] = bpf_core_type_size(struct outer);
	out[10] = bpf_core_type_id_kernel(struct outer);
	out[11] = bpf_core_type_exists(struct inner);
	out[12] = bpf_core_type_size(enum huge);
	out[13] = bpf_core_enum_value(enum colour, GREEN);
	out[14] = bpf_core_enum_value(enum colour, NEGATIVE);
	out[15] = bpf_core_enum_value(enum huge, HUGE);
	out[16] = bpf_core_enum_value_exists(enum colour, RED);
	out[17] = __builtin_preserve_field_info(o->wide, BPF_FIELD_SIGNED);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
