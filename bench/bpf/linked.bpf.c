/* One of many objects that are linked with each other: -DID=n gives them names of their own. They
 * share a map and a counter, which the object with ID 0 defines. */
#include <linux/bpf.h>
#include <stddef.h>
#include <bpf/bpf_helpers.h>

#ifndef ID
#define ID 0
#endif

#define PASTE_(a, b) a##b
#define PASTE(a, b) PASTE_(a, b)
#define OWN(name) PASTE(name, ID)

struct key {
	int id;
	int cpu;
};

struct stats {
	long calls;
	long bytes;
	struct stats *next;
};

struct OWN(state_) {
	struct stats stats;
	char name[16];
	int OWN(member_);
};

#if ID
#define SHARED extern
#else
#define SHARED
char LICENSE[] SEC("license") = "GPL";
#endif

SHARED struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, struct key);
	__type(value, struct stats);
	__uint(max_entries, 1024);
} shared SEC(".maps");

SHARED long total;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, int);
	__type(value, struct OWN(state_));
	__uint(max_entries, 4);
} OWN(states_) SEC(".maps");

static volatile int count;
static const volatile int limit = ID + 100;

static __attribute__((noinline)) int take(struct __sk_buff *skb, int weight)
{
	struct key key = {.id = ID, .cpu = bpf_get_smp_processor_id()};
	struct stats *stats = bpf_map_lookup_elem(&shared, &key);

	if (!stats)
		return -1;
	__sync_fetch_and_add(&stats->calls, weight);
	__sync_fetch_and_add(&stats->bytes, skb->len);
	__sync_fetch_and_add(&total, 1);
	count++;
	return count > limit;
}

#define PROGRAM(number)                                                      \
	SEC("tc") int PASTE(OWN(program_), _##number)(struct __sk_buff *skb)  \
	{                                                                    \
		int slot = number & 3;                                       \
		struct OWN(state_) *state =                                  \
			bpf_map_lookup_elem(&OWN(states_), &slot);           \
		if (!state)                                                  \
			return 0;                                            \
		state->stats.calls += take(skb, number);                     \
		state->stats.bytes += skb->len;                              \
		state->OWN(member_) = skb->ifindex + number;                 \
		bpf_get_current_comm(state->name, sizeof(state->name));      \
		return state->stats.calls > limit;                           \
	}

PROGRAM(0)
PROGRAM(1)
PROGRAM(2)
PROGRAM(3)
PROGRAM(4)
PROGRAM(5)
PROGRAM(6)
PROGRAM(7)
