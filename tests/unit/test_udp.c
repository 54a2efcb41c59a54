/* SPDX-License-Identifier: MIT */
/* udp: what is promised and what is not; loopback unless told; groups. All of it on the loopback interface. */
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>

#include "failing.h"

static int fresh(void **state)
{
        sys_hook = NULL; /* a test that failed may have left its own */
        *state = (void *)(intptr_t)open_descriptors();
        return 0;
}

static int after(void **state)
{
        return open_descriptors() == (int)(intptr_t)*state ? 0 : -1;
}

/* Opens a receiver on any port, and says where it is. */
static struct ipw_link *open_any(const char *address, char told[128])
{
        struct ipw_link *in = talk_open(address, IPW_PULL);

        assert_true(ipw_link_address(in, told, 128) < 128);
        return in;
}

/* A port that nobody has and the kernel gives to nobody who does not ask for it. */
static unsigned free_port(void)
{
        struct sockaddr_in sa = { .sin_family = AF_INET };
        int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        static unsigned next;

        if (!next)
                next = 10000 + (unsigned)getpid() % 20000;
        do {
                sa.sin_port = htons((uint16_t)++next);
        } while (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0);
        close(fd);
        return next;
}

static struct ipw_stats stats_after_silence(struct ipw_link *in)
{
        talk_nothing(in, EAGAIN);
        return talk_stats(in);
}

/* ---- one receiver -------------------------------------------------------------------------------------------------------------------------- */

static void check_largest(const char *address, size_t most)
{
        static char data[65600], got[65600];
        char told[128], limit[24];
        struct ipw_link *in = open_any(address, told), *out = talk_open(told, IPW_PUSH);
        struct ipw_message m = { .data = got, .capacity = 100 };
        struct ipw_caps caps;

        assert_int_equal(ipw_describe(address, &caps, NULL), 0);
        assert_int_equal(caps.max_msg, most);
        assert_int_equal(ipw_link_caps(out)->max_msg, most);
        assert_int_equal(ipw_link_caps(in)->flags & (IPW_CAP_RELIABLE | IPW_CAP_ORDERED | IPW_CAP_ENDS | IPW_CAP_IDENTITY), 0);
        talk_fill(data, most, 1, 1);
        assert_int_equal(talk_send(out, data, most, 0), most);
        assert_int_equal(talk_send(out, data, most + 1, 0), -EMSGSIZE);
        (void)snprintf(limit, sizeof(limit), "%zu", most);
        talk_says(out, limit);
        assert_int_equal(ipw_recv(in, &m, IPW_MS(PATIENCE)), -EMSGSIZE);
        assert_int_equal(m.size, most);
        m.capacity = sizeof(got);
        assert_int_equal(ipw_recv(in, &m, 0), most);
        assert_true(talk_good(got, most));
        assert_int_equal(talk_send(out, "", 0, 0), 0);
        talk_expect(in, "");
        ipw_close(out);
        talk_nothing(in, EAGAIN); /* no end */
        ipw_close(in);
}

static void test_largest(void **state)
{
        check_largest("udp:127.0.0.1:0", 65507);
        check_largest("udp://localhost:0", 65507);
        if (access("/proc/net/if_inet6", F_OK) == 0)
                check_largest("udp:[::1]:0", 65527);
}

