/* Counts program starts by user. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "execcount.h"

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 1024);
    __type(key, struct user);
    __type(value, struct execs);
} users SEC(".maps");

SEC("tracepoint/sched/sched_process_exec")
int on_exec(void *ctx)
{
    struct user user = { .uid = (unsigned int)bpf_get_current_uid_gid() };
    struct execs *found, first = { .count = 1, .last_pid = bpf_get_current_pid_tgid() >> 32 };

    found = bpf_map_lookup_elem(&users, &user);
    if (!found) {
        bpf_map_update_elem(&users, &user, &first, BPF_ANY);
        return 0;
    }
    __sync_fetch_and_add(&found->count, 1);
    found->last_pid = first.last_pid;
    return 0;
}

char LICENSE[] SEC("license") = "GPL";
