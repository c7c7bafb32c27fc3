/* Enumerators: whether they exist, their values, also negative ones. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define CORE __attribute__((preserve_access_index))

enum pid_type {
	PIDTYPE_PID = 9,
	PIDTYPE_SID = 8,
	PIDTYPE_NONE = 7,
};

enum bpf_map_type___x {
	BPF_MAP_TYPE_RINGBUF___x = 5,
};

enum rw_hint___negative {
	WRITE_LIFE_NONE___negative = -1,
};

enum hrtimer_restart {
	HRTIMER_RESTART = -4,
};

enum tcp_bit_set___no {
	NOTHING___no = 1,
};

long out[16];

SEC("raw_tp/sched_process_exec")
int values(void *ctx)
{
	out[0] = bpf_core_enum_value(enum pid_type, PIDTYPE_PID);
	out[1] = bpf_core_enum_value(enum pid_type, PIDTYPE_SID);
	out[2] = bpf_core_enum_value_exists(enum pid_type, PIDTYPE_NONE);
	out[3] = bpf_core_enum_value_exists(enum pid_type, PIDTYPE_PID);
	out[4] = bpf_core_enum_value(enum bpf_map_type___x, BPF_MAP_TYPE_RINGBUF___x);
	out[5] = bpf_core_enum_value_exists(enum tcp_bit_set___no, NOTHING___no);
	out[6] = bpf_core_enum_value(enum hrtimer_restart, HRTIMER_RESTART);
	out[7] = bpf_core_enum_value_exists(enum rw_hint___negative, WRITE_LIFE_NONE___negative);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