/* An answer that nobody is there comes once, for the message before; then it goes on, and whoever comes then is reached. */
static void test_nobody_there(void **state)
{
        char address[64];
        struct ipw_link *out, *in;
        struct ipw_message many[3] = { { .data = (char *)"a", .size = 1 },
                                       { .data = (char *)"b", .size = 1 },
                                       { .data = (char *)"c", .size = 1 } };

        (void)snprintf(address, sizeof(address), "udp:127.0.0.1:%u", free_port());
        out = talk_open(address, IPW_PUSH);
        for (unsigned i = 1; i <= 3; i++) {
                assert_int_equal(talk_send(out, "x", 1, IPW_FOREVER), 1);
                assert_int_equal(talk_send(out, "y", 1, IPW_FOREVER), -ECONNREFUSED);
                talk_says(out, "nobody had this port");
                assert_int_equal(talk_stats(out).dropped, i);
        }
        assert_int_equal(talk_send(out, "x", 1, 0), 1);
        assert_int_equal(ipw_send_many(out, many, 3, 0), -ECONNREFUSED);
        in = talk_open(address, IPW_PULL);
        assert_int_equal(ipw_send_many(out, many, 3, 0), 3);
        talk_expect(in, "a");
        talk_expect(in, "b");
        talk_expect(in, "c");
        ipw_close(out);
        ipw_close(in);
}

/* A sender never waits; what does not fit is counted, however it is received, also when nothing comes behind it. */
static void test_drops_are_counted(void **state)
{
        enum { FLOOD = 2000, SIZE = 300, ROUND = 20 };
        char told[128], data[ROUND][SIZE];
        struct ipw_link *in = open_any("udp:127.0.0.1:0?buffer=16K", told), *out = talk_open(told, IPW_PUSH);
        struct ipw_message m[ROUND] = { 0 };
        struct pollfd p;
        uint64_t got = 0, lost = 0;
        ssize_t n;

        for (uint32_t i = 0; i < FLOOD; i++) {
                talk_fill(data[0], SIZE, 7, i);
                assert_int_equal(talk_send(out, data[0], SIZE, 0), SIZE);
        }
        for (unsigned i = 0; i < ROUND; i++)
                m[i] = (struct ipw_message){ .data = data[i], .capacity = i % 3 ? SIZE : 10 }; /* some do not fit at first */
        for (unsigned first = 0;; first = 1) {
                n = ipw_recv_many(in, m + first, ROUND - first, 0);
                if (n == -EMSGSIZE)
                        continue;
                if (n < 0)
                        break;
                for (ssize_t i = 0; i < n; i++) {
                        assert_true(m[first + i].size == SIZE && talk_good(m[first + i].data, SIZE));
                        lost += m[first + i].flags & IPW_HAS_LOST ? m[first + i].lost : 0;
                        got++;
                }
        }
        assert_int_equal(n, -EAGAIN);
        assert_true(talk_stats(in).dropped > 0);
        assert_int_equal(got + talk_stats(in).dropped, FLOOD);
        assert_int_equal(ipw_pollfd(out, IPW_SEND, &p), 0);
        assert_int_equal(poll(&p, 1, 0), 1);
        assert_int_equal(talk_send(out, data[1], SIZE, 0), SIZE);
        m[1].flags = 0;
        assert_int_equal(ipw_recv(in, &m[1], IPW_MS(PATIENCE)), SIZE);
        lost += m[1].flags & IPW_HAS_LOST ? m[1].lost : 0;
        assert_int_equal(lost, stats_after_silence(in).dropped);
        ipw_close(out);
        ipw_close(in);
}

