// SPDX-License-Identifier: GPL-2.0
/* Reports each program start (execve that succeeded) to user space. */
#include <linux/bpf.h>
#include <linux/types.h>
#include <bpf/bpf_helpers.h>

#define NAME_LEN 16
#define PATH_LEN 64

struct exec_event {
	__u64 ts;  /* nanoseconds since boot, CLOCK_MONOTONIC */
	__u32 pid; /* as the first PID namespace numbers it */
	__u32 uid;
	char comm[NAME_LEN];
	char filename[PATH_LEN]; /* cut to fit */
};

/* The record of the sched_process_exec tracepoint, as far as it is read here;
 * /sys/kernel/tracing/events/sched/sched_process_exec/format describes it. */
struct sched_process_exec {
	__u64 common;
	__u32 filename_loc; /* __data_loc: offset in the low half, length in the high half */
	__s32 pid;
	__s32 old_pid;
};

/* Set before load; processes of lower user ids are not reported. */
const volatile __u32 min_uid = 0;

/* Events made, those that the ring had no room for included. */
__u64 seen = 0;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 * 1024);
} events SEC(".maps") __attribute__((btf_decl_tag("bpfgen:event=exec_event")));

/* Program starts by user id. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, __u64);
} counts SEC(".maps");

static void count(__u32 uid)
{
	__u64 *known = bpf_map_lookup_elem(&counts, &uid), one = 1;

	if (known)
		__sync_fetch_and_add(known, 1);
	else
		bpf_map_update_elem(&counts, &uid, &one, BPF_NOEXIST);
}

/* A function of its own: a prototype that names the event keeps its type in the BTF. */
static __noinline void fill(struct exec_event *event, struct sched_process_exec *ctx, __u32 uid)
{
	event->ts = bpf_ktime_get_ns();
	event->pid = bpf_get_current_pid_tgid() >> 32;
	event->uid = uid;
	bpf_get_current_comm(event->comm, sizeof(event->comm));
	bpf_probe_read_kernel_str(event->filename, sizeof(event->filename),
				  (void *)ctx + (ctx->filename_loc & 0xffff));
}

SEC("tp/sched/sched_process_exec")
int on_exec(struct sched_process_exec *ctx)
{
	__u32 uid = bpf_get_current_uid_gid();
	struct exec_event *event;

	if (uid < min_uid)
		return 0;
	__sync_fetch_and_add(&seen, 1);
	count(uid);
	event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event)
		return 0;
	fill(event, ctx, uid);
	bpf_ringbuf_submit(event, 0);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
