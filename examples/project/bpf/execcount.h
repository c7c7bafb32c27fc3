/* What both sides know of a user. */
struct user {
    unsigned int uid;
};

struct execs {
    unsigned long long count;
    unsigned int last_pid;
};
