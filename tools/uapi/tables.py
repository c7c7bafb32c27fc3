"""Which kernel types become Python, and under which names."""

from __future__ import annotations

#: (class in enums.py, kernel enum, prefix dropped there). const.py has them under their full names.
ENUMS: tuple[tuple[str, str, str], ...] = (
    ("Cmd", "bpf_cmd", "BPF_"),
    ("MapType", "bpf_map_type", "BPF_MAP_TYPE_"),
    ("ProgType", "bpf_prog_type", "BPF_PROG_TYPE_"),
    ("AttachType", "bpf_attach_type", "BPF_"),
    ("LinkType", "bpf_link_type", "BPF_LINK_TYPE_"),
    ("PerfEventType", "bpf_perf_event_type", "BPF_PERF_EVENT_"),
    ("StatsType", "bpf_stats_type", "BPF_STATS_"),
    ("TaskFdType", "bpf_task_fd_type", "BPF_FD_TYPE_"),
    ("CoreReloKind", "bpf_core_relo_kind", "BPF_CORE_"),
    ("CgroupIterOrder", "bpf_cgroup_iter_order", "BPF_CGROUP_ITER_"),
    ("StreamId", "bpf_stream_id", "BPF_"),
    ("AddrSpaceCast", "bpf_addr_space_cast", "BPF_ADDR_SPACE_"),
    ("StackBuildIdStatus", "bpf_stack_build_id_status", "BPF_STACK_BUILD_ID_"),
    ("RetCode", "bpf_ret_code", "BPF_"),
    ("XdpAction", "xdp_action", "XDP_"),
    ("TcxAction", "tcx_action_base", "TCX_"),
    ("AdjRoomMode", "bpf_adj_room_mode", "BPF_ADJ_ROOM_"),
    ("HdrStartOff", "bpf_hdr_start_off", "BPF_HDR_START_"),
    ("LwtEncapMode", "bpf_lwt_encap_mode", "BPF_LWT_ENCAP_"),
    ("CheckMtuFlags", "bpf_check_mtu_flags", "BPF_MTU_CHK_"),
    ("CheckMtuRet", "bpf_check_mtu_ret", "BPF_MTU_CHK_RET_"),
    ("FuncLinkage", "btf_func_linkage", "BTF_FUNC_"),
    ("PerfTypeId", "perf_type_id", "PERF_TYPE_"),
    ("PerfHwId", "perf_hw_id", "PERF_COUNT_HW_"),
    ("PerfSwIds", "perf_sw_ids", "PERF_COUNT_SW_"),
    ("PerfSample", "perf_event_sample_format", "PERF_SAMPLE_"),
    ("PerfReadFormat", "perf_event_read_format", "PERF_FORMAT_"),
    ("PerfRecord", "perf_event_type", "PERF_RECORD_"),
    ("FuncId", "bpf_func_id", "BPF_FUNC_"),
)

#: Enums that enums.py has and const.py leaves out: the helpers for their number, and the streams
#: because these names are the kernel's own (the UAPI's are in the patch table).
ENUMS_ONLY = frozenset({"bpf_func_id", "bpf_stream_id"})

