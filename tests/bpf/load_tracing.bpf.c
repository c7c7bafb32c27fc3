/* Tracing programs, some of which name a kernel type to attach to. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct seq_file;
struct task_struct;

struct bpf_iter_meta {
	struct seq_file *seq;
	__u64 session_id;
	__u64 seq_num;
};

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} events SEC(".maps");

const volatile __u32 wanted_pid = 0;
__u64 seen;

SEC("tp/sched/sched_process_exec")
int on_exec(void *ctx)
{
	__u32 pid = bpf_get_current_pid_tgid() >> 32;

	if (wanted_pid && pid != wanted_pid)
		return 0;
	seen += 1;
	bpf_ringbuf_output(&events, &pid, sizeof(pid), 0);
	return 0;
}

SEC("raw_tp/sched_switch")
int on_switch(struct bpf_raw_tracepoint_args *ctx)
{
	return 0;
}

SEC("tp_btf/sched_process_exit")
int on_exit(__u64 *ctx)
{
	__sync_fetch_and_add(&seen, 1);
	return 0;
}

SEC("iter/task")
int list_tasks(struct bpf_iter__task *ctx)
{
	static const char format[] = "%llu\n";
	struct seq_file *seq = ctx->meta->seq;
	__u64 number = ctx->meta->seq_num;

	if (ctx->task)
		bpf_seq_printf(seq, format, sizeof(format), &number, sizeof(number));
	return 0;
}

SEC("kprobe/do_nanosleep")
int on_sleep(void *ctx)
{
	return 0;
}

SEC("perf_event")
int on_sample(void *ctx)
{
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