static void test_places(void **state)
{
        char told[128], text[200];
        struct ipw_link *in = open_any("udp:127.0.0.1:0", told);
        struct ipw_why why;

        talk_refuse(told, IPW_PULL, EADDRINUSE, "ss -lunp");
        talk_refuse(told, IPW_PULL | IPW_FRESH, EEXIST, "somebody has this port");
        talk_refuse(told, IPW_PULL | IPW_EXISTING, ENOENT, "IPW_EXISTING");
        talk_refuse(told, IPW_PUSH | IPW_FRESH, EINVAL, "IPW_FRESH");
        talk_refuse(told, IPW_PUB, EOPNOTSUPP, "PUSH and PULL");
        talk_refuse(told, IPW_SUB, EOPNOTSUPP, "PUSH and PULL");
        talk_refuse(told, IPW_PAIR, EOPNOTSUPP, "PAIR");
        (void)snprintf(text, sizeof(text), "%s?until=last", told);
        talk_refuse(text, IPW_PULL, EOPNOTSUPP, "until=last");
        (void)snprintf(text, sizeof(text), "%s?ttl=1", told);
        talk_refuse(text, IPW_PUSH, EINVAL, "ttl=");
        assert_int_equal(ipw_remove(told, &why), -EOPNOTSUPP);
        ipw_close(in);
        talk_refuse("udp:127.0.0.1:0", IPW_PUSH, EINVAL, "port 0");
        talk_refuse("udp:127.0.0.1", IPW_PUSH, EINVAL, "port");
        talk_refuse("udp:127.0.0.1:99999", IPW_PUSH, EINVAL, "65535");
        talk_refuse("udp:host.invalid:5000", IPW_PUSH, EINVAL, "resolve=1");
        talk_refuse("udp:127.0.0.1:5000#x", IPW_PUSH, EINVAL, "'#'");
        talk_refuse("udp:192.0.2.1:5000", IPW_PUSH, EPERM, "insecure=1"); /* never sent to: reserved for documentation */
        talk_refuse("udp:0.0.0.0:0", IPW_PULL, EPERM, "insecure=1");
        talk_refuse("udp:[::]:0", IPW_PULL, EPERM, "insecure=1");
        ipw_close(open_any("udp:0.0.0.0:0?insecure=1", told));
}

/* ---- groups -------------------------------------------------------------------------------------------------------------------------------- */

static void check_group(const char *group, const char *other, const char *options)
{
        unsigned port = free_port();
        char at[128], elsewhere[128], one[32] = "to all";
        struct ipw_link *a, *b, *c, *to_group, *again, *to_other;

        (void)snprintf(at, sizeof(at), "udp:%s:%u%s", group, port, options);
        (void)snprintf(elsewhere, sizeof(elsewhere), "udp:%s:%u%s", other, port, options);
        a = talk_open(at, IPW_SUB);
        b = talk_open(at, IPW_SUB);
        c = talk_open(elsewhere, IPW_SUB); /* the same port */
        to_group = talk_open(at, IPW_PUB);
        again = talk_open(at, IPW_PUB);
        to_other = talk_open(elsewhere, IPW_PUB);
        for (int i = 0; i < 3; i++) {
                one[0] = (char)('a' + i);
                assert_int_equal(talk_send(i % 2 ? again : to_group, one, strlen(one), 0), strlen(one));
                talk_expect(a, one);
                talk_expect(b, one);
        }
        talk_nothing(c, EAGAIN);
        assert_int_equal(talk_send(to_other, "other", 5, 0), 5);
        talk_expect(c, "other");
        ipw_close(a);
        assert_int_equal(talk_send(to_group, "still", 5, 0), 5);
        talk_expect(b, "still");
        talk_nothing(b, EAGAIN);
        ipw_close(b);
        assert_int_equal(talk_send(to_group, "nobody", 6, 0), 6); /* a group does not refuse */
        assert_int_equal(talk_send(to_group, "nobody", 6, 0), 6);
        ipw_close(c);
        ipw_close(to_group);
        ipw_close(again);
        ipw_close(to_other);
}

static void test_group(void **state)
{
        check_group("239.255.77.1", "239.255.77.2", "");
}

