/* SPDX-License-Identifier: MIT */
/*
 * The system calls that carry messages, made in place: no function of ours or of the C library around them. Kernels that guard against
 * mispredicted branches leave the processor's memory of return addresses empty, so each return on the way up from a system call costs some 6 ns;
 * on a pipe that is 2 % of a write. As a side effect these calls are no cancellation points: a thread that is cancelled cannot leave a link
 * half changed.
 *
 * Sanitizers must see the calls, so there, and on other machines, it is the C library's function.
 */
#pragma once

#include <errno.h>
#include <sys/syscall.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define SYS_WATCHED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SYS_WATCHED 1
#endif

#if !defined(SYS_WATCHED) && !defined(__ILP32__) && (defined(__x86_64__) || defined(__aarch64__))

#define SYS_DIRECT(libc, ...)                     sys_direct(__VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define sys_direct(number, a, b, c, d, e, f, ...) sys_direct6(number, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

/* The result, or -errno. */
static inline long sys_direct6(long number, long a, long b, long c, long d, long e, long f)
{
#if defined(__x86_64__)
        register long r10 __asm__("r10") = d;
        register long r8 __asm__("r8") = e;
        register long r9 __asm__("r9") = f;
        long result;

        __asm__ volatile("syscall"
                         : "=a"(result)
                         : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                         : "rcx", "r11", "memory");
        return result;
#else
        register long x8 __asm__("x8") = number;
        register long x0 __asm__("x0") = a;
        register long x1 __asm__("x1") = b;
        register long x2 __asm__("x2") = c;
        register long x3 __asm__("x3") = d;
        register long x4 __asm__("x4") = e;
        register long x5 __asm__("x5") = f;

        __asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
        return x0;
#endif
}

#else

#define SYS_DIRECT(libc, ...) sys_result(libc)

static inline long sys_result(long result)
{
        return __builtin_expect(result < 0, 0) ? -errno : result;
}

#endif
