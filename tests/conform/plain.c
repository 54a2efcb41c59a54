/* SPDX-License-Identifier: MIT */
/*
 * What programs do that have never heard of this library: one entry for each row, or for all rows of a scheme. A row without an entry fails
 * the suite: who adds a mechanism says here how strangers talk to it, or why none can.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <mqueue.h>
#include <net/if.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "fake.h"
#include "suite.h"

static const char *rest(const struct run *run, unsigned role, char *out, size_t room)
{
        const char *from = strchr(address_of(run, role), ':') + 1;

        (void)snprintf(out, room, "%.*s", (int)strcspn(from, "?"), from);
        return out;
}

/* ---- descriptors: pipe, fifo ---------------------------------------------------------------------------------------------------------- */

static int open_pipe(const struct run *run, unsigned role)
{
        char text[200];

        return atoi(rest(run, role, text, sizeof(text)));
}

static int open_fifo(const struct run *run, unsigned role)
{
        char path[200];
        int fd;

        CHECK(mkfifo(rest(run, role, path, sizeof(path)), 0600) == 0 || errno == EEXIST, "%s: %s", path, strerror(errno));
        /* A reader that also holds a writing end opens at once, and so can say that it is there. */
        fd = open(path, role == IPW_PUSH ? O_WRONLY : O_RDWR);
        CHECK(fd >= 0, "%s: %s", path, strerror(errno));
        return fd;
}

static int path_mode(const struct run *run)
{
        struct stat st;
        char path[200];

        CHECK(stat(rest(run, IPW_PULL, path, sizeof(path)), &st) == 0, "%s: %s", path, strerror(errno));
        return st.st_mode & 07777;
}

static void write_all(int fd, const void *data, size_t size)
{
        CHECK(write(fd, data, size) == (ssize_t)size, "write: %s", strerror(errno));
}

static size_t read_all(int fd, void *data, size_t size)
{
        size_t have = 0;

        while (have < size) {
                ssize_t n = read(fd, (char *)data + have, size - have);

                CHECK(n > 0, "read: %s", n ? strerror(errno) : "the end");
                have += (size_t)n;
        }
        return have;
}

static void write_ended(int fd, const void *data, size_t size, char end)
{
        char bytes[5000];

        memcpy(bytes, data, size);
        bytes[size] = end;
        write_all(fd, bytes, size + 1);
}

static size_t read_ended(int fd, void *data, char end)
{
        char *at = data;

        do {
                CHECK(read(fd, at, 1) == 1, "read: %s", strerror(errno));
        } while (*at++ != end);
        return (size_t)(at - (char *)data - 1);
}

static void write_line(int fd, const void *data, size_t size)
{
        write_ended(fd, data, size, '\n');
}

static size_t read_line(int fd, void *data, size_t room)
{
        return read_ended(fd, data, '\n');
}

static void write_nul(int fd, const void *data, size_t size)
{
        write_ended(fd, data, size, 0);
}

static size_t read_nul(int fd, void *data, size_t room)
{
        return read_ended(fd, data, 0);
}

/* A length before the payload: `width` bytes, the highest or the lowest first. */
static void write_prefixed(int fd, const void *data, size_t size, unsigned width, bool little)
{
        unsigned char bytes[5008] = { 0 };

        for (unsigned i = 0; i < width; i++)
                bytes[little ? i : width - 1 - i] = i < sizeof(size) ? (unsigned char)(size >> 8 * i) : 0;
        memcpy(bytes + width, data, size);
        write_all(fd, bytes, width + size);
}

static size_t read_prefixed(int fd, void *data, size_t room, unsigned width, bool little)
{
        unsigned char bytes[8];
        size_t size = 0;

        (void)read_all(fd, bytes, width);
        for (unsigned i = 0; i < width; i++)
                size = size << 8 | bytes[little ? width - 1 - i : i];
        CHECK(size <= room, "a message of %zu bytes", size);
        return read_all(fd, data, size);
}

#define PREFIXED(name, width, little)                                   \
        static void write_##name(int fd, const void *data, size_t size) \
        {                                                               \
                write_prefixed(fd, data, size, width, little);          \
        }                                                               \
        static size_t read_##name(int fd, void *data, size_t room)      \
        {                                                               \
                return read_prefixed(fd, data, room, width, little);    \
        }
