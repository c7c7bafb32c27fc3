/* A user ring buffer: user space writes commands, a program drains them. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct command {
	__u64 value;
	__u32 kind;
	char name[12];
};

struct {
	__uint(type, BPF_MAP_TYPE_USER_RINGBUF);
	__uint(max_entries, 4096);
} commands SEC(".maps") __attribute__((btf_decl_tag("bpfgen:event=command")));

struct {
	__uint(type, BPF_MAP_TYPE_USER_RINGBUF);
	__uint(max_entries, 5000);
} raw SEC(".maps");

struct command last;
__u64 sum, drained, wrong;
__u32 raw_size, limit;
__u32 raw_first;

static long on_command(struct bpf_dynptr *record, void *ctx)
{
	struct command command;

	if (bpf_dynptr_read(&command, sizeof(command), record, 0, 0)) {
		wrong += 1;
		return 0;
	}
	last = command;
	sum += command.value;
	drained += 1;
	return limit && drained >= limit;
}

static long on_raw(struct bpf_dynptr *record, void *ctx)
{
	drained += 1;
	bpf_dynptr_read(&raw_first, sizeof(raw_first), record, 0, 0);
	return 0;
}

SEC("tc")
int drain(struct __sk_buff *skb)
{
	return bpf_user_ringbuf_drain(&commands, on_command, NULL, 0);
}

SEC("tc")
int drain_silently(struct __sk_buff *skb)
{
	return bpf_user_ringbuf_drain(&commands, on_command, NULL, BPF_RB_NO_WAKEUP);
}

SEC("tc")
int drain_raw(struct __sk_buff *skb)
{
	return bpf_user_ringbuf_drain(&raw, on_raw, NULL, 0);
}

char LICENSE[] SEC("license") = "GPL";