/* The loopback interface has no IPv6 groups, so this is a network of its own with two interfaces that are each other's other end. */
static void test_group_v6(void **state)
{
        static const char setup[] =
                "exec 2>/dev/null; ip link set lo up && ip link add ipw0 type veth peer name ipw1 && ip link set ipw0 addrgenmode none && "
                "ip link set ipw0 up && ip link set ipw1 up && ip -6 address add fe80::77/64 dev ipw0 nodad";
        pid_t pid = fork_child();
        int status;

        if (pid == 0) {
                struct ipw_link *link = NULL;
                struct ipw_why why = { 0 };
                int before;

                if (unshare(CLONE_NEWNET) < 0 || system(setup) != 0)
                        _exit(77);
                before = open_descriptors();
                CHILD_CHECK(ipw_open(&link, "udp:[ff02::7701]:5000", IPW_PUB, 0, &why) == -ENETUNREACH);
                CHILD_CHECK(strstr(why.text, "interface=eth0") && open_descriptors() == before);
                check_group("[ff02::7701]", "[ff05::7701]", "?interface=ipw0&insecure=1");
                check_group("[ff02::7701]", "[ff05::7701]", "?interface=fe80::77&insecure=1&ttl=1");
                _exit(0);
        }
        status = reap(pid);
        if (status == 77)
                skip();
        assert_int_equal(status, 0);
}

static int option_of(struct ipw_link *out, int option)
{
        struct pollfd p;
        int value = -1;
        socklen_t size = sizeof(value);

        assert_int_equal(ipw_pollfd(out, IPW_SEND, &p), 0);
        assert_return_code(getsockopt(p.fd, IPPROTO_IP, option, &value, &size), errno);
        return value;
}

static void test_how_far(void **state)
{
        struct ipw_link *out = talk_open("udp:239.255.77.1:5000", IPW_PUB);
        struct ifaddrs *list, *i;
        char text[200];

        assert_int_equal(option_of(out, IP_MULTICAST_TTL), 0);
        assert_int_equal(option_of(out, IP_MULTICAST_LOOP), 1);
        ipw_close(out);
        out = talk_open("udp:239.255.77.1:5000?ttl=3&interface=127.0.0.1", IPW_PUB);
        assert_int_equal(option_of(out, IP_MULTICAST_TTL), 3);
        ipw_close(out);
        talk_refuse("udp:239.255.77.1:5000", IPW_PUSH, EOPNOTSUPP, "PUB and SUB");
        talk_refuse("udp:[ff02::1]:5000", IPW_PULL, EOPNOTSUPP, "PUB and SUB");
        talk_refuse("udp:239.255.77.1:0", IPW_SUB, EINVAL, "port 0");
        talk_refuse("udp:239.255.77.1:5000?interface=nonesuch", IPW_SUB, ENODEV, "interface=nonesuch");
        assert_return_code(getifaddrs(&list), errno);
        for (i = list; i && i->ifa_flags & IFF_LOOPBACK; i = i->ifa_next)
                ;
        if (i) { /* nothing is sent there */
                (void)snprintf(text, sizeof(text), "udp:239.255.77.1:5000?interface=%s", i->ifa_name);
                talk_refuse(text, IPW_SUB, EPERM, "insecure=1");
                talk_refuse(text, IPW_PUB, EPERM, "insecure=1");
        }
        freeifaddrs(list);
}

/* ---- failures ------------------------------------------------------------------------------------------------------------------------------ */

static void test_opening_fails_anywhere(void **state)
{
        char at[64];
        const struct {
                const char *at;
                unsigned how;
        } ends[] = { { "udp:127.0.0.1:0?buffer=64K", IPW_PULL },
                     { at, IPW_PUSH },
                     { "udp:239.255.77.1:5000", IPW_PUB },
                     { "udp:239.255.77.1:5000", IPW_SUB } };

        (void)snprintf(at, sizeof(at), "udp:127.0.0.1:%u", free_port());
        for (size_t i = 0; i < COUNT_OF(ends); i++)
                failing_opens(ends[i].at, ends[i].how, NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, fresh, after)
        const struct CMUnitTest tests[] = {
                TEST(largest), TEST(nobody_there), TEST(drops_are_counted), TEST(places),
                TEST(group),   TEST(group_v6),     TEST(how_far),           TEST(opening_fails_anywhere),
        };

        return cmocka_run_group_tests_name("udp", tests, NULL, NULL);
}
