// Iterators over the kernel's maps, over tasks, and over one map's entries.
#include "link_counts.h"

struct seq_file;

struct bpf_iter_meta {
	__bpf_md_ptr(struct seq_file *, seq);
	__u64 session_id;
	__u64 seq_num;
};

struct bpf_iter__any {
	__bpf_md_ptr(struct bpf_iter_meta *, meta);
	__bpf_md_ptr(void *, object);
};

struct bpf_iter__bpf_map_elem {
	__bpf_md_ptr(struct bpf_iter_meta *, meta);
	__bpf_md_ptr(void *, map);
	__bpf_md_ptr(__u32 *, key);
	__bpf_md_ptr(__u64 *, value);
};

SEC("iter/task")
int tasks(struct bpf_iter__any *ctx)
{
	struct seq_file *seq = ctx->meta->seq;
	__u64 args[] = { ctx->meta->seq_num };

	if (ctx->object)
		bpf_seq_printf(seq, "task %llu\n", sizeof("task %llu\n"), args, sizeof(args));
	else
		bpf_seq_write(seq, "end\n", 4);
	return 0;
}

SEC("iter/bpf_map")
int maps(struct bpf_iter__any *ctx)
{
	char block[200] = "map";

	block[199] = '\n';
	if (ctx->object)
		bpf_seq_write(ctx->meta->seq, block, sizeof(block));
	return 0;
}

SEC("iter/bpf_map_elem")
int entries(struct bpf_iter__bpf_map_elem *ctx)
{
	if (!ctx->key || !ctx->value)
		return 0;

	__u64 args[] = { *ctx->key, *ctx->value };

	bpf_seq_printf(ctx->meta->seq, "%llu=%llu\n", sizeof("%llu=%llu\n"), args, sizeof(args));
	return 0;
}
