/* Bitfields by probing, whose place the kernel decides; shifts and sizes. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define CORE __attribute__((preserve_access_index))

struct task_struct {
	unsigned int sched_reset_on_fork : 1;
	unsigned int in_execve : 1;
	unsigned int no_new_privs;	/* one word here, a bit in a struct of atomic flags there */
} CORE;

struct sock {
	unsigned char sk_userlocks : 4;
	unsigned short sk_type;
} CORE;

struct tcp_sock {
	unsigned int repair : 1;
	unsigned int is_cwnd_limited : 1;
} CORE;

unsigned long long out[8];

SEC("raw_tp/sched_process_exec")
int bits(void *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct sock *sk = (void *)task;
	struct tcp_sock *tp = (void *)task;

	out[0] = BPF_CORE_READ_BITFIELD_PROBED(task, sched_reset_on_fork);
	out[1] = BPF_CORE_READ_BITFIELD_PROBED(task, in_execve);
	out[2] = BPF_CORE_READ_BITFIELD_PROBED(sk, sk_userlocks);
	out[3] = BPF_CORE_READ_BITFIELD_PROBED(sk, sk_type);
	out[4] = BPF_CORE_READ_BITFIELD_PROBED(tp, repair);
	out[5] = __builtin_preserve_field_info(tp->is_cwnd_limited, BPF_FIELD_LSHIFT_U64);
	out[6] = __builtin_preserve_field_info(tp->is_cwnd_limited, BPF_FIELD_RSHIFT_U64);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
