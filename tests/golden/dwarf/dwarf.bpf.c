// SPDX-License-Identifier: GPL-2.0
// keep: debug information
/* Events whose types are in no BTF, and which nobody names: found in code and debug information. */
#include <linux/bpf.h>
#include <linux/types.h>
#include <bpf/bpf_helpers.h>

enum state { RUNNING = 1, GONE = -1 };

typedef struct {
	__s32 x, y;
} point_t;

struct part {
	__u16 id;
	__u8 low : 3;
	__u8 high : 5;
};

union address {
	__u32 v4;
	__u8 v6[16];
};

struct every_event {
	__u64 at;
	enum state state;
	char comm[16];
	struct part parts[2];
	point_t where;
	union address address;
	struct every_event *next;
	const volatile _Bool ok;
	__u32 grid[2][3];
};

/* Of one size: told apart by the variables that hold them. */
struct open_event {
	__u64 at;
	__u32 pid;
	__u32 flags;
};

struct exit_event {
	__u64 at;
	__u64 code;
};

struct long_event {
	__u64 at;
	char path[56];
};

struct scratch_event {
	__u32 length;
	char text[508];
};

#define RING()                                                                                  \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_RINGBUF);                                                \
		__uint(max_entries, 4096);                                                         \
	}
#define PERF()                                                                                  \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);                                       \
		__type(key, __u32);                                                                \
		__type(value, __u32);                                                              \
	}

RING() reserved SEC(".maps");
RING() copied SEC(".maps");
RING() in_subprogram SEC(".maps");
RING() two_sizes SEC(".maps");
RING() two_of_one_size SEC(".maps");
RING() varying SEC(".maps");
RING() unused SEC(".maps");
RING() number SEC(".maps");
PERF() perf_stack SEC(".maps");
PERF() perf_scratch SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct scratch_event);
} scratch SEC(".maps");

static __always_inline void send_stack(void *ctx, __u32 flags)
{
	struct open_event event = { .at = bpf_ktime_get_ns(), .pid = 1, .flags = flags };

	bpf_perf_event_output(ctx, &perf_stack, BPF_F_CURRENT_CPU, &event, sizeof(event));
}

static __noinline int send_exit(__u64 code)
{
	struct exit_event event = { .at = bpf_ktime_get_ns(), .code = code };

	return bpf_ringbuf_output(&in_subprogram, &event, sizeof(event), 0);
}

SEC("tp/syscalls/sys_enter_getpgid")
int on_getpgid(void *ctx)
{
	struct every_event *every = bpf_ringbuf_reserve(&reserved, sizeof(*every), 0);
	struct open_event open = { .at = bpf_ktime_get_ns() };

	if (every) {
		every->at = bpf_ktime_get_ns();
		every->state = RUNNING;
		bpf_get_current_comm(every->comm, sizeof(every->comm));
		bpf_ringbuf_submit(every, 0);
	}
	bpf_ringbuf_output(&copied, &open, sizeof(open), 0);
	send_stack(ctx, 7);
	return send_exit(3);
}

SEC("tp/syscalls/sys_enter_getsid")
int on_getsid(void *ctx)
{
	struct open_event *open = bpf_ringbuf_reserve(&two_sizes, sizeof(*open), 0);
	struct long_event *path;
	struct exit_event *exit;
	__u64 now;

	if (open) {
		open->pid = 1;
		bpf_ringbuf_submit(open, 0);
	}
	path = bpf_ringbuf_reserve(&two_sizes, sizeof(*path), 0);
	if (path) {
		path->at = 2;
		bpf_ringbuf_submit(path, 0);
	}
	open = bpf_ringbuf_reserve(&two_of_one_size, sizeof(*open), 0);
	if (open) {
		open->pid = 3;
		bpf_ringbuf_submit(open, 0);
	}
	exit = bpf_ringbuf_reserve(&two_of_one_size, sizeof(*exit), 0);
	if (exit) {
		exit->code = 4;
		bpf_ringbuf_submit(exit, 0);
	}
	now = bpf_ktime_get_ns();
	bpf_ringbuf_output(&number, &now, sizeof(now), 0);
	return 0;
}

SEC("tp/syscalls/sys_enter_getppid")
int on_getppid(void *ctx)
{
	__u32 zero = 0;
	struct scratch_event *event = bpf_map_lookup_elem(&scratch, &zero);
	__u32 length;

	if (!event)
		return 0;
	event->length = 5;
	bpf_perf_event_output(ctx, &perf_scratch, BPF_F_CURRENT_CPU, event, sizeof(*event));
	length = event->length & 255;
	bpf_ringbuf_output(&varying, event, length, 0);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