#: UAPI enums without a name, by one enumerator of each, with what they are flags or values of.
ANONYMOUS_ENUMS: tuple[tuple[str, str], ...] = (
    ("BPF_REG_0", "registers"),
    ("BPF_ANY", "flags of BPF_MAP_UPDATE_ELEM and the other element commands"),
    (
        "BPF_F_NO_PREALLOC",
        "map_flags of BPF_MAP_CREATE; RDONLY, WRONLY, PATH_FD, TOKEN_FD elsewhere too",
    ),
    ("BPF_F_KPROBE_MULTI_RETURN", "link_create.kprobe_multi.flags"),
    ("BPF_F_UPROBE_MULTI_RETURN", "link_create.uprobe_multi.flags"),
    ("BPF_RB_NO_WAKEUP", "flags of bpf_ringbuf_submit, _discard, _output"),
    ("BPF_RB_AVAIL_DATA", "flags of bpf_ringbuf_query"),
    ("BPF_RINGBUF_BUSY_BIT", "the header of a ring buffer record"),
    ("BPF_F_INGRESS", "flags of bpf_redirect and bpf_redirect_map"),
    ("BPF_F_SKIP_FIELD_MASK", "flags of bpf_get_stackid and bpf_get_stack"),
    ("BPF_F_INDEX_MASK", "flags of bpf_perf_event_output and _read"),
    ("BPF_F_CURRENT_NETNS", "netns of the socket lookup helpers"),
    ("BPF_F_RECOMPUTE_CSUM", "flags of bpf_skb_store_bytes"),
    ("BPF_F_HDR_FIELD_MASK", "flags of bpf_l3_csum_replace and bpf_l4_csum_replace"),
    ("BPF_F_PSEUDO_HDR", "flags of bpf_l4_csum_replace"),
    ("BPF_F_TUNINFO_IPV6", "flags of bpf_skb_set_tunnel_key and _get_tunnel_key"),
    ("BPF_F_ZERO_CSUM_TX", "flags of bpf_skb_set_tunnel_key"),
    ("BPF_F_TUNINFO_FLAGS", "flags of bpf_skb_get_tunnel_key"),
    ("BPF_CSUM_LEVEL_QUERY", "level of bpf_csum_level"),
    ("BPF_F_ADJ_ROOM_FIXED_GSO", "flags of bpf_skb_adjust_room"),
    ("BPF_ADJ_ROOM_ENCAP_L2_MASK", "flags of bpf_skb_adjust_room: the length of the L2 header"),
    ("BPF_F_SYSCTL_BASE_NAME", "flags of bpf_sysctl_get_name"),
    ("BPF_LOCAL_STORAGE_GET_F_CREATE", "flags of bpf_*_storage_get"),
    ("BPF_F_GET_BRANCH_RECORDS_SIZE", "flags of bpf_read_branch_records"),
    ("BPF_SK_LOOKUP_F_REPLACE", "flags of bpf_sk_assign"),
    ("BPF_F_BPRM_SECUREEXEC", "flags of bpf_bprm_opts_set"),
    ("BPF_F_TIMER_ABS", "flags of bpf_timer_start"),
    ("BPF_SKB_TSTAMP_UNSPEC", "__sk_buff.tstamp_type"),
    ("BPF_SOCK_OPS_RTO_CB_FLAG", "bpf_sock_ops_cb_flags"),
    ("BPF_SOCK_OPS_VOID", "bpf_sock_ops.op"),
    ("BPF_TCP_ESTABLISHED", "TCP states"),
    ("BPF_LOAD_HDR_OPT_TCP_SYN", "flags of bpf_load_hdr_opt"),
    ("BPF_WRITE_HDR_TCP_CURRENT_MSS", "bpf_sock_ops.args[0] when writing header options"),
    ("BPF_FIB_LOOKUP_DIRECT", "flags of bpf_fib_lookup"),
    ("BPF_FIB_LKUP_RET_SUCCESS", "what bpf_fib_lookup returns"),
    ("BPF_FLOW_DISSECTOR_F_PARSE_1ST_FRAG", "bpf_flow_keys.flags"),
    ("BTF_F_COMPACT", "flags of bpf_snprintf_btf"),
    ("BTF_KIND_UNKN", "kinds of BTF types"),
    ("BTF_VAR_STATIC", "linkage of BTF variables"),
    ("XDP_ATTACHED_NONE", "IFLA_XDP_ATTACHED"),
)

#: Enumerators that count the others: they change with every kernel and are no interface.
SENTINELS = frozenset(
    {
        "__MAX_BPF_REG", "__MAX_BPF_CMD", "__MAX_BPF_MAP_TYPE", "__MAX_BPF_PROG_TYPE",
        "__MAX_BPF_ATTACH_TYPE", "__MAX_BPF_LINK_TYPE", "__BPF_FUNC_MAX_ID", "NR_BTF_KINDS",
        "BTF_KIND_MAX", "BPF_TCP_MAX_STATES", "PERF_TYPE_MAX", "PERF_COUNT_HW_MAX",
        "PERF_COUNT_SW_MAX", "PERF_SAMPLE_MAX", "PERF_FORMAT_MAX", "PERF_RECORD_MAX",
    }
)  # fmt: skip