PREFIXED(len1, 1, false)
PREFIXED(len2be, 2, false)
PREFIXED(len2le, 2, true)
PREFIXED(len4be, 4, false)
PREFIXED(len4le, 4, true)
PREFIXED(len8be, 8, false)
PREFIXED(len8le, 8, true)

static void write_netstring(int fd, const void *data, size_t size)
{
        char bytes[5032];
        int header = sprintf(bytes, "%zu:", size);

        memcpy(bytes + header, data, size);
        bytes[(size_t)header + size] = ',';
        write_all(fd, bytes, (size_t)header + size + 1);
}

static size_t read_netstring(int fd, void *data, size_t room)
{
        size_t size = 0;
        char c;

        while (read_all(fd, &c, 1) && c != ':') {
                CHECK(c >= '0' && c <= '9' && size <= room, "no netstring: byte 0x%02x", (unsigned char)c);
                size = size * 10 + (size_t)(c - '0');
        }
        CHECK(size <= room, "a message of %zu bytes", size);
        (void)read_all(fd, data, size);
        CHECK(read_all(fd, &c, 1) && c == ',', "no netstring: it ends in 0x%02x", (unsigned char)c);
        return size;
}

/* A packet of an O_DIRECT pipe: one read takes one. */
static size_t read_packet(int fd, void *data, size_t room)
{
        ssize_t n = read(fd, data, room);

        CHECK(n > 0, "read: %s", strerror(errno));
        return (size_t)n;
}

static void close_fd(int fd)
{
        (void)close(fd);
}

/* ---- System V queues ------------------------------------------------------------------------------------------------------------------ */

static int open_queue(const struct run *run, unsigned role)
{
        char text[200];
        int id = msgget((key_t)strtoul(rest(run, role, text, sizeof(text)), NULL, 16), IPC_CREAT | 0600);

        CHECK(id >= 0, "msgget(%s): %s", text, strerror(errno));
        return id;
}

static int queue_mode(const struct run *run)
{
        struct msqid_ds ds;

        CHECK(msgctl(open_queue(run, IPW_PULL), IPC_STAT, &ds) == 0, "msgctl: %s", strerror(errno));
        return ds.msg_perm.mode & 0777;
}

struct queued {
        long type;
        char data[5000];
};

static void queue_send(int id, const void *data, size_t size)
{
        struct queued m = { .type = 1 };

        memcpy(m.data, data, size);
        CHECK(msgsnd(id, &m, size, 0) == 0, "msgsnd: %s", strerror(errno));
}

static size_t queue_recv(int id, void *data, size_t room)
{
        struct queued m;
        ssize_t n = msgrcv(id, &m, sizeof(m.data), 0, 0);

        CHECK(n >= 0, "msgrcv: %s", strerror(errno));
        memcpy(data, m.data, (size_t)n);
        return (size_t)n;
}

static void queue_close(int id)
{
}

/* ---- POSIX queues ---------------------------------------------------------------------------------------------------------------------- */

static int open_posix_queue(const struct run *run, unsigned role)
{
        char name[200];
        mqd_t q = mq_open(rest(run, role, name, sizeof(name)), O_CREAT | O_RDWR, 0600, NULL);

        CHECK(q >= 0, "mq_open(%s): %s", name, strerror(errno));
        return q;
}

static void posix_queue_send(int q, const void *data, size_t size)
{
        CHECK(mq_send(q, data, size, 0) == 0, "mq_send: %s", strerror(errno));
}

static size_t posix_queue_recv(int q, void *data, size_t room)
{
        ssize_t n = mq_receive(q, data, room, NULL);

        CHECK(n >= 0, "mq_receive: %s", strerror(errno));
        return (size_t)n;
}

static int posix_queue_mode(const struct run *run)
{
        char name[200];
        struct stat st;
        int q = mq_open(rest(run, IPW_PULL, name, sizeof(name)), O_RDONLY);

        CHECK(q >= 0 && fstat(q, &st) == 0, "%s: %s", name, strerror(errno));
        (void)mq_close(q);
        return st.st_mode & 0777;
}

/* ---- sockets -------------------------------------------------------------------------------------------------------------------------- */

static socklen_t socket_address(const struct run *run, unsigned role, struct sockaddr_un *sa)
{
        char name[200];

        *sa = (struct sockaddr_un){ .sun_family = AF_UNIX };
        (void)rest(run, role, name, sizeof(name));
        CHECK(strlen(name) < sizeof(sa->sun_path), "%s is too long", name);
        memcpy(sa->sun_path, name, strlen(name) + 1);
        if (*name != '@')
                return sizeof(*sa);
        sa->sun_path[0] = 0;
        return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
}

