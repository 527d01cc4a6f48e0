/* SPDX-License-Identifier: Apache-2.0 */
/* Whether this is a build with the address sanitizer: its leak checker starts a process that traces this one. */
#ifndef EXC_SANITIZED_H
#define EXC_SANITIZED_H

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED true
#endif
#endif
#ifndef SANITIZED
#define SANITIZED false
#endif

#endif
