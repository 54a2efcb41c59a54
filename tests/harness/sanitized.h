/* SPDX-License-Identifier: MIT */
/* Was this compiled with a sanitizer? Those take more addresses than any limit, keep what was freed, and make new processes slow. */
#pragma once

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#define SANITIZED (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer))
#else
#define SANITIZED 0
#endif