static int open_socket_of(const struct run *run, unsigned role, int type)
{
        struct sockaddr_un sa;
        socklen_t size = socket_address(run, role, &sa);
        int fd = socket(AF_UNIX, type, 0);

        CHECK(fd >= 0, "socket: %s", strerror(errno));
        if (role == IPW_PUSH)
                CHECK(connect(fd, (struct sockaddr *)&sa, size) == 0, "connect: %s", strerror(errno));
        else
                CHECK(bind(fd, (struct sockaddr *)&sa, size) == 0 && listen(fd, 4) == 0, "bind: %s", strerror(errno));
        return fd;
}

static int open_socket(const struct run *run, unsigned role)
{
        return open_socket_of(run, role, SOCK_SEQPACKET);
}

static int open_stream(const struct run *run, unsigned role)
{
        return open_socket_of(run, role, SOCK_STREAM);
}

static int open_udp(const struct run *run, unsigned role)
{
        struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        int fd = socket(AF_INET, SOCK_DGRAM, 0);
        char text[200];

        CHECK(fd >= 0, "socket: %s", strerror(errno));
        sa.sin_port = htons((uint16_t)atoi(strrchr(rest(run, role, text, sizeof(text)), ':') + 1));
        CHECK((role == IPW_PUSH ? connect(fd, (struct sockaddr *)&sa, sizeof(sa)) : bind(fd, (struct sockaddr *)&sa, sizeof(sa))) == 0,
              "%s: %s", text, strerror(errno));
        return fd;
}

/* No connection: who receives has a name, who sends knows it. */
static int open_dgram(const struct run *run, unsigned role)
{
        struct sockaddr_un sa;
        socklen_t size = socket_address(run, role, &sa);
        int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

        CHECK(fd >= 0, "socket: %s", strerror(errno));
        if (role == IPW_PUSH)
                CHECK(connect(fd, (struct sockaddr *)&sa, size) == 0, "connect: %s", strerror(errno));
        else
                CHECK(bind(fd, (struct sockaddr *)&sa, size) == 0, "bind: %s", strerror(errno));
        return fd;
}