#: Members of `union bpf_attr`, by the first field name found in each (an anonymous struct has no
#: other), and the class that each becomes.
ATTRS: tuple[tuple[str, str, str], ...] = (
    ("MapCreateAttr", "map_type", "BPF_MAP_CREATE"),
    ("MapElemAttr", "map_fd", "BPF_MAP_*_ELEM, BPF_MAP_GET_NEXT_KEY, BPF_MAP_FREEZE"),
    ("MapBatchAttr", "batch", "BPF_MAP_*_BATCH"),
    ("ProgLoadAttr", "prog_type", "BPF_PROG_LOAD"),
    ("ObjAttr", "pathname", "BPF_OBJ_PIN, BPF_OBJ_GET"),
    ("ProgAttachAttr", "target_fd", "BPF_PROG_ATTACH, BPF_PROG_DETACH"),
    ("ProgTestRunAttr", "test", "BPF_PROG_TEST_RUN"),
    ("GetIdAttr", "start_id", "BPF_*_GET_NEXT_ID, BPF_*_GET_FD_BY_ID"),
    ("InfoByFdAttr", "info", "BPF_OBJ_GET_INFO_BY_FD"),
    ("ProgQueryAttr", "query", "BPF_PROG_QUERY"),
    ("RawTracepointAttr", "raw_tracepoint", "BPF_RAW_TRACEPOINT_OPEN"),
    ("BtfLoadAttr", "btf", "BPF_BTF_LOAD"),
    ("TaskFdQueryAttr", "task_fd_query", "BPF_TASK_FD_QUERY"),
    ("LinkCreateAttr", "link_create", "BPF_LINK_CREATE"),
    ("LinkUpdateAttr", "link_update", "BPF_LINK_UPDATE"),
    ("LinkDetachAttr", "link_detach", "BPF_LINK_DETACH"),
    ("EnableStatsAttr", "enable_stats", "BPF_ENABLE_STATS"),
    ("IterCreateAttr", "iter_create", "BPF_ITER_CREATE"),
    ("ProgBindMapAttr", "prog_bind_map", "BPF_PROG_BIND_MAP"),
    ("TokenCreateAttr", "token_create", "BPF_TOKEN_CREATE"),
    ("ProgStreamReadAttr", "prog_stream_read", "BPF_PROG_STREAM_READ_BY_FD"),
)

#: The commands that every load issues: their structs are in attr.py, which every start pays for;
#: the other commands' are in attr_more.py, which attr.py loads when one of them is asked for.
START_UP = frozenset({"BtfLoadAttr", "MapCreateAttr", "MapElemAttr", "ProgLoadAttr"})

#: Constants that the modules of every start use: they are in start.py, too, because it takes longer
#: to read all of const.py than to load a program.
START_UP_CONSTANTS = """
    BPF_BTF_LOAD BPF_F_MMAPABLE BPF_F_SLEEPABLE BPF_F_XDP_HAS_FRAGS BPF_LINK_CREATE
    BPF_LINK_TYPE_PERF_EVENT BPF_MAP_CREATE BPF_MAP_DELETE_ELEM BPF_MAP_FREEZE
    BPF_MAP_GET_NEXT_KEY BPF_MAP_LOOKUP_AND_DELETE_ELEM BPF_MAP_LOOKUP_ELEM BPF_MAP_TYPE_ARENA
    BPF_MAP_TYPE_ARRAY_OF_MAPS BPF_MAP_TYPE_CGROUP_ARRAY BPF_MAP_TYPE_CPUMAP BPF_MAP_TYPE_DEVMAP
    BPF_MAP_TYPE_DEVMAP_HASH BPF_MAP_TYPE_HASH_OF_MAPS BPF_MAP_TYPE_PERF_EVENT_ARRAY
    BPF_MAP_TYPE_QUEUE BPF_MAP_TYPE_RINGBUF BPF_MAP_TYPE_SOCKHASH BPF_MAP_TYPE_SOCKMAP
    BPF_MAP_TYPE_STACK BPF_MAP_TYPE_STACK_TRACE BPF_MAP_TYPE_USER_RINGBUF BPF_MAP_TYPE_XSKMAP
    BPF_MAP_UPDATE_ELEM BPF_OBJ_GET BPF_OBJ_PIN BPF_PERF_EVENT BPF_PROG_LOAD
    BPF_PROG_TYPE_RAW_TRACEPOINT BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE BPF_PROG_TYPE_SYSCALL
    BPF_PROG_TYPE_TRACING BPF_PROG_TYPE_XDP BPF_RAW_TRACEPOINT_OPEN PERF_FLAG_FD_CLOEXEC
    PERF_TYPE_TRACEPOINT
""".split()  # noqa: SIM905

#: Structs of their own: (class, kernel struct).
INFOS: tuple[tuple[str, str], ...] = (
    ("ProgInfo", "bpf_prog_info"),
    ("MapInfo", "bpf_map_info"),
    ("BtfInfo", "bpf_btf_info"),
    ("LinkInfo", "bpf_link_info"),
    ("TokenInfo", "bpf_token_info"),
    ("IterLinkInfo", "bpf_iter_link_info"),
)
PERF: tuple[tuple[str, str], ...] = (("PerfEventAttr", "perf_event_attr"),)