static int open_tcp(const struct run *run, unsigned role)
{
        struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
        char text[200];

        CHECK(fd >= 0, "socket: %s", strerror(errno));
        sa.sin_port = htons((uint16_t)atoi(strrchr(rest(run, role, text, sizeof(text)), ':') + 1));
        if (role == IPW_PUSH)
                CHECK(connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0, "connect: %s", strerror(errno));
        else
                CHECK(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0 &&
                              bind(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0 && listen(fd, 4) == 0,
                      "bind: %s", strerror(errno));
        return fd;
}

static int socket_ready(int fd)
{
        int peer = accept(fd, NULL, NULL);

        CHECK(peer >= 0, "accept: %s", strerror(errno));
        return peer;
}

static void socket_send(int fd, const void *data, size_t size)
{
        struct iovec iov = { (void *)data, size };
        struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

        CHECK(sendmsg(fd, &m, MSG_NOSIGNAL) == (ssize_t)size, "sendmsg: %s", strerror(errno));
}

static size_t socket_recv(int fd, void *data, size_t room)
{
        struct iovec iov = { data, room };
        struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
        ssize_t n = recvmsg(fd, &m, 0);

        CHECK(n > 0, "recvmsg: %s", n ? strerror(errno) : "the end");
        return (size_t)n;
}

/* ---- sockets as nanomsg and nng use them: eight bytes each way, then a 1 and the length before each message ------------------------------- */

static void sp_hello(int fd, unsigned char kind, unsigned char want)
{
        const unsigned char hello[8] = { 0, 'S', 'P', 0, 0, kind, 0, 0 };
        unsigned char theirs[8];

        write_all(fd, hello, sizeof(hello));
        (void)read_all(fd, theirs, sizeof(theirs));
        CHECK(memcmp(theirs, hello, 5) == 0 && theirs[5] == want && !theirs[6] && !theirs[7], "a greeting of kind 0x%02x", theirs[5]);
}

static int greet_first(int fd, unsigned role)
{
        if (role == IPW_PUSH)
                sp_hello(fd, 0x50, 0x51);
        return fd;
}

static int open_unix_sp(const struct run *run, unsigned role)
{
        return greet_first(open_stream(run, role), role);
}

static int open_tcp_sp(const struct run *run, unsigned role)
{
        return greet_first(open_tcp(run, role), role);
}

static int sp_ready(int fd)
{
        int peer = socket_ready(fd);

        sp_hello(peer, 0x51, 0x50);
        return peer;
}

static void sp_send(int fd, const void *data, size_t size)
{
        unsigned char bytes[5009] = { 1, 0, 0, 0, 0, 0, 0, (unsigned char)(size >> 8), (unsigned char)size };

        memcpy(bytes + 9, data, size);
        write_all(fd, bytes, 9 + size);
}

static size_t sp_recv(int fd, void *data, size_t room)
{
        unsigned char one;

        CHECK(read_all(fd, &one, 1) && one == 1, "a message of type %u", one);
        return read_len8be(fd, data, room);
}

/* ---- what all receivers get ------------------------------------------------------------------------------------------------------------ */

static pid_t tail;

/* `tail -f` reads; whoever opens to append and writes a line with one call sends. */
static int open_lines(const struct run *run, unsigned role)
{
        char path[200];
        int ends[2], fd;

        fd = open(rest(run, role, path, sizeof(path)), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
        CHECK(fd >= 0, "%s: %s", path, strerror(errno));
        if (role == IPW_PUSH)
                return fd;
        (void)close(fd);
        CHECK(pipe2(ends, O_CLOEXEC) == 0 && (tail = fork()) >= 0, "cannot start tail: %s", strerror(errno));
        if (tail == 0) {
                (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
                (void)dup2(ends[1], STDOUT_FILENO);
                (void)execlp("tail", "tail", "-n", "+1", "-f", path, NULL);
                fail(__FILE__, __LINE__, "tail: %s", strerror(errno));
        }
        (void)close(ends[1]);
        return ends[0];
}

static void close_lines(int fd)
{
        (void)close(fd);
        if (tail)
                peer_kill(tail);
        tail = 0;
}

/* A socket that has joined the group on the loopback interface, or one that sends to it there. */
static int open_group(const struct run *run, unsigned role)
{
        struct sockaddr_in sa = { .sin_family = AF_INET };
        struct ip_mreqn loopback = { .imr_ifindex = (int)if_nametoindex("lo") };
        int fd = socket(AF_INET, SOCK_DGRAM, 0), one = 1;
        char text[200], *colon;

        CHECK(fd >= 0, "socket: %s", strerror(errno));
        colon = strrchr(rest(run, role, text, sizeof(text)), ':');
        *colon = 0;
        sa.sin_port = htons((uint16_t)atoi(colon + 1));
        CHECK(inet_pton(AF_INET, text, &sa.sin_addr) == 1, "%s", text);
        loopback.imr_multiaddr = sa.sin_addr;
        if (role == IPW_PUSH)
                CHECK(setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &loopback, sizeof(loopback)) == 0 &&
                              connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0,
                      "%s: %s", text, strerror(errno));
        else
                CHECK(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0 &&
                              bind(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0 &&
                              setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &loopback, sizeof(loopback)) == 0,
                      "%s: %s", text, strerror(errno));
        return fd;
}

/* ---- the fake --------------------------------------------------------------------------------------------------------------------------- */

static int open_fake(const struct run *run, unsigned role)
{
        return fake_plain_open(address_of(run, role));
}

static void fake_send(int end, const void *data, size_t size)
{
        EQUAL(fake_plain_send(end, data, size), 0);
}

static size_t fake_recv(int end, void *data, size_t room)
{
        return (size_t)fake_plain_recv(end, data, room);
}

static const char ours[] = "framing=frame is known to this library only";

static const char ring[] = "how messages lie in shared memory is known to this library only";

static int shm_mode(const struct run *run)
{
        char path[300];
        struct stat st;

        (void)snprintf(path, sizeof(path), "/dev/shm%.*s", (int)strcspn(strchr(run->address, ':') + 1, "?"), strchr(run->address, ':') + 1);
        CHECK(stat(path, &st) == 0, "%s: %s", path, strerror(errno));
        return st.st_mode & 07777;
}

static const char records[] = "records have checksums; a program that reads them by the manual is tried in tests/cli";

static int log_mode(const struct run *run)
{
        char path[200], file[220];
        struct stat st;

        (void)snprintf(file, sizeof(file), "%s/control", rest(run, IPW_PULL, path, sizeof(path)));
        CHECK(stat(file, &st) == 0, "%s: %s", file, strerror(errno));
        return st.st_mode & 07777;
}

/* A way that carries bytes, and every framing over it that others speak. */
#define STREAM(scheme, open, ready, mode)                                                               \
        { scheme "/raw", open, ready, write_all, read_all, close_fd, mode, NULL },                      \
                { scheme "/line", open, ready, write_line, read_line, close_fd, mode, NULL },           \
                { scheme "/nul", open, ready, write_nul, read_nul, close_fd, mode, NULL },              \
                { scheme "/len1", open, ready, write_len1, read_len1, close_fd, mode, NULL },           \
                { scheme "/len2be", open, ready, write_len2be, read_len2be, close_fd, mode, NULL },     \
                { scheme "/len2le", open, ready, write_len2le, read_len2le, close_fd, mode, NULL },     \
                { scheme "/len4be", open, ready, write_len4be, read_len4be, close_fd, mode, NULL },     \
                { scheme "/len4le", open, ready, write_len4le, read_len4le, close_fd, mode, NULL },     \
                { scheme "/len8be", open, ready, write_len8be, read_len8be, close_fd, mode, NULL },     \
                { scheme "/len8le", open, ready, write_len8le, read_len8le, close_fd, mode, NULL },     \
        {                                                                                               \
                scheme "/netstring", open, ready, write_netstring, read_netstring, close_fd, mode, NULL \
        }

static const struct plain table[] = {
        STREAM("pipe", open_pipe, NULL, NULL),
        { "pipe/packet=1", open_pipe, NULL, write_all, read_packet, close_fd, NULL, NULL },
        { "pipe", .none = ours },
        STREAM("fifo", open_fifo, NULL, path_mode),
        { "fifo", .mode = path_mode, .none = ours },
        { "mq+sysv", open_queue, NULL, queue_send, queue_recv, queue_close, queue_mode, NULL },
        { "mq", open_posix_queue, NULL, posix_queue_send, posix_queue_recv, close_fd, posix_queue_mode, NULL },
        STREAM("unix", open_stream, socket_ready, path_mode),
        { "unix/sp", open_unix_sp, sp_ready, sp_send, sp_recv, close_fd, path_mode, NULL },
        { "unix", .mode = path_mode, .none = ours },
        { "unix+dgram", open_dgram, NULL, socket_send, socket_recv, close_fd, path_mode, NULL },
        STREAM("tcp", open_tcp, socket_ready, NULL),
        { "tcp/sp", open_tcp_sp, sp_ready, write_len8be, read_len8be, close_fd, NULL, NULL },
        { "tcp", .none = ours },
        { "udp", open_udp, NULL, socket_send, socket_recv, close_fd, NULL, NULL },
        { "unix+seqpacket", open_socket, socket_ready, socket_send, socket_recv, close_fd, path_mode, NULL },
        { "file/pub", open_lines, NULL, write_line, read_line, close_lines, path_mode, NULL },
        { "udp/pub", open_group, NULL, socket_send, socket_recv, close_fd, NULL, NULL },
        { "shm", .mode = shm_mode, .none = ring },
        { "shm+file", .mode = path_mode, .none = ring },
        { "shm+sysv", .none = ring },
        { "shm+anon", .none = ring },
        { "log", .mode = log_mode, .none = records },
        { "fake", open_fake, NULL, fake_send, fake_recv, queue_close, NULL, NULL },
        { "fake+poll", open_fake, NULL, fake_send, fake_recv, queue_close, NULL, NULL },
};

static const struct plain *find(const char *name)
{
        for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
                if (strcmp(table[i].row, name) == 0)
                        return &table[i];
        return NULL;
}

const struct plain *plain_of(const struct row *row)
{
        const struct plain *p = find(row->name), *usual = find(row->mechanism->scheme);
        char published[64];

        if (p || !row->published)
                return p ? p : usual;
        (void)snprintf(published, sizeof(published), "%s/pub", row->mechanism->scheme);
        p = find(published);
        return p || !usual || !usual->none ? p : usual; /* who cannot talk to one cannot talk to all */
}
